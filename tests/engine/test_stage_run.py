"""The frame of a stage: the search space fits the data set, and the display is read word by word."""

from dataclasses import replace

import pytest
import torch
from nasmake.core.errors import InputError
from nasmake.core.files import read_json, write_json
from nasmake.data.manifest import sealed
from nasmake.engine import stage_run
from nasmake.engine.device import Runtime
from nasmake.engine.resume import ResumeFolder
from nasmake.engine.splits import Splits
from nasmake.engine.stage_run import StageRun
from small_jobs import make_job


def stage_of(job, unit, digits):
    splits = Splits.open(digits, job.settings, torch.device("cpu"))
    return StageRun(job, Runtime(torch.device("cpu"), "cpu", "CPU"), splits, ResumeFolder(unit))


def test_space_with_another_number_of_classes_is_one_line(tmp_path, digits):
    for file in digits.iterdir():
        (tmp_path / file.name).symlink_to(file)
    (tmp_path / "manifest.json").unlink()
    manifest = read_json(digits / "manifest.json")
    write_json(tmp_path / "manifest.json", sealed(manifest | {"classes": manifest["classes"][:9]}))
    run = stage_of(make_job("train_supernet", tmp_path, tmp_path), tmp_path, tmp_path)
    with pytest.raises(InputError) as error:
        run.space()
    text = "nas.search_space: proxyless_digits: settings.class_num is 10; expected 9, the number of classes of data set"
    assert str(error.value).startswith(text) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    "display, words, has_logger",
    [
        ("lines", {"lines"}, False),
        ("bar+summary", {"bar", "summary"}, False),
        ("bar+tensorboard", {"bar", "tensorboard"}, True),
        ("tensorboards", {"tensorboards"}, False),
    ],
)
def test_display_is_read_word_by_word(tmp_path, digits, monkeypatch, display, words, has_logger):
    received = {}
    monkeypatch.setattr(stage_run, "fit", lambda *_, **options: received.update(options) or [])
    monkeypatch.setattr(stage_run, "tensorboard", lambda folder, name: (folder, name))
    job = replace(make_job("train_supernet", tmp_path, digits), display=display)
    assert stage_of(job, tmp_path, digits).fit(None, range(1), 1) == []
    assert received["display"] == words
    assert received["logger"] == ((tmp_path / "tensorboard", "train_supernet") if has_logger else None)
