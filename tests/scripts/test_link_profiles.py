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
def place(tmp_path):
    (tmp_path / "config").mkdir()
    return tmp_path / "config" / "abci"


def checkout(folder):
    """A checkout of nasmake, as far as links care; returns its profile."""
    (folder / "workflow" / "nasmake").mkdir(parents=True)
    (folder / "profiles" / "abci").mkdir(parents=True)
    return folder / "profiles" / "abci"


def test_new_link_is_made_and_said(link, place, profile, capsys):
    link(place, profile)
    assert place.readlink() == profile
    assert capsys.readouterr().out == f"{place} -> {profile}\n"


def test_right_link_is_left_alone_in_silence(link, place, profile, capsys):
    place.symlink_to(profile)
    link(place, profile)
    assert place.readlink() == profile and capsys.readouterr().out == ""


@pytest.mark.parametrize("is_removed", [False, True])
def test_link_to_another_checkout_is_pointed_here_and_said(link, place, profile, tmp_path, capsys, is_removed):
    other = tmp_path / "gone" / "profiles" / "abci" if is_removed else checkout(tmp_path / "other")
    place.symlink_to(other)
    link(place, profile)
    assert place.readlink() == profile
    assert capsys.readouterr().out == f"{place}: pointed to {other}, now to {profile}\n"


def refused(link, place, profile):
    with pytest.raises(InputError) as error:
        link(place, profile)
    text = str(error.value)
    assert text.startswith(f"{place}: is not a link of nasmake") and "\n" not in text


def test_folder_or_file_in_the_way_is_an_error(link, place, profile):
    place.mkdir()
    refused(link, place, profile)
    place.rmdir()
    place.write_text("mine")
    refused(link, place, profile)
    assert place.read_text() == "mine"


@pytest.mark.parametrize("relative", [False, True])
def test_link_to_something_else_is_an_error(link, place, profile, tmp_path, relative, monkeypatch):
    """Also where it is relative to its own folder, which is not the one that make runs in."""
    monkeypatch.chdir(tmp_path / "here" / "profiles")
    target = tmp_path / "dotfiles" / "profiles" / "abci"
    target.mkdir(parents=True)
    place.symlink_to(Path("../dotfiles/profiles/abci") if relative else target)
    refused(link, place, profile)
    assert place.resolve() == target


def test_link_to_nowhere_that_was_never_ours_is_an_error(link, place, profile, tmp_path):
    place.symlink_to(tmp_path / "nowhere")
    refused(link, place, profile)
    assert place.is_symlink()


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
