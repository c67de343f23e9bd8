"""Records of jobs, and files that are not as they were written."""

import json

import pytest
from nasmake.core.artefacts import JobFacts, JobRecord, verify
from nasmake.core.errors import InputError


@pytest.fixture
def unit(tmp_path):
    """The folder of a job that has written three artefacts and its record."""
    folder = tmp_path / "shared"
    (folder / "history").mkdir(parents=True)
    (folder / "weights.safetensors").write_bytes(bytes(range(200)))
    (folder / "facts.json").write_text(json.dumps({"state": "COMPLETE", "provenance": {"host": "here"}}))
    (folder / "history/train.csv").write_text("epoch,loss\n1,0.5\n")
    names = ("weights.safetensors", "facts.json", "history/train.csv")
    JobFacts("train", str(folder), "abc", {}, [str(folder / name) for name in names]).record()
    return folder


@pytest.mark.parametrize("name", ["weights.safetensors", "facts.json", "history/train.csv"])
def test_a_flipped_bit_is_noticed(unit, name, monkeypatch):
    path = unit / name
    verify([path])
    content = bytearray(path.read_bytes())
    content[12] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match=rf"{name}: damaged or changed; .* type: rm ") as error:
        verify([path])
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("content", [b"", b"{}", b"epoch"])
def test_empty_or_cut_files_are_noticed(unit, content):
    for name in ("weights.safetensors", "facts.json", "history/train.csv"):
        (unit / name).write_bytes(content)
        with pytest.raises(InputError, match="damaged or changed"):
            verify([unit / name])


def test_provenance_may_differ(unit):
    (unit / "facts.json").write_text(json.dumps({"provenance": {"host": "elsewhere"}, "state": "COMPLETE"}))
    verify([unit / "facts.json"])


def test_missing_file_is_named_and_a_file_without_a_record_is_taken(unit):
    with pytest.raises(InputError, match=r"none\.json: no such file"):
        verify([unit / "none.json"])
    (unit / "other.csv").write_text("by hand")
    verify([unit / "other.csv"])


def test_damaged_record_is_named(unit):
    record = unit / "records/train.json"
    record.write_text(record.read_text().replace('"abc"', '"xyz"'))
    with pytest.raises(InputError, match=r"records/train.json: damaged; .* type: rm "):
        JobRecord.read(unit, "train")


def test_facts_survive_the_command_line(tmp_path):
    results = [f"results/x/trial-{trial:04d}/result.json" for trial in range(30)]
    some = ["results/x/trial-0004/final.json", "results/x/trial-0001/final.json"]
    inputs = {"results": results, "finals": some, "manifest": "results/x/shared/dataset.json"}
    facts = JobFacts("report", "results/x/report", "abc", inputs, ["results/x/report/study.svg"])
    text = json.dumps(facts.to_json())
    again = JobFacts.from_json(json.loads(text))
    assert {name: sorted(paths) for name, paths in again.inputs.items()} == {
        "results": results,
        "finals": sorted(some),
        "manifest": ["results/x/shared/dataset.json"],
    }
    assert len(text) < 400
