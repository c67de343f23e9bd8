"""`snakemake baselines`: what is planned, what is refused, and from data to the table with a tiny preset."""

from pathlib import Path

import pytest
import yaml
from nasmake.core.files import read_csv, read_json
from nasmake.costs.table import count_macs
from nasmake.search_spaces.library import read_architecture
from test_dag import job_counts

ROOT = Path(__file__).parents[2]
PRESET = "config/presets/baselines.yaml"
TINY = {
    "run": "baselines",
    "dataset": {"name": "digits", "num_train": 600, "num_data_architecture_search": 300},
    "nas": {"num_epochs_supernet_train": 2, "num_epochs_architecture_search": 1},
    "supernet": {"batch_size": 50},
    "search": {
        "population_size": 4,
        "recalibration_images": 100,
        "constraint": {"macs": 700000},
        "prune_at_chance": False,
    },
    "retrain": {"hyperparameters": {"batch_size": 50}},
    "final": {"num_epochs": 1, "baseline": True},
    "trainer": {"accelerator": "cpu"},
    "optimize": {"trial_number": 1, "parameters": []},
    "baselines": {
        "seeds": [3, 4],
        "networks": {
            "random": {},
            "cnn": {
                "nas.architecture": "config/architectures/baselines/plain_cnn.json",
                "final.num_epochs": 2,
            },
        },
    },
}


def test_every_network_is_trained_with_every_seed(checkout):
    counts = job_counts(checkout.run("-n", "--configfile", PRESET, "--", "baselines"))
    baselines = yaml.safe_load((checkout.folder / PRESET).read_text())["baselines"]
    seeds, networks = len(baselines["seeds"]), baselines["networks"]
    imported = sum("nas.architecture" in changes for changes in networks.values())
    assert seeds >= 3
    assert counts == {
        "download_dataset": 1,
        "train_supernet_of_baselines": seeds,
        "search_architecture_of_baselines": seeds,
        "random_network": (len(networks) - imported) * seeds,
        "import_architecture_of_baselines": imported * seeds,
        "retrain_final_of_baselines": (len(networks) + 1) * seeds,
        "logistic_regression": 1,
        "baselines": 1,
    }


def test_networks_of_the_preset_have_equal_macs():
    settings = yaml.safe_load((ROOT / PRESET).read_text())
    limit = settings["search"]["constraint"]["macs"]
    files = [changes.get("nas.architecture") for changes in settings["baselines"]["networks"].values()]
    for file in filter(None, files):
        architecture, _ = read_architecture(ROOT / file, [])
        assert abs(count_macs(architecture.spec, 1, 28) / limit - 1) < 0.05


def test_a_wrong_network_ends_before_any_job(checkout):
    networks = "baselines={networks: {cnn: {supernet.lr: 1}}}"
    code, output = checkout.run("-n", "--configfile", PRESET, "--config", networks, "--", "baselines", check=False)
    assert code != 0 and "Traceback" not in output
    line = "baselines.networks.cnn: supernet.lr has no effect; expected nas.architecture, or a key of retrain or final"
    assert f"error: {line}" in output.splitlines()


def test_a_study_without_a_search_is_refused_in_one_line(checkout):
    dry_run = ("-n", "--configfile", PRESET, "--config", "nas={architecture: mobilenet_v2}", "--", "baselines")
    code, output = checkout.run(*dry_run, check=False)
    assert code != 0 and "Traceback" not in output
    assert "error: evidence and baselines train and search supernets; expected nas.type separate, and no " in output


def test_a_random_network_is_one_of_them_by_default(checkout):
    (checkout.folder / "tiny.yaml").write_text(yaml.safe_dump(TINY | {"baselines": {"seeds": [1, 2]}}))
    output = checkout.run("-n", "--configfile", "tiny.yaml", "--", "baselines")
    counts = job_counts(output)
    assert (counts["random_network"], counts["retrain_final_of_baselines"]) == (2, 4)
    assert "import_architecture_of_baselines" not in counts and "Error" not in output


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_from_data_to_the_table(checkout):
    (checkout.folder / "tiny.yaml").write_text(yaml.safe_dump(TINY, sort_keys=False))
    command = ("--configfile", "tiny.yaml", "--cores", "2", "--", "baselines")
    output = checkout.run(*command, timeout=900)
    run = checkout.folder / "results/baselines"
    assert (run / "baselines.md").read_text() in output
    rows = read_csv(run / "baselines.csv")
    names = ["found", "random", "cnn"]
    assert [(row["network"], row["seed"]) for row in rows] == [
        *((name, seed) for name in names for seed in ("3", "4")),
        ("logistic_regression", ""),
    ]
    by_name = {(row["network"], row["seed"]): row for row in rows}
    for seed in ("3", "4"):
        found, drawn, cnn = (by_name[name, seed] for name in names)
        assert found["architecture"] != drawn["architecture"]
        assert abs(int(drawn["macs"]) / int(found["macs"]) - 1) <= 0.05
        assert (drawn["epochs"], cnn["epochs"]) == ("1", "2")
        assert float(found["search_cpu_seconds"]) > 0 == float(drawn["search_cpu_seconds"])
        assert read_json(run / f"found-{seed}/final.json")["trial"] is None
    assert "Nothing to be done" in checkout.run(*command)
