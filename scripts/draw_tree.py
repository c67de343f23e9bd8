"""Write the rooms of the package into README.md, and with their modules into CONTRIBUTING.md, from docstrings."""

import argparse
import ast
import re
import sys
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path

from nasmake.core.errors import InputError
from nasmake.core.files import write_atomically
from nasmake.jobs.cli import script

PACKAGE = Path("workflow/nasmake")
BEGIN, END = "<!-- tree -->\n", "<!-- tree ends -->"
LONGEST = 72  # characters; a longer comment is shortened to its first clause


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a page is not up to date")
    arguments = parser.parse_args(argv)
    for page, tree in ((Path("README.md"), rooms()), (Path("CONTRIBUTING.md"), modules())):
        text = page.read_text()
        before, rest = text.split(BEGIN)
        drawn = f"{before}{BEGIN}{tree}{END}{rest.split(END, 1)[1]}"
        if drawn != text and arguments.check:
            raise InputError(f"{page}: the tree is outdated; expected that of {PACKAGE}; type: make format")
        if drawn != text:
            write_atomically(page, drawn.encode())
            print(f"{page}: tree drawn")


def rooms() -> str:
    """Return one list item per room, with the first sentence of its docstring."""
    items = (f"* [{name}]({PACKAGE}/{name}): {sentence(PACKAGE / name / '__init__.py')}\n" for name in floors())
    return "".join(items)


def modules() -> str:
    """Return the tree of all rooms and modules, one line each, as a fenced block."""
    lines = [line for name in floors() for line in of_folder(PACKAGE / name, 0)]
    width = max(len(name) for name, _ in lines) + 2
    return "".join(["```text\n", *(f"{name:{width}}# {comment}\n" for name, comment in lines), "```\n"])


def floors() -> list[str]:
    """Return the rooms from the lowest floor to the highest one, as pyproject.toml lists them for import-linter."""
    contracts = tomllib.loads(Path("pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    return [name.strip() for layer in reversed(layers) for name in layer.split("|")]


def of_folder(folder: Path, depth: int) -> Iterator[tuple[str, str]]:
    """Yield the indented name and the comment of a package, then of everything in it."""
    yield f"{'  ' * depth}{folder.name}/", shortened(sentence(folder / "__init__.py"))
    for path in sorted(folder.iterdir()):
        if (path / "__init__.py").is_file():
            yield from of_folder(path, depth + 1)
        elif path.suffix == ".py" and path.name != "__init__.py":
            yield f"{'  ' * (depth + 1)}{path.name}", shortened(sentence(path))


def sentence(path: Path) -> str:
    """Return the first sentence of a module's docstring, in one line."""
    documentation = ast.get_docstring(ast.parse(path.read_text()))
    if not documentation:
        raise InputError(f"{path}: the docstring is missing; expected one sentence about the module")
    return re.split(r"(?<=[.])\s(?=[A-Z`])", " ".join(documentation.split()), maxsplit=1)[0]


def shortened(text: str) -> str:
    """Return a sentence without its full stop and its sources; of a long one, return the first clause only."""
    text = re.sub(r" \([^)]{15,}\)", "", text).removesuffix(".")
    if len(text) > LONGEST:
        head = re.split("[:;] ", text, maxsplit=1)[0]
        text = head if len(head.split()) > 2 else text
    if len(text) > LONGEST:
        head = text.split(", ")[0]
        text = head if len(head.split()) > 3 else text
    return text


if __name__ == "__main__":
    script(main, sys.argv[1:])
