"""No text of a configuration reaches a shell unquoted, whatever characters it has.

Snakemake plans each study twice, with plain and with hostile values. The shell commands must have the same words, but
for the values in them. Then bash runs the hostile commands, with a function `python` that prints its arguments.
"""

import json
import os
import re
import shlex
import shutil
import subprocess

import pytest
from nasmake.config import load
from nasmake.core.errors import InputError
from nasmake.core.files import sha256_of, write_json
from nasmake.pipeline.controller import prologue
from small_spaces import latency_file, shipped
from studies import write_config

HOSTILE = 'it\'s "a" $(touch pwned)`touch pwned`; touch pwned & | > pwned * ? [!x] ~ # \\ $HOME %s ü'
PLAIN = "plain"
URL = "file:///data/{}/cifar-10-python.tar.gz"
DIGEST = re.compile(r"\b[0-9a-f]{16,64}\b")  # of text with a value in it
SPACE = shipped("proxyless_digits")
SPLIT = {"dataset.name": "digits", "dataset.num_data_architecture_search": 600, "dataset.num_search_classes": None}


def search(value):
    """Return a study that names a folder or a file by the value wherever a search can."""
    return {
        "dataset": {"path": value, "retrain": {"train": f"{value}/a", "test": f"{value}/b"}},
        "environment": {"result_dir": value},
        "nas": {"search_space_config_path": f"spaces {value}", "supernet": f"other {value}/shared"},
        "search": {"constraint": {"latency_ms": 1e6}},
        "latency": {"table": f"tables {value}"},
        "ABCI": {"group": value, "job_script_preamble": value, "job_execution_options": value},
    }


def network(value):
    """Return a study of a given network, whose data set is downloaded from a mirror."""
    return {
        "dataset": {"name": "cifar10", "path": value, "url": URL.format(value), "sha256": "0" * 64},
        "environment": {"result_dir": value},
        "nas": {"architecture": f"{value}.json"},
        "optimize": {"trial_number": 1, "parameters": []},
        "promote": {"top": 1},
        "final": {"baseline": False},
    }


def write_files(folder, value):
    """Write the files that the two studies name."""
    (folder / f"spaces {value}").mkdir()
    name = "config_proxyless_digits.yaml"
    shutil.copy(folder / "config/search_spaces" / name, folder / f"spaces {value}" / name)
    shutil.copy(folder / "config/architectures/mobilenet_v2.json", folder / f"{value}.json")
    write_json(folder / f"tables {value}", latency_file(SPACE, 1, 8))
    space = {"name": SPACE.name, "hash": SPACE.hash}
    record = {"state": "COMPLETE", "search_space": space, "split": SPLIT | {"nas.seed": 42}}
    weights = folder / f"other {value}/shared/supernet.safetensors"
    weights.parent.mkdir(parents=True)
    weights.write_bytes(b"weights")
    write_json(weights.with_suffix(".json"), record | {"weights": sha256_of(weights)})


def commands(checkout, study):
    """Return the shell commands of a plan, by the rule or, for a job of a trial, the rule and the trial."""
    plan = checkout.run("-n", "-p", "--configfile", write_config(checkout.folder, study))
    blocks = re.split(r"^(?:local)?(?:rule|checkpoint) ", plan, flags=re.MULTILINE)[1:]
    found = {}
    for block in blocks:
        command = re.search(r"^ *Shell command: (?!None$)(.*)$", block, re.MULTILINE)
        trial = re.search(r"wildcards: (.*)$", block, re.MULTILINE)
        if command:
            found[f"{block.partition(':')[0]} {trial[1] if trial else ''}"] = command[1]
    return found


def normal(word, value):
    """Return a word, or a part of a JSON word, with the value replaced by a mark, and without digests."""
    if isinstance(word, dict):
        return {key: normal(entry, value) for key, entry in word.items()}
    if isinstance(word, list):
        return [normal(entry, value) for entry in word]
    if not isinstance(word, str):
        return word
    if word.startswith("{"):
        return normal(json.loads(word), value)
    return DIGEST.sub("<digest>", word.replace(value, "<value>"))


