"""The script of `make bench`."""

import json
import runpy
from pathlib import Path

import pytest

SCRIPT = runpy.run_path(str(Path(__file__).parents[2] / "scripts" / "bench.py"))


def measured(out, *arguments):
    SCRIPT["main"](["--quick", "--out", str(out), *arguments])
    return json.loads(out.read_text())


def test_each_number_is_printed_and_saved_when_it_is_measured(tmp_path, capsys, monkeypatch):
    def interrupted(spaces, is_quick):
        yield "first", {"ratio": 1.5}
        raise KeyboardInterrupt

    monkeypatch.setitem(SCRIPT["main"].__globals__, "measurements", lambda *_: {"steps": lambda: interrupted(*_)})
    out = tmp_path / "bench" / "bench.json"
    with pytest.raises(KeyboardInterrupt):
        measured(out, "--only", "steps")
    assert json.loads(out.read_text())["steps"] == {"first": {"ratio": 1.5}}
    assert "first" in capsys.readouterr().out


@pytest.mark.slow
def test_every_measurement_runs_and_memory_counts_the_state_once(tmp_path):
    results = measured(tmp_path / "bench.json", "--spaces", "proxyless_digits")
    assert set(SCRIPT["MEASUREMENTS"]) <= results.keys()
    for name in SCRIPT["MEASUREMENTS"]:
        assert all(number > 0 for row in results[name].values() for number in row.values())
    for row in results["memory"].values():
        assert row["supernet"] > row["supernet_state"] > row["alone_state"] > 0
