"""Wrong input ends the run before any job starts, with one line that names the correction."""

import platform

import pytest
import yaml
from PIL import Image
from studies import merge, write_config


def refused(checkout, overlay):
    """Return the only error line of a dry run of a study with this overlay."""
    study = write_config(checkout.folder, overlay)
    code, output = checkout.run("-n", "--configfile", study, check=False)
    assert code != 0
    assert "Traceback" not in output
    lines = [line for line in output.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1, output
    assert not (checkout.folder / "results").exists()
    return lines[0].removeprefix("error: ")


def parameter(**changes):
    base = {"name": "search.mutation_prob", "type": "uniform_float", "lower": 0.1, "upper": 0.5}
    return {"optimize": {"parameters": [base | changes]}}


CASES = {
    "unknown key": ({"supernet": {"batchsize": 64}}, "supernet.batchsize: unknown key; did you mean batch_size?"),
    "unknown section": ({"supernat": {}}, "supernat: unknown key; did you mean supernet?"),
    "wrong type": ({"supernet": {"batch_size": "many"}}, "supernet.batch_size is many; expected a whole number"),
    "no trials": ({"optimize": {"trial_number": 0}}, "optimize.trial_number is 0; expected 1 or more"),
    "too many trials": ({"optimize": {"trial_number": 10000}}, "optimize.trial_number is 10000; expected 9999 or less"),
    "no lag": ({"optimize": {"lag": 0}}, "optimize.lag is 0; expected 1 or more"),
    "no such parameter": (
        parameter(name="initial_lrate"),
        "name is initial_lrate, which is not a key that can be searched; did",
    ),
    "bounds upside down": (parameter(lower=0.5, upper=0.1), "mutation_prob: lower is 0.5; expected at most upper, 0.1"),
    "log from zero": (parameter(lower=0, log=True), "search.mutation_prob: lower is 0; expected more than 0"),
    "value the key refuses": (
        parameter(upper=1.5),
        "search.mutation_prob: search.mutation_prob is 1.5; expected 1 or less",
    ),
    "no space file": (
        {"nas": {"search_space": "proxles"}},
        "nas.search_space is proxles; no file config/search_spaces/config_proxles_digits.yaml; did you mean proxyless?",
    ),
    "all images held out": (
        {"dataset": {"num_data_architecture_search": 1200}},
        "dataset.num_data_architecture_search is 1200; expected 1 to 1190, because digits has 1200 training images",
    ),
    "mirror without checksum": (
        {"dataset": {"name": "cifar10", "url": "http://localhost/cifar-10-python.tar.gz"}},
        "dataset.url is http://localhost/cifar-10-python.tar.gz; expected dataset.sha256 with it",
    ),
    "limit below the cheapest": (
        {"search": {"constraint": {"macs": 1000}}},
        "search.constraint.macs is 1000; expected",
    ),
    "simultaneous": (
        {"nas": {"type": "simultaneous"}, "search": {"algorithm": "evolution"}},
        "search.algorithm is evolution; expected ",
    ),
    "image folder without size": ({"dataset": {"name": "image_folder"}}, "dataset.image_size is null; expected a"),
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("nas: {seed: 1}\nnas: {num_epochs_retrain: 1}\n", "over.yaml: line 2: key nas stands twice, first in line 1"),
        ("nas: {seed: 1}\nrun: 010\n", "over.yaml: line 2: 010 is not read as written in YAML; expected a decimal"),
        ("\nnas: {seed: true}\n", "config: nas.seed is true; expected a number (over.yaml, line 2)"),
        ("nas:\n", "config: nas is null; expected a mapping of keys to values (over.yaml, line 1)"),
    ],
)
def test_line_names_the_file_that_is_wrong(checkout, text, expected):
    (checkout.folder / "over.yaml").write_text(text)
    code, output = checkout.run("-n", "--configfile", "config/presets/digits.yaml", "over.yaml", check=False)
    lines = [line for line in output.splitlines() if line.startswith("error: ")]
    assert code != 0 and len(lines) == 1 and lines[0].startswith(f"error: {expected}")


@pytest.mark.parametrize("case", CASES)
def test_one_line(checkout, case):
    overlay, expected = CASES[case]
    assert expected in refused(checkout, overlay)


def test_space_file_with_lists_of_unequal_length(checkout):
    shipped = checkout.folder / "config/search_spaces/config_proxyless_digits.yaml"
    content = merge(yaml.safe_load(shipped.read_text()), {"settings": {"strides": [1, 1, 2]}})
    (checkout.folder / "mine").mkdir()
    (checkout.folder / "mine/config_proxyless_digits.yaml").write_text(yaml.safe_dump(content))
    line = refused(checkout, {"nas": {"search_space_config_path": "mine"}})
    assert "config_proxyless_digits.yaml" in line and "strides" in line and "3" in line and "6" in line


def test_image_folder_with_one_class(checkout):
    only = checkout.folder / "photos/train/cats"
    only.mkdir(parents=True)
    Image.new("RGB", (9, 9)).save(only / "a.png")
    line = refused(checkout, {"dataset": {"name": "image_folder", "path": "photos", "image_size": 16}})
    assert "photos/train" in line and "class" in line


def test_started_from_another_folder(checkout, tmp_path):
    checkout.folder, root = tmp_path, checkout.folder
    code, output = checkout.run("-n", "-s", root / "Snakefile", check=False)
    assert code != 0
    assert f"error: nasmake is started in its own folder; type: cd {root}" in output.splitlines()


@pytest.mark.skipif(platform.system() == "Darwin", reason="asks for the GPU of a Mac")
def test_missing_hardware_is_an_error_before_the_first_job_and_not_of_the_plan(checkout):
    """The plan may be that of a cluster, whose nodes have other hardware."""
    study = write_config(checkout.folder, {"trainer": {"accelerator": "mps"}})
    checkout.run("-n", "--configfile", study)
    code, output = checkout.run("--configfile", study, "--cores", "1", check=False)
    errors = [line for line in output.splitlines() if line.startswith("error: ")]
    assert code != 0 and len(errors) == 1 and "Traceback" not in output
    assert "trainer.accelerator is mps; expected auto or cpu, since this machine" in errors[0]
    assert not [*checkout.folder.rglob("*.log")][1:]  # the one of Snakemake itself
