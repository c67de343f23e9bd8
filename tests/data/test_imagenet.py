"""Tests of nasmake.data.preparing.imagenet, and of image_files and torchvision_import in nasmake.data.loading.

The random draws depend neither on the number of processes nor on the step at which an epoch is entered.
"""

import os
import random
import resource

import numpy as np
import pytest
import torch
from nasmake.config import load
from nasmake.core.errors import InputError
from nasmake.core.process import PROCESSES, RANK
from nasmake.data.loading import image_files
from nasmake.data.loading.image_files import FileSource, random_window
from nasmake.data.preparing.decode import ORIENTATION, read_window
from nasmake.data.preparing.imagenet import MEAN, STD
from nasmake.data.preparing.prepare import prepare
from nasmake.engine.distributed import share_of_batch
from nasmake.engine.splits import Splits
from PIL import Image

SIZE, WNIDS = 32, [f"n0000000{number}" for number in range(4)]


@pytest.fixture
def folder(tmp_path):
    """Four classes, six and two images of varying size; one greyscale, one CMYK."""
    generator = np.random.default_rng(0)
    for part, count in (("train", 6), ("val", 2)):
        for wnid in WNIDS:
            (tmp_path / part / wnid).mkdir(parents=True)
            for number in range(count):
                pixels = generator.integers(0, 256, (*generator.integers(40, 70, 2), 3)).astype(np.uint8)
                mode = {0: "L", 1: "CMYK"}.get(number, "RGB")
                Image.fromarray(pixels).convert(mode).save(tmp_path / part / wnid / f"{wnid}_{number}.JPEG")
    return tmp_path


def splits(folder, workers=0, **options):
    dataset = {"name": "imagenet", "path": str(folder), "image_size": SIZE, "num_data_architecture_search": 8}
    settings = load({"dataset": dataset, "optimize": {"trial_number": 1}})
    prepare(settings.dataset.model_dump(mode="json"), folder / "imagenet")
    return Splits.open(folder / "imagenet", settings, torch.device("cpu"), workers=workers, **options)


def test_manifest_says_that_images_stay_where_they_are(folder):
    manifest = splits(folder).manifest
    assert manifest["stored"] == "image folders"
    assert (manifest["classes"], manifest["image_shape"]) == (WNIDS, [SIZE, SIZE, 3])
    assert (manifest["train"]["count"], manifest["test"]["count"]) == (24, 8)


def test_val_is_never_in_train_and_test_is_the_official_val(folder):
    known = splits(folder)
    names = {name: set(known.arrays(name)[0].tolist()) for name in ("train", "val", "train+val", "test")}
    assert not names["train"] & names["val"]
    assert names["train"] | names["val"] == names["train+val"]
    assert all(name.startswith(b"val/") for name in names["test"])
    assert np.bincount(known.arrays("val")[1]).tolist() == [2, 2, 2, 2]


def test_batches_do_not_depend_on_the_workers_or_on_where_an_epoch_is_entered(folder):
    alone, helped = (splits(folder, workers).training("train", 4, "retrain", cutout=8) for workers in (0, 2))
    whole = [alone.batch(1, step) for step in range(len(alone))]
    state = torch.get_rng_state()
    for step in (2, 3, 0, 1):
        images, labels = helped.batch(1, step)
        assert torch.equal(images, whole[step][0]) and torch.equal(labels, whole[step][1])
    assert torch.equal(state, torch.get_rng_state())
    assert images.shape == (4, 3, SIZE, SIZE) and images.is_contiguous(memory_format=torch.channels_last)
    assert not torch.equal(alone.batch(0, 0)[0], whole[0][0])
    contiguous = splits(folder, memory_format=torch.contiguous_format).training("train", 4, "retrain", cutout=8)
    assert torch.equal(contiguous.batch(1, 0)[0], whole[0][0]) and contiguous.batch(1, 0)[0].is_contiguous()


@pytest.fixture
def decoded(monkeypatch):
    """The files that this process decodes."""
    paths = []

    def counted(path, *arguments):
        paths.append(path)
        return read_window(path, *arguments)

    monkeypatch.setattr(image_files, "read_window", counted)
    return paths


def test_each_of_several_processes_decodes_its_own_images_only(folder, decoded, monkeypatch):
    source = splits(folder).training("train", 16, "retrain", cutout=8)
    images, labels = source.batch(1, 0)
    for rank in range(8):
        decoded.clear()
        monkeypatch.setenv(RANK, str(rank))
        monkeypatch.setenv(PROCESSES, "8")
        part = share_of_batch(source, 1, 0)
        mine = slice(2 * rank, 2 * rank + 2)
        assert torch.equal(part.images, images[mine]) and torch.equal(part.labels, labels[mine])
        assert (len(decoded), part.share) == (2, 1 / 8)


