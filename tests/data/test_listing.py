"""Tests of nasmake.data.preparing.listing: which changes of an image folder are noticed, and how they are described."""

import os
import shutil

import pytest
from nasmake.core.errors import InputError
from nasmake.data.prepared import Prepared
from nasmake.data.preparing.listing import LISTING, Listing
from nasmake.data.preparing.prepare import prepare
from small_data import write_image_folder

IMAGE = "train/bee/000.png"


def add_class(path):
    write_image_folder(path, classes=["dog"], per_class=2, test_per_class=1)


def add_image(path):
    shutil.copy(path / IMAGE, path / "train/bee/new.png")


def remove_image(path):
    (path / IMAGE).unlink()


def remove_class(path):
    shutil.rmtree(path / "train/bee")
    shutil.rmtree(path / "test/bee")


def replace_image(path):
    shutil.copy(path / "train/cat/001.png", path / IMAGE)


def relabel_image(path):
    (path / IMAGE).rename(path / "train/cat/moved.png")


def touch_image(path):
    os.utime(path / IMAGE, (1, 1))


CHANGES = {
    add_class: "1 class added (dog), 3 images added",
    add_image: "1 image added",
    remove_image: "1 image removed",
    remove_class: "1 class removed (bee), 4 images removed",
    replace_image: "1 image changed",
    relabel_image: "1 image added, 1 image removed",
    touch_image: "1 image changed",
}


@pytest.fixture
def photos(tmp_path):
    write_image_folder(tmp_path / "photos", per_class=3, test_per_class=1)
    return tmp_path / "photos"


@pytest.mark.parametrize(("change", "phrase"), CHANGES.items(), ids=lambda value: getattr(value, "__name__", ""))
def test_change_is_noticed_and_described(photos, change, phrase):
    before = Listing.of("image_folder", photos)
    assert Listing.of("image_folder", photos) == before
    change(photos)
    after = Listing.of("image_folder", photos)
    assert after.digest != before.digest and after.changes_since(before) == phrase


@pytest.mark.parametrize(
    ("change", "phrase"),
    [
        (add_class, "1 class added (dog), 2 class folders added"),
        (add_image, "1 class folder changed"),
        (relabel_image, "2 class folders changed"),
    ],
)
def test_imagenet_is_listed_by_its_class_folders(photos, change, phrase):
    (photos / "test").rename(photos / "val")
    before = Listing.of("imagenet", photos)
    change(photos)
    if change is add_class:
        (photos / "test/dog").rename(photos / "val/dog")
    assert Listing.of("imagenet", photos).changes_since(before) == phrase


def test_other_data_sets_have_no_listing(tmp_path):
    assert Listing.of("digits", tmp_path) is None


def test_listing_lies_in_the_prepared_set(photos):
    (photos / "train" / "bee").rename(photos / "train" / "caf\u00e9 \u732b")
    (photos / "test" / "bee").rename(photos / "test" / "caf\u00e9 \u732b")
    prepare({"name": "image_folder", "path": str(photos), "image_size": 8}, photos / "set")
    assert Listing.read(photos / "set" / LISTING) == Listing.of("image_folder", photos)
    (photos / "set" / LISTING).write_text("1\t2\n")
    assert Listing.read(photos / "set" / LISTING) is None
    assert Listing.read(photos / "nowhere") is None


def test_images_that_changed_after_the_plan_was_made_are_not_prepared(photos):
    told = Listing.of("image_folder", photos).digest
    settings = {"name": "image_folder", "path": str(photos), "image_size": 8, "listing": told}
    add_image(photos)
    with pytest.raises(InputError) as caught:
        prepare(settings, photos / "set")
    assert str(caught.value) == (
        f"dataset.path: {photos} changed while the study ran; expected the images as they were at its start; type: the "
        "same command again"
    )
    assert not (photos / "set").exists()


def test_images_that_change_while_they_are_decoded_are_not_prepared(photos, monkeypatch):
    from nasmake.data.preparing import decode

    decode_all = decode.decode_all

    def and_change(*arguments):
        images = decode_all(*arguments)
        touch_image(photos)
        return images

    monkeypatch.setattr(decode, "decode_all", and_change)
    with pytest.raises(InputError, match="changed while the study ran"):
        prepare({"name": "image_folder", "path": str(photos), "image_size": 8}, photos / "set")
    assert not (photos / "set").exists()


def test_imagenet_that_is_prepared_elsewhere_knows_where_its_images_lie(photos, tmp_path):
    (photos / "test").rename(photos / "val")
    settings = {"name": "imagenet", "path": str(photos), "image_size": 8}
    for folder in (photos / "set", tmp_path / "elsewhere" / "set"):
        prepare(settings, folder)
        prepared = Prepared.open(folder)
        assert (prepared.root / os.fsdecode(prepared.split("train").images[0])).samefile(photos / "train/apple/000.png")
    moved = tmp_path / "moved"
    photos.rename(moved)
    assert Prepared.open(moved / "set").root == moved
    prepare(settings | {"path": str(moved)}, tmp_path / "elsewhere" / "set")
    assert Prepared.open(tmp_path / "elsewhere" / "set").root == moved
