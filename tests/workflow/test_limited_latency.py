"""A limit on latency: with a table by hand, with a table to be measured, and the measurement by name.

No test asks how long anything took.
"""

import csv
import json

import pytest
from small_spaces import latency_file, shipped, table_with_latency
from studies import write_config
from test_dag import ONCE, job_counts

SPACE = shipped("proxyless_digits")
COSTS = table_with_latency(SPACE, 1, 8)
LEAST = COSTS.of(COSTS.cheapest("latency_ms"))["latency_ms"]
LIMIT = round(1.3 * LEAST, 6)
ALONE = {"optimize": {"trial_number": 1, "parameters": []}, "promote": {"top": 1}, "final": {"baseline": False}}
CHAIN = {"suggest": 1, "train_supernet": 1, "search_architecture": 1, "retrain": 1}


def limited(limit=LIMIT, table="table.json"):
    return ALONE | {"search": {"constraint": {"latency_ms": limit}}, "latency": {"table": table}}


def write_table(folder, **changes):
    (folder / "table.json").write_text(json.dumps(latency_file(SPACE, 1, 8) | changes))


@pytest.mark.slow
def test_given_table_from_limit_to_summary(checkout):
    write_table(checkout.folder)
    study = write_config(checkout.folder, limited())
    output = checkout.run("--configfile", study, "--cores", "2")
    run = checkout.folder / "results/tiny"
    found = json.loads((run / "shared/architecture.json").read_text())
    assert found["latency_ms"] == COSTS.of(tuple(found["decisions"]))["latency_ms"] <= LIMIT
    evaluations = rows(run / "shared/history/evaluations.csv")
    assert all(float(row["latency_ms"]) <= LIMIT for row in evaluations) and len(evaluations) == 6
    last = rows(run / "shared/history/search_architecture.csv")[-1]
    assert float(last["best_latency_ms"]) == found["latency_ms"]
    for name in ("trial-0000/result.json", "trial-0000/final.json", "study/best.json"):
        assert json.loads((run / name).read_text())["latency_ms"] == found["latency_ms"]
    assert [float(row["latency_ms"]) for row in rows(run / "study/trials.csv")] == [found["latency_ms"]]
    assert f"{found['latency_ms']:.3f} ms" in output
    assert "latency (ms)" in (run / "report/tradeoff.svg").read_text()
    assert not (run / "shared/latency.json").exists()

    taken = ("--config", "run=taken", "nas={architecture: results/tiny/shared/architecture.json}")
    assert "import_architecture" in job_counts(checkout.run("-n", "--configfile", study, *taken))
    again = ("-n", "--configfile", study)
    (checkout.folder / "table.json").touch()
    assert "Nothing to be done" in checkout.run(*again)
    write_table(checkout.folder, provenance={"host": "another"})
    assert "Nothing to be done" in checkout.run(*again)
    entries = latency_file(SPACE, 1, 8)["entries"]
    write_table(checkout.folder, entries=entries | {key: {"median_ms": 0.01} for key in [*entries][:5]})
    counts = job_counts(checkout.run(*again))
    assert counts["search_architecture"] == 1 and "train_supernet" not in counts


def rows(path):
    with path.open() as stream:
        return list(csv.DictReader(stream))


def test_limit_below_the_cheapest_ends_before_any_job(checkout):
    write_table(checkout.folder)
    study = write_config(checkout.folder, limited(limit=round(LEAST - 0.001, 6)))
    code, output = checkout.run("--configfile", study, "--cores", "2", check=False)
    [line] = [line for line in output.splitlines() if line.startswith("error: ")]
    cheapest = " ".join(map(str, COSTS.cheapest("latency_ms")))
    assert code != 0 and "Traceback" not in output and not (checkout.folder / "results").exists()
    assert line.startswith("error: search.constraint.latency_ms is ")
    assert f"; expected {LEAST} or more, " in line and f"(decisions {cheapest})" in line


def test_table_of_other_images_ends_before_any_job(checkout):
    write_table(checkout.folder, image_shape=[32, 32, 3])
    code, output = checkout.run("-n", "--configfile", write_config(checkout.folder, limited()), check=False)
    assert code != 0 and "error: table.json: image_shape is [32, 32, 3]; expected [8, 8, 1]" in output


def test_only_a_limit_without_a_table_plans_a_measurement(checkout):
    def planned(*overlays):
        return job_counts(checkout.run("-n", "--configfile", write_config(checkout.folder, *overlays)))

    write_table(checkout.folder)
    assert planned(ALONE) == ONCE | CHAIN
    assert planned(ALONE, {"latency": {"runs": 60, "table": "table.json"}}) == ONCE | CHAIN
    assert planned(limited()) == ONCE | CHAIN
    assert planned(limited(table=None)) == ONCE | CHAIN | {"measure_latency": 1}
    searched = {"name": "search.constraint.latency_ms", "type": "uniform_float", "lower": LIMIT, "upper": 9.0}
    three = {"suggest": 3, "train_supernet": 1, "search_architecture": 3, "retrain": 3}
    several = {"optimize": {"trial_number": 3, "parameters": [searched]}}
    assert planned(several) == ONCE | three | {"measure_latency": 1}
    assert planned(several, {"latency": {"table": "table.json"}}) == ONCE | three


@pytest.mark.slow
def test_measurement_by_name_and_searches_with_it(checkout):
    shared = checkout.folder / "results/tiny/shared"
    study = write_config(checkout.folder, limited(limit=1e-6, table=None))
    checkout.run("measure_latency", "--configfile", study, "--cores", "2")
    table = json.loads((shared / "latency.json").read_text())
    assert table["entries"].keys() == latency_file(SPACE, 1, 8)["entries"].keys()
    assert all(entry["runs"] >= 50 and entry["median_ms"] > 0 for entry in table["entries"].values())
    facts = {"accelerator", "device", "device_name", "system", "threads", "precision", "batch_size", "image_shape"}
    assert facts | {"space", "space_hash", "runs", "warmup", "torch", "provenance"} <= table.keys()
    assert not (shared / "supernet.json").exists()

    search = ("--cores", "2", "--retries", "0", "--until", "search_architecture")
    code, _ = checkout.run("--configfile", study, *search, check=False)
    log = (shared / "logs/search_architecture.log").read_text()
    assert code != 0 and "error: search.constraint.latency_ms is 1e-06; expected" in log

    checkout.run("--configfile", write_config(checkout.folder, limited(limit=1e6, table=None)), *search)
    found = json.loads((shared / "architecture.json").read_text())
    last = rows(shared / "history/search_architecture.csv")[-1]
    assert 0 < found["latency_ms"] == float(last["best_latency_ms"])
    changed = write_config(checkout.folder, limited(limit=1e6, table=None), {"latency": {"runs": 60}})
    counts = job_counts(checkout.run("-n", "--configfile", changed, "--until", "search_architecture"))
    assert counts == {"measure_latency": 1, "search_architecture": 1}
