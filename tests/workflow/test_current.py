"""What is made again, and what is not: records decide, whatever times and Snakemake's own notes say."""

import base64
import json
import os
import shutil
import time

import pytest
from conftest import make_checkout
from nasmake.core.artefacts import verify
from nasmake.core.errors import InputError
from studies import artefacts, write_config
from test_dag import job_counts

pytestmark = pytest.mark.slow

RUN = ("--configfile", "study.yaml", "--cores", "2")
NOTHING = "Nothing to be done"


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    checkout = make_checkout(tmp_path_factory.mktemp("finished") / "nasmake")
    write_config(checkout.folder)
    checkout.run(*RUN)
    return checkout


@pytest.fixture
def copy(finished, tmp_path):
    """A copy whose times are those of the moment, in another order, and without Snakemake's notes."""
    folder = tmp_path / "nasmake"
    shutil.copytree(finished.folder, folder, copy_function=shutil.copy, ignore=shutil.ignore_patterns(".snakemake"))
    for age, path in enumerate(sorted(folder.glob("results/**/*"), reverse=True)):
        os.utime(path, (time.time() - age, time.time() - age))
    return type(finished)(folder)


def test_copied_and_moved_studies_are_complete(copy):
    assert NOTHING in copy.run("-n", *RUN)
    ahead = time.time() + 2 * 86400
    os.utime(copy.folder / "results/tiny/trial-0000/suggestion.json", (ahead, ahead))
    assert NOTHING in copy.run("-n", *RUN)


def test_a_missing_file_is_made_again_alone(copy):
    before = artefacts(copy.folder / "results/tiny")
    (copy.folder / "results/tiny/shared/supernet.safetensors").unlink()
    assert job_counts(copy.run("-n", *RUN)) == {"train_supernet": 1, "all": 1}
    copy.run(*RUN)
    assert artefacts(copy.folder / "results/tiny") == before
    assert NOTHING in copy.run("-n", *RUN)


def test_changed_settings_count_even_without_notes(copy):
    (copy.folder / "results/tiny").rename(copy.folder / "results/other")
    longer = {"run": "other", "nas": {"num_epochs_retrain": 4}}
    study = write_config(copy.folder, longer, name="other.yaml")
    counts = job_counts(copy.run("-n", "--configfile", study, "--cores", "2"))
    assert (counts["retrain"], counts["promote"]) == (3, 1) and "train_supernet" not in counts
    shared = copy.folder / "results/other/shared/supernet.safetensors"
    shared.unlink()  # a missing file does not hide the changed settings behind it
    counts = job_counts(copy.run("-n", "--configfile", study, "--cores", "2"))
    assert (counts["retrain"], counts["train_supernet"]) == (3, 1)


def test_every_damaged_artefact_is_noticed_where_it_is_read(copy):
    run = copy.folder / "results/tiny"
    read = [path for path in sorted(run.rglob("*")) if path.suffix in (".json", ".csv", ".safetensors")]
    read = [path for path in read if not {"records", "best", "study", ".resume"} & set(path.parts)]
    assert len(read) > 30
    for path in read:
        content = bytearray(path.read_bytes())
        content[len(content) // 3] ^= 1
        path.write_bytes(content)
        try:
            verify([path])
        except InputError as error:
            assert "damaged or changed" in str(error) and "\n" not in str(error)
        else:  # nothing but the provenance may change unnoticed
            assert path.suffix == ".json" and "provenance" in json.loads(path.read_text())
        content[len(content) // 3] ^= 1
        path.write_bytes(content)


def test_damaged_weights_end_a_job_before_it_computes(copy):
    run = copy.folder / "results/tiny"
    weights = run / "shared/supernet.safetensors"
    content = bytearray(weights.read_bytes())
    content[-100] ^= 4
    weights.write_bytes(content)
    (run / "trial-0001/architecture.json").unlink()
    code, output = copy.run(*RUN, check=False)
    assert code != 0
    assert f"error: {weights.relative_to(copy.folder)}: damaged or changed" in output
    weights.unlink()
    copy.run(*RUN)


def test_job_that_ends_after_its_controller_is_not_started_again(copy):
    """The marks that Snakemake left on its outputs, as if the controller had been killed, count for nothing."""
    outputs = ["results/tiny/trial-0001/result.json", "results/tiny/shared/supernet.json"]
    marks = copy.folder / ".snakemake/incomplete"
    marks.mkdir(parents=True)
    for path in outputs:
        (marks / base64.b64encode(path.encode()).decode()).write_text('{"external_jobid": null}')
    assert NOTHING in copy.run("-n", *RUN)
