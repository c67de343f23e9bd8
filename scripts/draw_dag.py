"""Write the rule graph of the demo into README.md as mermaid, and with graphviz to workflow/report/rulegraph.svg."""

import argparse
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from nasmake.core.errors import InputError
from nasmake.core.files import write_atomically
from nasmake.jobs.cli import script

README, SVG = Path("README.md"), Path("workflow/report/rulegraph.svg")
BEGIN, END = "<!-- rulegraph: make dag -->\n", "<!-- rulegraph ends -->"


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if README.md is not up to date")
    arguments = parser.parse_args(argv)
    text = README.read_text()
    drawn = with_graph(text, joined(rulegraph("mermaid-js")))
    if arguments.check:
        if drawn != text:
            raise InputError(f"{README}: the rule graph is outdated; expected that of the workflow; type: make dag")
        return
    write_atomically(README, drawn.encode())
    if shutil.which("dot"):
        dot = subprocess.run(["dot", "-Tsvg"], input=rulegraph("dot"), text=True, capture_output=True, check=True)
        write_atomically(SVG, dot.stdout.encode())
    print(f"{README}: rule graph drawn{f', also {SVG}' if shutil.which('dot') else ''}")


def rulegraph(form: str) -> str:
    """Return the rule graph of the demo, in the text format that `--rulegraph` names.

    Snakemake does not know the rules after the checkpoint beforehand, so their edges are added here.
    """
    command = [
        "snakemake",
        "report",
        "export_best",
        "results/rulegraph/trial-0000/final.json",
        "--rulegraph",
        form,
        "--forceall",
    ]
    # A run of this name has no finished jobs, so the graph is complete.
    command += ["--configfile", "config/presets/digits.yaml", "--config", "run=rulegraph", "--quiet", "all"]
    environment = os.environ | {"PYTHONHASHSEED": "0"}  # Snakemake writes the nodes in the order of a set
    graph = subprocess.run(command, text=True, capture_output=True, check=True, env=environment).stdout.rstrip()
    arrow, end = ("-->", "") if form == "mermaid-js" else ("->", "}")
    nodes = dict(reversed(pair) for pair in re.findall(r'(\w+)\[(?:label = ")?(\w+)', graph))  # id by rule
    later = ("summarize_study", "report", "export_best")
    edges = [f"\t{nodes['retrain_final']} {arrow} {nodes[rule]}" for rule in later]
    edges.append(f"\t{nodes['search_architecture']} {arrow} {nodes['export_best']}")
    kept = [line for line in graph.removesuffix("}").rstrip().splitlines() if not line.startswith("\tstyle ")]
    return "\n".join([*kept, *edges, end])  # without Mermaid's colours, which say nothing


def joined(graph: str) -> str:
    """Return a Mermaid graph with one line for all edges to a node, `a & b --> c`."""
    sources: dict[str, list[str]] = {}
    others = []
    for line in graph.splitlines():
        source, arrow, target = line.strip().partition(" --> ")
        if arrow:
            sources.setdefault(target, []).append(source)
        else:
            others.append(line)
    return "\n".join([*others, *(f"\t{' & '.join(names)} --> {target}" for target, names in sources.items())])


def with_graph(text: str, graph: str) -> str:
    """Return README's text with the graph between the two marks."""
    before, rest = text.split(BEGIN)
    return f"{before}{BEGIN}```mermaid\n{graph.strip()}\n```\n{END}{rest.split(END, 1)[1]}"


if __name__ == "__main__":
    script(main, sys.argv[1:])
