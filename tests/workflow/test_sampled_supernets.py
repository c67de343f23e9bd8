"""A study from data to tested network with every sampler of the supernet's paths; test_study.py has uniform."""

import json

import pytest
from nasmake.samplers import SAMPLERS
from studies import write_config


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in SAMPLERS if name != "uniform"])
def test_study_with_sampler(checkout, name):
    overlay = {
        "nas": {"num_epochs_supernet_train": 1, "num_epochs_architecture_search": 1, "num_epochs_retrain": 1},
        "supernet": {"sampler": name, "paths_per_step": 2, "batch_size": 300},
        "optimize": {"trial_number": 1},
        "promote": {"top": 1},
        "final": {"baseline": False},
    }
    output = checkout.run("--configfile", write_config(checkout.folder, overlay), "--cores", "2")
    run = checkout.folder / "results/tiny"
    record = json.loads((run / "shared/supernet.json").read_text())
    assert (record["state"], record["settings"]["sampler"]) == ("COMPLETE", name)
    assert json.loads((run / "study/best.json").read_text())["test_n"] == 597
    assert "warning: supernet.paths_per_step: 2: " in output
