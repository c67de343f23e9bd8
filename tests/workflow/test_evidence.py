"""`snakemake evidence`: what is planned, what is refused, and from data to tables with a tiny preset."""

import json

import pytest
import yaml
from nasmake.evidence.plan import LOOKED_UP
from test_dag import job_counts

PRESET = "config/presets/evidence.yaml"
SPACE = "config/search_spaces/evidence/config_proxyless_fashion_mnist.yaml"
DIGITS = {
    "dataset": {"name": "digits", "num_train": 1200, "num_data_architecture_search": 600},
    "nas": {
        "search_space_config_path": "spaces",
        "num_epochs_supernet_train": 4,
        "num_epochs_architecture_search": 2,
        "num_epochs_retrain": 1,
    },
    "supernet": {"batch_size": 100},
    "retrain": {"hyperparameters": {"batch_size": 100}},
    "trainer": {"accelerator": "cpu"},
    "optimize": {"trial_number": 1, "parameters": []},
}
TWELVE_NETWORKS = {
    "kernel_size": [[3, 5], [3, 5], [3], [3]],
    "conv_ops": [["MBConv"], ["Zero", "MBConv"], ["MBConv"], ["MBConv"]],
    "expansion_ratio": [[1, 2], [2], [2], [2]],
}
TINY_TABLE = {"run": "table", "tabulate": {"seeds": [1, 2], "networks_per_job": 12}}
TINY = {
    "run": "evidence",
    "search": {"population_size": 4, "samples_per_update": 2, "recalibration_images": 200},
    "evidence": {
        "table": "results/table/benchmark_table.csv",
        "seeds": [1, 2],
        "variants": {"fair": {"supernet.sampler": "fair"}},
        "variant_seeds": 2,
        "search_seeds": 3,
        "budgets": [4, 8],
        "macs_band": 0.3,
    },
}


def arguments(checkout, changes):
    """Return the arguments for a tiny configuration with a space of twelve networks."""
    path = f"{changes['run']}.yaml"
    (checkout.folder / path).write_text(yaml.safe_dump(DIGITS | changes))
    (checkout.folder / "spaces").mkdir(exist_ok=True)
    space = yaml.safe_load((checkout.folder / SPACE).read_text())
    space["search_range"] |= TWELVE_NETWORKS
    (checkout.folder / "spaces/config_proxyless_digits.yaml").write_text(yaml.safe_dump(space))
    return ("--configfile", path, "--cores", "2")


def test_every_strategy_searches_every_supernet_of_the_preset(checkout):
    counts = job_counts(checkout.run("-n", "--configfile", PRESET, "--", "evidence"))
    settings = yaml.safe_load((checkout.folder / PRESET).read_text())["evidence"]
    seeds, variants = len(settings["seeds"]), len(settings["variants"])
    supernets = seeds + variants * settings["variant_seeds"]
    assert seeds >= 5 and settings["search_seeds"] >= 200
    assert counts == {
        "download_dataset": 1,
        "train_supernet_of_evidence": supernets,
        "score_networks": supernets,
        "search_by_lookup": len(LOOKED_UP) * seeds,
        "search_architecture_of_evidence": settings["variant_seeds"],
        "search_supernet_of_evidence": settings["variant_seeds"],
        "evidence": 1,
    }


def test_stages_are_told_what_a_study_would_tell_them(checkout):
    plan = checkout.run("-n", "-p", "--configfile", PRESET, "--", "evidence")
    settings = yaml.safe_load((checkout.folder / PRESET).read_text())
    for seed in settings["evidence"]["seeds"]:
        assert (
            f'"nas":{{"num_epochs_supernet_train":{settings["nas"]["num_epochs_supernet_train"]},"seed":{seed}}}'
            in plan
        )
    assert '"sampler":"sandwich"' in plan and '"weight_sharing":"elastic"' in plan
    for strategy in (*LOOKED_UP, "proxyless"):
        assert f'"algorithm":"{strategy}"' in plan
    assert all("test_images" not in job for job in plan.split("\nrule "))


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ("{table: null}", "evidence.table is null; expected the path of a benchmark_table.csv; to make one, type: "),
        ("{table: nowhere.csv}", "nowhere.csv: no such file"),
        (
            "{table: few.csv}",
            "few.csv: has 1 networks; expected all 144 of proxyless_fashion_mnist, because a search may ask for any",
        ),
        ("{variants: {fair: {supernet.sampler: unfair}}}", "evidence.variants.fair: supernet.sampler is unfair"),
    ],
)
def test_wrong_settings_end_before_any_job(checkout, changes, line):
    rows = [f"0 0,9,9,{seed},.5,.5" for seed in (1, 2)]
    (checkout.folder / "few.csv").write_text(
        "\n".join(["decisions,parameters,macs,seed,val_loss,test_loss", *rows, ""])
    )
    dry_run = ("-n", "--configfile", PRESET, "--config", f"evidence={changes}", "--", "evidence")
    code, output = checkout.run(*dry_run, check=False)
    assert code != 0 and "Traceback" not in output
    assert [text for text in output.splitlines() if text.startswith(f"error: {line}")], output


def test_no_other_target_needs_it(checkout):
    for preset in (PRESET, "config/presets/digits.yaml"):
        assert not {"evidence", "score_networks"} & job_counts(checkout.run("-n", "--configfile", preset)).keys()


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_from_data_to_tables(checkout):
    checkout.run(*arguments(checkout, TINY_TABLE), "--", "benchmark_table", timeout=1800)
    tiny = arguments(checkout, TINY)
    output = checkout.run(*tiny, "--", "evidence", timeout=1800)
    run = checkout.folder / "results/evidence"
    assert (run / "evidence.md").read_text() in output
    found = {figure["key"]: figure for figure in json.loads((run / "evidence.json").read_text())["figures"]}
    assert found["tau_supernet"]["n"] == [2, 12] and found["tau_fair"]["n"] == [2, 12]
    assert found["gain_all_true_evolution_8"]["n"] == [2, 3, 2]
    assert {"regret_gates", "regret_simultaneous"} < found.keys()
    assert "Nothing to be done" in checkout.run(*tiny, "--", "evidence")