def run_with_bash(command, folder):
    """Run a command where `python` prints its arguments to its log; returns the words and the file of the log."""
    words = shlex.split(command)
    end = words.index(">")
    log = folder / words[end + 1]
    log.parent.mkdir(parents=True, exist_ok=True)
    stub = "python() { printf '%s\\0' \"$@\"; }; "
    done = subprocess.run(["bash", "-c", stub + command], cwd=folder, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert log.read_text().split("\0")[:-1] == words[1:end]
    return log


@pytest.mark.parametrize("study", [search, network])
def test_every_value_stays_within_its_word(checkout, tmp_path, study):
    for value in (PLAIN, HOSTILE):
        write_files(checkout.folder, value)
    plain, hostile = (commands(checkout, study(value)) for value in (PLAIN, HOSTILE))
    assert plain.keys() == hostile.keys() and len(plain) >= 5
    for job, command in hostile.items():
        expected = [normal(word, PLAIN) for word in shlex.split(plain[job])]
        assert [normal(word, HOSTILE) for word in shlex.split(command)] == expected, job
        assert HOSTILE in shlex.split(command)[-2], "every job has a log in the folder of results"
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    logs = {run_with_bash(command, scratch) for command in hostile.values()}
    assert {path for path in scratch.rglob("*") if path.is_file()} == logs
    assert [*checkout.folder.rglob("pwned*")] == []


def test_preamble_is_found_by_its_name(tmp_path):
    """The first line of every cluster job reads this file."""
    preamble = tmp_path / f"{HOSTILE}.sh"
    preamble.write_text("MODULE=loaded\n")
    script = prologue(str(preamble), tmp_path / HOSTILE / "bin/python").replace("{{", "{").replace("}}", "}")
    show = script + 'printf "%s\\n" "$MODULE" "$PATH"'
    shown = subprocess.run(["bash", "-c", show], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True)
    module, path = shown.stdout.splitlines()
    assert module == "loaded" and path.startswith(f"{tmp_path}/{HOSTILE}/bin:")
    assert [*tmp_path.iterdir()] == [preamble]


def test_group_is_one_argument_of_qsub(site):
    site.workflow("rule a:\n    output: 'a.txt'\n    shell: 'touch {output}'\n")
    status, printed = site.run(project=HOSTILE)
    assert status == 0, printed
    (arguments,) = site.calls("qsub")
    assert arguments[arguments.index("-P") + 1] == os.path.expandvars(HOSTILE)  # a profile may name a variable
    assert [*site.folder.rglob("pwned*")] == []


REFUSED = ("a\nb", "a\rb", "{wildcard}", "a}", "\x1b[31m", "", " ")
PATHS = (
    *("dataset.path", "dataset.retrain.train", "dataset.retrain.test", "environment.result_dir"),
    *("nas.search_space_config_path", "nas.supernet", "latency.table", "ABCI.job_script_preamble"),
)


@pytest.mark.parametrize("key", PATHS)
@pytest.mark.parametrize("value", REFUSED, ids=ascii)
def test_lines_and_braces_are_refused_in_paths(key, value):
    """Snakemake would take braces for wildcards, and a line break would end the line of a log."""
    overlay = value
    for name in reversed(key.split(".")):
        overlay = {name: overlay}
    with pytest.raises(InputError) as error:
        load(overlay)
    assert f" {key} is " in str(error.value) and str(error.value).isprintable()


@pytest.mark.parametrize("value", ["a b", "$(touch x)", "a;b", "`x`", "a/b", "..", "-n", "it's", "a\nb", "{x}", ""])
def test_name_of_a_run_has_plain_characters(value):
    with pytest.raises(InputError, match="run is ") as error:
        load({"run": value})
    assert str(error.value).isprintable()
