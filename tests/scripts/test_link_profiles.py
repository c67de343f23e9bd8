"""Links to the profiles in the user's Snakemake folder."""

import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from nasmake.core.errors import InputError

SCRIPT = Path(__file__).parents[2] / "scripts" / "link_profiles.py"
NAMES = runpy.run_path(str(SCRIPT))["PROFILES"]


@pytest.fixture
def link():
    return runpy.run_path(str(SCRIPT))["link"]


@pytest.fixture
def profile(tmp_path):
    return checkout(tmp_path / "here")


@pytest.fixture
def path(tmp_path):
    (tmp_path / "config").mkdir()
    return tmp_path / "config" / "abci"


def checkout(folder):
    """Make the folders by which a checkout of nasmake is recognised, and return its profile."""
    (folder / "workflow" / "nasmake").mkdir(parents=True)
    (folder / "profiles" / "abci").mkdir(parents=True)
    return folder / "profiles" / "abci"


def test_new_link_is_made_and_printed(link, path, profile, capsys):
    link(path, profile)
    assert path.readlink() == profile
    assert capsys.readouterr().out == f"{path} -> {profile}\n"


def test_right_link_stays_without_a_message(link, path, profile, capsys):
    path.symlink_to(profile)
    link(path, profile)
    assert path.readlink() == profile and capsys.readouterr().out == ""


@pytest.mark.parametrize("is_removed", [False, True])
def test_link_to_another_checkout_is_replaced_with_a_message(link, path, profile, tmp_path, capsys, is_removed):
    other = tmp_path / "gone" / "profiles" / "abci" if is_removed else checkout(tmp_path / "other")
    path.symlink_to(other)
    link(path, profile)
    assert path.readlink() == profile
    assert capsys.readouterr().out == f"{path}: pointed to {other}, now to {profile}\n"


def refused(link, path, profile):
    with pytest.raises(InputError) as error:
        link(path, profile)
    text = str(error.value)
    assert text.startswith(f"{path}: is not a link of nasmake") and "\n" not in text


def test_folder_or_file_in_the_way_is_an_error(link, path, profile):
    path.mkdir()
    refused(link, path, profile)
    path.rmdir()
    path.write_text("mine")
    refused(link, path, profile)
    assert path.read_text() == "mine"


@pytest.mark.parametrize("relative", [False, True])
def test_link_to_something_else_is_an_error(link, path, profile, tmp_path, relative, monkeypatch):
    """A relative link starts at the folder of the link, which is not the working directory."""
    monkeypatch.chdir(tmp_path / "here" / "profiles")
    target = tmp_path / "dotfiles" / "profiles" / "abci"
    target.mkdir(parents=True)
    path.symlink_to(Path("../dotfiles/profiles/abci") if relative else target)
    refused(link, path, profile)
    assert path.resolve() == target


def test_broken_link_to_another_program_is_an_error(link, path, profile, tmp_path):
    path.symlink_to(tmp_path / "nowhere")
    refused(link, path, profile)
    assert path.is_symlink()


def test_script_links_all_profiles_into_the_users_folder(tmp_path):
    environment = os.environ | {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path / "config")}

    def run():
        return subprocess.run(
            [sys.executable, str(SCRIPT)], env=environment, capture_output=True, text=True, timeout=120
        )

    first, second = run(), run()
    assert (first.returncode, second.returncode, second.stdout) == (0, 0, "")
    links = {path.name: path.resolve() for path in tmp_path.rglob("*") if path.is_symlink()}
    assert links == {name: SCRIPT.parents[1] / "profiles" / name for name in NAMES}
    assert len(first.stdout.splitlines()) == len(NAMES)
