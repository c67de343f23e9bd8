"""The worked example of config/README.md, run from the very text of its fenced blocks."""

import json
import re
import subprocess

import pytest
import small_data
from conftest import ENVIRONMENT, ROOT
from nasmake.search_spaces.space_file import CHOICES, PER_BLOCK, SETTINGS

TEXT = (ROOT / "config/README.md").read_text()
CHAPTER = TEXT[TEXT.index("## Use your own search space and your own data set") :]
FILES = dict(re.findall(r"`([\w/]+\.yaml)`:\n\n```yaml\n(.*?)```", CHAPTER, re.DOTALL))
MINE, CHAIN, STUDY = (
    "my_spaces/config_mine_image_folder.yaml",
    "my_spaces/config_chain_image_folder.yaml",
    "my_study.yaml",
)
LOOK, RUN, OTHER = re.findall(r"```sh\n(.*?)```", CHAPTER, re.DOTALL)
ERRORS = re.findall(r"^    (error: .*)$", CHAPTER, re.MULTILINE)


@pytest.fixture
def followed(checkout):
    """A checkout where the reader has made the images and the files."""
    small_data.write_image_folder(checkout.folder / "photos", per_class=40, test_per_class=10)
    for name, content in FILES.items():
        (checkout.folder / name).parent.mkdir(exist_ok=True)
        (checkout.folder / name).write_text(content)
    return checkout


def typed(checkout, commands):
    """What a shell prints for them."""
    shell = ["bash", "-e", "-c", commands]
    finished = subprocess.run(shell, cwd=checkout.folder, env=ENVIRONMENT, capture_output=True, text=True)
    assert finished.returncode == 0, finished.stdout[-4000:] + finished.stderr[-4000:]
    return finished.stdout


def test_files_are_found_and_nothing_else_is_there():
    assert {*FILES} == {MINE, CHAIN, STUDY}


def test_look_at_the_space(followed):
    output = typed(followed, LOOK)
    shown = "\n".join(f"    {line}" for line in output.splitlines()[:5])
    assert f"\n\n{shown}\n\n" in CHAPTER


@pytest.mark.slow
def test_from_images_to_a_tested_network(followed):
    output = typed(followed, RUN)
    best = json.loads((followed.folder / "results/first_look/study/best.json").read_text())
    assert best["test_n"] == 30
    assert best["trial"] in (0, 1) and best["macs"] <= 10_000_000
    assert f"{best['test_accuracy']:.4f}" in output
    assert (followed.folder / "photos/image_folder/manifest.json").is_file()
    assert "train_supernet" in typed(followed, OTHER)


@pytest.mark.parametrize(
    ("right", "wrong", "error"),
    [
        ("se_ratio:", "se_ratios:", ERRORS[0]),
        ("SepConv, MBConv]]", "SepConv, MBconv]]", ERRORS[1]),
    ],
    ids=["key", "value"],
)
def test_mistakes_in_the_space_file(followed, right, wrong, error):
    text = FILES[MINE]
    assert text.count(right) == 1
    (followed.folder / MINE).write_text(text.replace(right, wrong))
    code, output = followed.run("-n", "--configfile", STUDY, check=False)
    assert code != 0 and "Traceback" not in output
    assert [line for line in output.splitlines() if line.startswith("error: ")] == [error]


@pytest.mark.parametrize("key", [*PER_BLOCK, *CHOICES, *SETTINGS])
def test_every_key_is_explained(key):
    assert re.search(rf"^\| `{key}` \|", CHAPTER, re.MULTILINE)
