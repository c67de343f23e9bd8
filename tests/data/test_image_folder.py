"""Tests of nasmake.data.preparing.image_folder and nasmake.data.preparing.decode."""

import errno
import os
import shutil

import numpy as np
import pytest
from nasmake.core.errors import InputError
from nasmake.data.prepared import Prepared
from nasmake.data.preparing import decode
from nasmake.data.preparing.decode import depth_of, open_upright
from nasmake.data.preparing.image_folder import UnreadableImagesError, check_image_folder
from nasmake.data.preparing.prepare import prepare
from PIL import Image, ImageOps
from small_data import write_image_folder


def make(path, image_size=16, **settings):
    settings |= {"name": "image_folder", "path": str(path), "image_size": image_size}
    prepare(settings, path / "image_folder")
    return Prepared.open(path / "image_folder")


def decode_all(paths, size, channels=3):
    return decode.decode_all(paths, size, channels)


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


def write_greys(path):
    """Write greys in the modes that have them."""
    for name in ("apple", "bee"):
        (path / "train" / name).mkdir(parents=True)
        for mode in ("1", "L", "LA"):
            half_and_half(mode).save(path / "train" / name / f"{mode}.png")
        write_deep(path / "train" / name / "deep.png", 0x80FF)


def test_greys_stay_one_channel(tmp_path):
    write_greys(tmp_path)
    prepared = make(tmp_path)
    grey, _ = prepared.split("train")
    assert prepared.manifest["image_shape"] == [16, 16, 1] and len(prepared.manifest["mean"]) == 1
    rgb, _ = make(tmp_path, channels=3).split("train")
    np.testing.assert_array_equal(rgb, np.repeat(grey, 3, axis=-1))
    np.testing.assert_array_equal(make(tmp_path, channels=1).split("train").images, grey)


def test_one_picture_with_colours_makes_three_channels(tmp_path):
    write_greys(tmp_path)
    Image.new("RGB", (20, 20), (255, 0, 0)).save(tmp_path / "train" / "bee" / "red.png")
    images, _ = make(tmp_path).split("train")
    assert images[-1, 0, 0].tolist() == [255, 0, 0]
    luma, _ = make(tmp_path, channels=1).split("train")
    assert luma[-1, 0, 0].tolist() == [76]  # .299 * 255


def test_shorter_side_is_scaled_and_the_centre_cut_out(tmp_path):
    pixels = np.zeros((40, 80, 3), np.uint8)
    pixels[:, 20:60] = np.arange(40)[:, None, None] * 6  # the square in the middle is a vertical gradient
    Image.fromarray(pixels).save(tmp_path / "wide.png")
    Image.fromarray(pixels.transpose(1, 0, 2)).save(tmp_path / "tall.png")
    wide, tall = decode_all([tmp_path / f"{name}.png" for name in ("wide", "tall")], 10).astype(int)
    gradient = (np.arange(10) * 4 + 1.5) * 6
    assert (
        np.abs(wide - gradient[:, None, None])[:, 2:-2].max() <= 4
    )  # at the cut, bicubic weights reach into the black
    assert wide[5].min() > 100
    np.testing.assert_array_equal(wide, tall.transpose(1, 0, 2))


def test_downscaling_is_antialiased(tmp_path):
    checkers = ((np.indices((64, 64)).sum(axis=0) % 2) * 255).astype(np.uint8)
    Image.fromarray(checkers).save(tmp_path / "checkers.png")
    assert np.abs(decode_all([tmp_path / "checkers.png"], 8).astype(int) - 127).max() < 12


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    pixels = np.random.default_rng(0).integers(0, 256, (7, 9, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "turned.png", exif=exif)
    with Image.open(tmp_path / "turned.png") as file:
        expected = np.asarray(ImageOps.exif_transpose(file))
    np.testing.assert_array_equal(np.asarray(open_upright(tmp_path / "turned.png")), expected)


@pytest.mark.parametrize(
    "exif", [b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0nonsense", b"Exif\0\0II*\0\x08\0\0\0\x01\0"]
)
def test_bad_exif_does_not_hide_a_good_picture(tmp_path, exif, recwarn):
    half_and_half(size=(40, 40)).save(tmp_path / "photo.jpg", exif=exif, quality=95)
    (image,) = decode_all([tmp_path / "photo.jpg"], 8)
    assert image[:, :3].max() < 20 and image[:, 5:].min() > 235
    assert not recwarn.list


def write_deep(path, values):
    Image.fromarray(np.full((9, 9), 0, np.uint16) + np.asarray(values, np.uint16)).save(path)
    return path


def test_sixteen_bit_greys_are_scaled(tmp_path):
    assert set(decode_all([write_deep(tmp_path / "deep.png", 0x80FF)], 4).ravel().tolist()) == {0x80}


@pytest.mark.parametrize("ending", ["png", "tiff"])
def test_twelve_bit_greys_in_files_of_sixteen_bits_are_scaled(tmp_path, ending, caplog):
    caplog.set_level("INFO")
    paths = [write_deep(tmp_path / f"{value}.{ending}", value) for value in (0, 512, 4095)]
    assert decode_all(paths, 4)[:, 0, 0, 0].tolist() == [0, 32, 255]
    assert caplog.messages == ["greys: 3 files of 16 bits with values up to 4095: read as 12 bits"]
    paths.append(write_deep(tmp_path / f"bright.{ending}", 65535))  # so the others are dark pictures of 16 bits
    assert decode_all(paths, 4)[:, 0, 0, 0].tolist() == [0, 2, 15, 255]


def test_depth_is_the_smallest_that_holds_the_largest_grey():
    assert [depth_of(value) for value in (0, 255, 256, 1023, 4095, 4096, 16384, 65535)] == [
        8,
        8,
        10,
        10,
        12,
        14,
        16,
        16,
    ]


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
    with pytest.raises(InputError, match=r"link.png: cannot be read as an image \(.* No such file or directory"):
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
    report = tmp_path / "image_folder.unreadable.txt"
    assert message.endswith(f"; 3 unreadable image(s), all in {report}; repair or remove them")
    lines = report.read_text().splitlines()
    assert [line.partition(":")[0].rpartition("/")[2] for line in lines] == ["001.png", "float.tiff", "notes.txt"]
    assert not (tmp_path / "image_folder").exists()
    for part, name, file in (("train", "bee", "001.png"), ("test", "cat", "notes.txt"), ("train", "cat", "float.tiff")):
        (tmp_path / part / name / file).unlink()
    make(tmp_path)
    assert not report.exists()


def test_picture_of_99_megapixels_is_read(tmp_path, recwarn):
    half_and_half("L", size=(11_000, 9_000)).save(tmp_path / "large.png")
    (image,) = decode_all([tmp_path / "large.png"], 8)
    assert image[:, :3].max() == 0 and image[:, 5:].min() == 255 and not recwarn.list


def test_decompression_bomb_is_refused(tmp_path, monkeypatch):
    half_and_half(size=(40, 40)).save(tmp_path / "bomb.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 40 * 40 // 2 - 1)  # PIL raises above twice its limit
    with pytest.raises(UnreadableImagesError) as caught:
        decode_all([tmp_path / "bomb.png"], 8)
    assert "decompression bomb" in caught.value.problems[0]


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

    def test_link_to_nowhere_as_class_folder(self, tmp_path, check):
        write_image_folder(tmp_path, per_class=1)
        (tmp_path / "train" / "wasp").symlink_to(tmp_path / "nowhere")
        with pytest.raises(InputError, match=r"train/wasp is a link to a place that does not exist; expected"):
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
