"""Functions of rules, called as Snakemake calls them. Lists with names stand in for its inputs and outputs."""

import shlex
from types import SimpleNamespace

from nasmake.pipeline.rule_functions import folder, folder_above, oldest_first, optional


def test_options_name_the_inputs_that_the_job_has():
    options = optional("suggestion", "architecture", "latency")
    inputs = {"architecture": "my run/architecture.json", "latency": [], "data": "train.npy"}
    assert options(None, inputs) == "--architecture 'my run/architecture.json'"
    assert options(None, {}) == ""


def test_options_stand_in_the_order_of_their_names():
    inputs = {"a": "1", "b": "2"}
    assert shlex.split(optional("b", "a")(None, inputs)) == ["--b", "2", "--a", "1"]


def test_folders_of_the_first_output():
    outputs = ["results/x/trial-0001/history/retrain.csv", "elsewhere/model.safetensors"]
    assert folder(None, outputs) == "results/x/trial-0001/history"
    assert folder_above(None, outputs) == "results/x/trial-0001"


def test_older_trials_come_first():
    priorities = [oldest_first(SimpleNamespace(unit=unit)) for unit in ("trial-0000", "trial-0001", "trial-9999")]
    assert priorities == [10000, 9999, 1]
    assert oldest_first(SimpleNamespace(unit="shared")) == 0
