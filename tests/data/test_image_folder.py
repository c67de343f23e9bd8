"""Tests of nasmake.data.preparing.image_folder and nasmake.data.preparing.decode."""

import errno
import os
import shutil

import numpy as np
import pytest
from nasmake.core.errors import InputError
from nasmake.data.prepared import Prepared
from nasmake.data.preparing.decode import decode
from nasmake.data.preparing.image_folder import check_image_folder
from nasmake.data.preparing.prepare import prepare
from PIL import Image
from small_data import write_image_folder


def make(path, image_size=16):
    prepare({"name": "image_folder", "path": str(path), "image_size": image_size}, path / "image_folder")
    return Prepared.open(path / "image_folder")


def half_and_half(mode="RGB", size=(60, 40)):
    """Left black, right white."""
    image = Image.new("L", size, 0)
    image.paste(255, (size[0] // 2, 0, *size))
    return image.convert(mode)


def test_mixed_modes_and_sizes(tmp_path):
    write_image_folder(tmp_path, per_class=4, test_per_class=2)
    folder = tmp_path / "train" / "bee"
    for mode, ending in [("L", "png"), ("CMYK", "jpg"), ("P", "gif"), ("RGBA", "png"), ("1", "png"), ("LA", "png")]:
        half_and_half(mode).save(folder / f"zz-{mode}.{ending}")
    prepared = make(tmp_path)
    images, labels = prepared.split("train")
    assert prepared.manifest["image_shape"] == [16, 16, 3]
    assert prepared.manifest["train"] == {"count": 18, "per_class": {"apple": 4, "bee": 10, "cat": 4}}
    assert labels.tolist() == [0] * 4 + [1] * 10 + [2] * 4
    added = images[8:14].astype(int)
    assert added[:, :, :6].max() < 20 and added[:, :, 10:].min() > 235
    assert prepared.split("test").labels.tolist() == [0, 0, 1, 1, 2, 2]


def test_shorter_side_is_scaled_and_the_centre_cut_out(tmp_path):
    pixels = np.zeros((40, 80, 3), np.uint8)
    pixels[:, 20:60] = np.arange(40)[:, None, None] * 6  # the square in the middle is a vertical gradient
    Image.fromarray(pixels).save(tmp_path / "wide.png")
    Image.fromarray(pixels.transpose(1, 0, 2)).save(tmp_path / "tall.png")
    wide, tall = (decode(tmp_path / f"{name}.png", 10).astype(int) for name in ("wide", "tall"))
    gradient = (np.arange(10) * 4 + 1.5) * 6
    assert (
        np.abs(wide - gradient[:, None, None])[:, 2:-2].max() <= 4
    )  # at the cut, bicubic weights reach into the black
    assert wide[5].min() > 100
    np.testing.assert_array_equal(wide, tall.transpose(1, 0, 2))


def test_downscaling_is_antialiased(tmp_path):
    checkers = ((np.indices((64, 64)).sum(axis=0) % 2) * 255).astype(np.uint8)
    Image.fromarray(checkers).save(tmp_path / "checkers.png")
    assert np.abs(decode(tmp_path / "checkers.png", 8).astype(int) - 127).max() < 12


def test_exif_orientation(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    half_and_half(size=(40, 40)).save(tmp_path / "turned.png", exif=exif)
    image = decode(tmp_path / "turned.png", 8)
    assert image[:3].max() < 20 and image[5:].min() > 235


def test_sixteen_bit_greys_are_scaled(tmp_path):
    Image.fromarray(np.full((9, 9), 0x80FF, np.uint16)).save(tmp_path / "deep.png")
    assert set(decode(tmp_path / "deep.png", 4).ravel().tolist()) == {0x80}


def test_no_test_part_hidden_and_stray_files(tmp_path):
    write_image_folder(tmp_path, per_class=2, test_per_class=0)
    (tmp_path / "train" / "apple" / ".DS_Store").write_bytes(b"x")
    (tmp_path / "train" / ".cache").mkdir()
    (tmp_path / "train" / "README").write_text("x")
    prepared = make(tmp_path)
    assert prepared.split("test").images.shape == (0, 16, 16, 3)
    assert check_image_folder(tmp_path) == {"train": {"apple": 2, "bee": 2, "cat": 2}, "test": {}}


def test_names_of_folders_may_be_in_another_form_of_unicode(tmp_path):
    write_image_folder(tmp_path, classes=["apple", "cafe\u0301"], per_class=1, test_per_class=0)
    write_image_folder(tmp_path / "x", classes=["apple", "caf\u00e9"], per_class=1)
    (tmp_path / "x" / "test").rename(tmp_path / "test")
    (tmp_path / "train" / "lost+found").mkdir()
    prepared = make(tmp_path)
    assert prepared.manifest["classes"] == ["apple", "caf\u00e9"]
    assert prepared.split("test").labels.tolist() == [0] * 5 + [1] * 5


def test_link_to_nowhere_is_one_line(tmp_path):
    write_image_folder(tmp_path, per_class=1)
    (tmp_path / "train" / "bee" / "link.png").symlink_to(tmp_path / "nowhere")
    with pytest.raises(InputError, match=r"dataset.path: .*link.png cannot be read \(No such file or directory\)"):
        make(tmp_path)


def test_same_bytes_twice(tmp_path):
    write_image_folder(tmp_path, per_class=3)
    first = make(tmp_path).manifest
    shutil.rmtree(tmp_path / "image_folder")
    assert make(tmp_path).manifest["sha256"] == first["sha256"]


def test_unreadable_images_are_named_and_counted(tmp_path):
    write_image_folder(tmp_path, per_class=4)
    truncated = tmp_path / "train" / "bee" / "001.png"
    truncated.write_bytes(truncated.read_bytes()[:300])
    (tmp_path / "test" / "cat" / "notes.txt").write_text("not an image")
    Image.fromarray(np.zeros((5, 5), np.float32)).save(tmp_path / "train" / "cat" / "float.tiff")
    with pytest.raises(InputError) as caught:
        make(tmp_path)
    message = str(caught.value)
    assert message.startswith(f"{truncated}: cannot be read as an image (") and "\n" not in message
    assert "3 unreadable image(s) in all" in message
    assert not (tmp_path / "image_folder").exists()


@pytest.mark.parametrize("factor", [0.6, 3])  # PIL warns above its limit, and raises above twice its limit
def test_decompression_bomb_is_refused(tmp_path, monkeypatch, factor):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", int(40 * 40 / 2 / factor))
    half_and_half(size=(40, 40)).save(tmp_path / "bomb.png")
    with pytest.raises((Image.DecompressionBombWarning, Image.DecompressionBombError)):
        decode(tmp_path / "bomb.png", 8)


@pytest.mark.parametrize("check", [check_image_folder, make])
class TestLayout:
    def test_no_train_folder(self, tmp_path, check):
        with pytest.raises(InputError, match=r"dataset.path: .*/train is no folder; put the images"):
            check(tmp_path)

    def test_single_class(self, tmp_path, check):
        write_image_folder(tmp_path, classes=["cat"], per_class=1)
        with pytest.raises(InputError, match=r"train has 1 class folder\(s\); expected at least 2"):
            check(tmp_path)

    def test_class_that_only_the_test_part_has(self, tmp_path, check):
        write_image_folder(tmp_path, per_class=1)
        (tmp_path / "test" / "bee").rename(tmp_path / "test" / "wasp")
        with pytest.raises(InputError, match=r"test/wasp is a class that .*train does not have; expected apple, bee"):
            check(tmp_path)

    @pytest.mark.parametrize("part", ["train", "test"])
    def test_empty_class_folder(self, tmp_path, check, part):
        write_image_folder(tmp_path, per_class=1, test_per_class=1)
        (tmp_path / part / "bee" / "000.png").rename(tmp_path / part / "bee" / ".hidden.png")
        with pytest.raises(InputError, match=rf"the class folder .*/{part}/bee is empty"):
            check(tmp_path)

    def test_class_in_two_forms_of_unicode(self, tmp_path, check):
        write_image_folder(tmp_path, classes=["caf\u00e9", "cafe\u0301"], per_class=1)
        with pytest.raises(InputError, match=r"train has the class caf\u00e9 twice"):
            check(tmp_path)

    @pytest.mark.parametrize("name", [b"b\xe9e", b"new\nline", b"\x1b[31m"])
    @pytest.mark.parametrize("place", [b"train", b"test/bee"])
    def test_name_that_is_no_text(self, tmp_path, check, name, place):
        write_image_folder(tmp_path, per_class=1, test_per_class=1)
        shutil.copyfile(tmp_path / "test" / "bee" / "000.png", os.fsencode(tmp_path) + b"/test/bee/" + name)
        if place == b"train":
            os.renames(os.fsencode(tmp_path) + b"/test/bee/" + name, os.fsencode(tmp_path) + b"/train/" + name + b"/a")
        with pytest.raises(InputError, match="with control characters or with bytes that are not UTF-8") as caught:
            check(tmp_path)
        assert str(caught.value).isprintable()

    def test_folder_that_cannot_be_read(self, tmp_path, check, monkeypatch):
        write_image_folder(tmp_path, per_class=1)
        scandir = os.scandir

        def refuse(path):
            if str(path).endswith("bee"):
                raise PermissionError(errno.EACCES, "Permission denied")
            return scandir(path)

        monkeypatch.setattr(os, "scandir", refuse)
        with pytest.raises(InputError, match=r"/train/bee cannot be read \(Permission denied\); change"):
            check(tmp_path)

    def test_folder_among_images(self, tmp_path, check):
        write_image_folder(tmp_path, per_class=1)
        (tmp_path / "train" / "bee" / "more").mkdir()
        with pytest.raises(InputError, match=r"train/bee/more is a folder among images"):
            check(tmp_path)


def test_image_size_is_needed(tmp_path):
    write_image_folder(tmp_path, per_class=1)
    with pytest.raises(InputError, match=r"dataset.image_size is null; expected a number"):
        make(tmp_path, image_size=None)
