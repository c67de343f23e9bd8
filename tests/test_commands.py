"""Every command in the READMEs and guides: its program takes the arguments, and Snakemake is told where it runs."""

import argparse
import re
import runpy
import shlex
from pathlib import Path

import pytest
from snakemake.cli import get_argument_parser, parse_config
from test_documents import PAGES, ROOT, name

PROGRAMS = ("snakemake", "python scripts/", "make ")
WHERE = {
    "-n",
    "--profile",
    "--cores",
    "--executor",
    "--help",
    "--lint",
    "--unlock",
}  # without one of these Snakemake asks for cores
INDENTED = re.compile(r"^    (\S.*)$|^((?:snakemake|python scripts/|make )\S.*)$", re.MULTILINE)
INLINE = re.compile(r"`([^`\n]+)`")


class ParsedError(Exception):
    """Ends a script once its arguments are parsed."""


def commands(page):
    """Yield the commands of a page: indented, fenced, or inside a sentence."""
    text = re.sub(r" \\\n +", " ", page.read_text())
    for found in [*INDENTED.finditer(text), *INLINE.finditer(text)]:
        line = next(filter(None, found.groups())).partition(" #")[0].partition(" > ")[0].strip()
        for command in re.split(r" && |; ", line):
            if command.startswith(PROGRAMS) and "..." not in command:
                yield re.sub(r"^python (?=scripts)", "", command)


ALL = [(page, command) for page in PAGES for command in dict.fromkeys(commands(page))]


def test_commands_are_found():
    assert len(ALL) > 80 and {command.split()[0].split("/")[0] for _, command in ALL} == {
        "snakemake",
        "scripts",
        "make",
    }


@pytest.mark.parametrize(("page", "command"), ALL, ids=[f"{name(page)}: {command}" for page, command in ALL])
def test_command_is_understood(page, command, monkeypatch):
    program, *words = shlex.split(re.sub(r"<([^>]*)>|\[([^]]*)\]", r"\1\2", command))
    if program == "make":
        targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
        assert [word for word in words if "=" not in word and not word.startswith("-") and word not in targets] == []
    elif program == "snakemake":
        parser = get_argument_parser()
        if words and words != ["--help"]:
            arguments = parser.parse_args(words)
            parse_config(arguments.config)
            assert WHERE & set(words), "without -n, --cores or --profile, Snakemake refuses to start"
            assert words.count("--configfile") <= 1, "Snakemake keeps the last one only"
    else:
        parse = argparse.ArgumentParser.parse_args

        def parse_only(parser, given=None, namespace=None):
            parse(parser, given, namespace)
            raise ParsedError

        monkeypatch.setattr(argparse.ArgumentParser, "parse_args", parse_only)
        with pytest.raises(ParsedError):
            runpy.run_path(str(ROOT / program))["main"](words)


def test_quoted_error_texts_are_those_of_the_code():
    """The headings of the page, of which some are texts of Snakemake."""
    import snakemake.cli
    import snakemake.common.configfile

    ours = [
        path for end in ("py", "smk") for room in ("workflow", "scripts") for path in (ROOT / room).rglob(f"*.{end}")
    ]
    modules = (snakemake.cli, snakemake.common.configfile)
    code = "\n".join(path.read_text() for path in [*ours, *(Path(module.__file__) for module in modules)])
    page = (ROOT / "config/guides/troubleshooting.md").read_text()
    quoted = [text for line in page.splitlines() if line.startswith("### ") for text in INLINE.findall(line)]
    assert len(quoted) > 20 and [text for text in quoted if text not in code] == []
