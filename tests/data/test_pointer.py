"""The file of a run that names a prepared data set."""

import json

import pytest
from nasmake.core.errors import InputError
from nasmake.core.files import digest_of, read_json
from nasmake.data.pointer import read_pointer, write_pointer


def test_folder_is_no_part_of_the_facts(tmp_path, digits):
    manifest = read_json(digits / "manifest.json")
    for name, folder in (("one.json", digits), ("two.json", tmp_path)):
        write_pointer(tmp_path / name, folder, manifest)
    assert digest_of([tmp_path / "one.json"]) == digest_of([tmp_path / "two.json"])
    assert read_pointer(tmp_path / "one.json") == digits == read_pointer(digits / "manifest.json")


def test_another_data_set_in_the_folder_is_refused(tmp_path, digits):
    manifest = read_json(digits / "manifest.json")
    write_pointer(tmp_path / "facts.json", digits, manifest | {"sha256": {}})
    with pytest.raises(InputError, match=r"digits: holds another data set than .*: sha256 differs; type: the same"):
        read_pointer(tmp_path / "facts.json")
    (tmp_path / "facts.json").write_text(json.dumps({"sha256": {}}))
    with pytest.raises(InputError, match=r"provenance\.folder is missing"):
        read_pointer(tmp_path / "facts.json")


@pytest.mark.parametrize("fact", ["classes", "image_shape", "mean", "train"])
def test_every_fact_counts(tmp_path, digits, fact):
    """The arrays of imagenet hold paths, so those of two image sizes are equal."""
    manifest = read_json(digits / "manifest.json")
    write_pointer(tmp_path / "facts.json", digits, manifest | {fact: None})
    with pytest.raises(InputError, match=f"{fact} differs"):
        read_pointer(tmp_path / "facts.json")
