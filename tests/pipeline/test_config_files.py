"""Tests of nasmake.pipeline.config_files."""

import pytest
from nasmake.config import load
from nasmake.core.errors import InputError
from nasmake.pipeline.config_files import places_of, with_place

BASE = "run: a\nnas:\n  seed: 1\nsupernet: {batch_size: 8}\ninitial_lr: 0.1\noptimize:\n  parameters: []\n"


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    paths = [tmp_path / "base.yaml", tmp_path / "over.yaml", tmp_path / "last.json"]
    for path, text in zip(paths, (BASE, "nas: {seed: 2}\n", '{"nas": {"num_epochs_retrain": 3}}'), strict=True):
        path.write_text(text)
    return paths


def test_place_of_a_key_is_the_last_file_that_has_it(files):
    places = places_of(files)
    assert places["nas.seed"] == "over.yaml, line 1"
    assert (places["supernet.batch_size"], places["supernet.lr"]) == ("base.yaml, line 4", "base.yaml, line 5")


@pytest.mark.parametrize(
    ("raw", "end"),
    [
        ({"nas": {"seed": -1}}, "expected 0 or more (over.yaml, line 1)"),
        ({"supernet": {"batch_size": 0}}, "expected 1 or more (base.yaml, line 4)"),
        ({"initial_lr": 0}, "expected more than 0 (base.yaml, line 5)"),
        ({"optimize": {"parameters": [{"name": 7}]}}, "expected a value (base.yaml, line 7)"),
        ({"nas": {"type": "x"}}, "expected separate or simultaneous"),  # in no file
        ({"run": "/"}, "not beginning with . or -"),  # typed behind --config
    ],
)
def test_error_of_a_key_ends_with_its_place(files, raw, end):
    with pytest.raises(InputError) as error:
        load({"optimize": {"trial_number": 1}} | raw)
    assert with_place(error.value, places_of(files), {"run": "/"}).endswith(end)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("over.yaml", b"run: 010\n", "over.yaml: line 1: 010 is not read as written in YAML"),
        ("over.yaml", b"run: b\nrun: c\n", "over.yaml: line 2: key run stands twice, first in line 1"),
        ("over.yaml", b"run: 2026-01-01\n", "over.yaml: line 1: 2026-01-01 is a date in YAML"),
        ("over.yaml", b"run: caf\xe9\n", "over.yaml: line 1: not UTF-8"),
        ("over.yaml", b"- run\n", "over.yaml: content is no mapping"),
        ("last.json", b'{"run": "b", "run": "c"}', "last.json: not JSON (key run stands twice)"),
    ],
)
def test_file_that_snakemake_would_read_otherwise_is_refused(files, name, content, message):
    files[0].with_name(name).write_bytes(content)
    with pytest.raises(InputError) as error:
        places_of(files)
    assert str(error.value).startswith(message)
