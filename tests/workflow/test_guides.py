"""The examples of config/guides, run from the text of their fenced blocks."""

import json
import re
import subprocess

import pytest
import small_data
from conftest import ENVIRONMENT, ROOT
from nasmake.search_spaces.space_file import CHOICES, PER_BLOCK, SETTINGS

FILE = r"`([\w/]+\.yaml)`:\n\n```yaml\n(.*?)```"
GUIDES = ROOT / "config" / "guides"
CHAPTER = (GUIDES / "add_a_space.md").read_text()
FILES = dict(re.findall(FILE, CHAPTER, re.DOTALL))
IMAGES = (GUIDES / "your_images.md").read_text()
IMAGE_FILES = dict(re.findall(FILE, IMAGES, re.DOTALL))
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
    for name, content in (FILES | IMAGE_FILES).items():
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
    assert {*IMAGE_FILES} == {"my_images.yaml"}


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
    assert len(list(followed.folder.glob("photos/image_folder-*/manifest.json"))) == 1
    assert "train_supernet" in typed(followed, OTHER)


@pytest.mark.slow
def test_your_images_in_a_shipped_space(followed):
    run, use = re.findall(r"```sh\n(.*?)```", IMAGES, re.DOTALL)
    output = typed(followed, run)
    best = json.loads((followed.folder / "results/my_images/study/best.json").read_text())
    assert (best["test_n"], best["trial"]) == (30, 0)
    assert f"{best['test_accuracy']:.4f}" in output
    lines = typed(followed, use).splitlines()
    assert lines[0] == "network: results/my_images/best" and len(lines) == 1 + 10
    assert all(line.startswith("photos/test/bee/") and ": " in line for line in lines[1:])


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
