"""Configurations of studies, and the checks that run before any job."""

from pathlib import Path

import pytest
from nasmake.config import load
from nasmake.core.errors import InputError
from nasmake.pipeline.checks import check
from nasmake.pipeline.inputs import read_search_space

ROOT = Path(__file__).parents[1]


@pytest.fixture
def in_an_empty_folder(tmp_path, monkeypatch):
    """Change to a folder that has only the shipped spaces and architectures, like a fresh checkout."""
    (tmp_path / "config").mkdir()
    for name in ("search_spaces", "architectures"):
        (tmp_path / "config" / name).symlink_to(ROOT / "config" / name)
    monkeypatch.chdir(tmp_path)


def study(**sections):
    return load(
        {"dataset": {"name": "digits", "num_data_architecture_search": 600}, "optimize": {"trial_number": 1}} | sections
    )


def start(config):
    check(config, read_search_space(config))


def error_of(config):
    with pytest.raises(InputError) as error:
        start(config)
    text = str(error.value)
    assert "\n" not in text
    return text
