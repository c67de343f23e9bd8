"""Read the measurements of a run of the evidence, and write evidence.{json,md,svg,html} to its folder."""

import argparse
import os
import time
from collections.abc import Sequence
from pathlib import Path

from nasmake.config.evidence import SUPERNET, Evidence
from nasmake.core.files import read_csv, write_atomically, write_json
from nasmake.core.hardware import processor
from nasmake.core.provenance import provenance
from nasmake.jobs.cli import script


def main(argv: Sequence[str] | None = None) -> None:
    started = time.time()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", required=True, help="section `evidence` as JSON")
    parser.add_argument("--run", required=True, type=Path, help="folder of the run")
    arguments = parser.parse_args(argv)
    from nasmake.evidence import page, results
    from nasmake.evidence.drawing import draw
    from nasmake.evidence.table_file import read_table
    from nasmake.report.style import svg

    evidence, run = Evidence.from_json_text(arguments.settings, "--settings"), arguments.run
    table = read_table(Path(str(evidence.table)))
    scores = {kind: results.read_scores(run, kind, evidence.seeds_of(kind), table) for kind in evidence.supernets()}
    findings = [
        *results.table_spread(table),
        *results.trivial_ranking(table),
        *(finding for kind in scores for finding in results.ranking(kind, scores[kind], table)),
        *results.searches(run, evidence, scores[SUPERNET], table),
        *results.trained_searches(run, evidence, table),
    ]
    by_key = {finding.key: finding for finding in findings}
    machine = {"processor": processor(), "cores": os.cpu_count(), **durations(run)}
    text = page.measured(machine, evidence, len(table.networks), len(table.seeds))
    parts = page.tables(by_key, evidence)
    drawing = svg(draw, by_key, evidence, scores[SUPERNET], table)
    write_atomically(run / "evidence.svg", drawing)
    write_atomically(run / "evidence.html", page.page(parts, findings, text, drawing.decode()).encode())
    write_atomically(run / "evidence.md", page.markdown(parts, findings, text).encode())
    content = {"figures": [finding.to_json() for finding in findings], "settings": evidence.model_dump(mode="json")}
    write_json(run / "evidence.json", content | {"provenance": provenance(started, machine=machine)})


def durations(run: Path) -> dict[str, float]:
    """Return the minutes of all jobs together, by the clock and of CPU time, from Snakemake's benchmark files."""
    rows = [row for path in run.glob("**/benchmarks/*.tsv") for row in read_csv(path, delimiter="\t")]
    minutes = {"job_minutes": "s", "cpu_minutes": "cpu_time"}
    return {name: sum(float(row[column]) for row in rows) / 60 for name, column in minutes.items()}


if __name__ == "__main__":
    script(main)
