"""Draw the rule graph of the demo into README.md as mermaid, and as SVG where graphviz is there."""

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
    drawn = with_graph(text, rulegraph("mermaid-js"))
    if arguments.check:
        if drawn != text:
            raise InputError(f"{README}: its rule graph is not the workflow's; type: make dag")
        return
    write_atomically(README, drawn.encode())
    if shutil.which("dot"):
        dot = subprocess.run(["dot", "-Tsvg"], input=rulegraph("dot"), text=True, capture_output=True, check=True)
        write_atomically(SVG, dot.stdout.encode())
    print(f"{README}: rule graph drawn{f', also {SVG}' if shutil.which('dot') else ''}")


def rulegraph(form: str) -> str:
    """The rule graph of the demo, with what comes behind the checkpoint, which Snakemake does not know beforehand."""
    command = ["snakemake", "report", "results/rulegraph/trial-0000/final.json", "--rulegraph", form, "--forceall"]
    # A run of its own: nothing of it is finished.
    command += ["--configfile", "config/presets/digits.yaml", "--config", "run=rulegraph", "--quiet", "all"]
    environment = os.environ | {"PYTHONHASHSEED": "0"}  # the order of nodes is that of a set
    graph = subprocess.run(command, text=True, capture_output=True, check=True, env=environment).stdout.rstrip()
    arrow, end = ("-->", "") if form == "mermaid-js" else ("->", "}")
    edges = [f"\t{_id(graph, 'retrain_final')} {arrow} {_id(graph, rule)}" for rule in ("summarize_study", "report")]
    return "\n".join([graph.removesuffix("}").rstrip(), *edges, end])


def _id(graph: str, rule: str) -> str:
    found = re.search(rf'(\w+)\[(?:label = ")?{rule}\b', graph)
    assert found, f"{rule} is not in the graph"
    return found[1]


def with_graph(text: str, graph: str) -> str:
    """README's text with the graph between its marks."""
    before, rest = text.split(BEGIN)
    return f"{before}{BEGIN}```mermaid\n{graph.strip()}\n```\n{END}{rest.split(END, 1)[1]}"


if __name__ == "__main__":
    script(main, sys.argv[1:])