@pytest.mark.filterwarnings("ignore:This DataLoader will create 8 worker processes")
def test_batch_of_1024_needs_few_open_files(folder):
    Image.new("RGB", (8, 8)).save(folder / "small.JPEG")
    labels, options = torch.zeros(2048, dtype=torch.int64), {"mean": [0.5] * 3, "std": [0.5] * 3}
    source = FileSource(folder, np.array([b"small.JPEG"] * 2048), labels, 1024, (0,), size=8, workers=8, **options)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (1024, hard))
    try:
        assert [source.batch(0, step)[0].shape for step in source] == [(1024, 3, 8, 8)] * 2
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_loader_processes_that_do_not_answer_end_the_job_with_one_line(folder, monkeypatch):
    path = folder / "val" / WNIDS[0] / f"{WNIDS[0]}_0.JPEG"
    path.unlink()
    os.mkfifo(path)  # opening it waits for a writer
    monkeypatch.setattr(image_files, "PATIENCE", 1)
    source = splits(folder, workers=1).evaluation("test", 8)
    with pytest.raises(TimeoutError) as caught:
        source.batch(0, 0)
    assert str(caught.value) == (
        "environment.num_workers is 1: the loader processes gave no batch within 1 s; expected that the images in "
        f"{folder} can be read meanwhile; check this file system"
    )


def test_evaluation_is_the_centre_of_the_resized_image(folder):
    first, second = (splits(folder).evaluation("test", 8).batch(epoch, 0) for epoch in (0, 1))
    assert torch.equal(first[0], second[0]) and first[1].tolist() == [0, 0, 1, 1, 2, 2, 3, 3]


@pytest.mark.parametrize("orientation", [1, 6])
def test_window_of_a_reduced_or_turned_file_is_that_of_the_whole_image(tmp_path, orientation):
    rows, columns = np.mgrid[:300, :400]
    picture = Image.fromarray(np.stack([rows * 0.8, columns * 0.6, (rows + columns) * 0.3], axis=2).astype(np.uint8))
    stored = picture if orientation == 1 else picture.transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    stored.save(tmp_path / "image.jpg", quality=95, exif=exif)
    found = np.asarray(read_window(tmp_path / "image.jpg", 32, lambda width, height: (40, 30, 320, 270)), np.float32)
    expected = np.asarray(picture.crop((40, 30, 320, 270)).resize((32, 32), Image.Resampling.BILINEAR), np.float32)
    assert np.abs(found - expected).max() < 4


@pytest.mark.parametrize(("width", "height"), [(500, 375), (40, 900)])
def test_random_windows_have_torchvisions_sizes(width, height):
    windows = [random_window(random.Random(number), width, height) for number in range(200)]
    for left, top, right, bottom in windows:
        assert 0 <= left < right <= width and 0 <= top < bottom <= height
        assert 0.7 < (right - left) / (bottom - top) < 1.4
    areas = [(right - left) * (bottom - top) / (width * height) for left, top, right, bottom in windows]
    assert np.mean(areas) == pytest.approx(0.45, abs=0.08) if width > height else max(areas) < 0.08  # the central one


def test_val_and_recalibration_images_are_decoded_once(folder, decoded, capsys):
    paths, _ = splits(folder).arrays("val")
    files = FileSource(folder, paths, torch.zeros(8, dtype=torch.int64), 8, (0,), size=SIZE, mean=MEAN, std=STD)
    expected = files.batch(0, 0)[0]
    decoded.clear()
    first = read_again(splits(folder))
    assert torch.equal(first[0], expected) and first[1].shape == (4, 3, SIZE, SIZE)
    assert len(decoded) == 8 + 4
    for images, again in zip(first, read_again(splits(folder)), strict=True):
        assert torch.equal(images, again)
    assert len(decoded) == 8 + 4 and capsys.readouterr().out.count("decoded once, and kept in") == 2
    for kept in (folder / "imagenet" / ".decoded").glob("*.uint8"):
        kept.write_bytes(bytes(kept.stat().st_size))  # is damaged, so the images are decoded again
    assert torch.equal(read_again(splits(folder))[0], first[0]) and len(decoded) == 2 * (8 + 4)


def read_again(opened):
    """The val images, and those for recalibration."""
    return [source.batch(1, 0)[0] for source in (opened.evaluation("val", 8), opened.recalibration(4, "search", 3))]


@pytest.mark.parametrize("workers", [0, 1])
def test_truncated_image_is_named_in_one_line(folder, workers):
    path = folder / "val" / WNIDS[2] / f"{WNIDS[2]}_1.JPEG"
    path.write_bytes(path.read_bytes()[:300])
    source = splits(folder, workers).evaluation("test", 8)
    with pytest.raises(InputError, match=f"{path.name}: cannot be read as an image") as caught:
        source.batch(0, 0)
    assert "\n" not in str(caught.value)
