"""Read the suggestions of all earlier trials and the newest known result, and write the suggestion of one trial."""

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path

from nasmake.config.study import Optimize
from nasmake.core.errors import InputError
from nasmake.core.files import write_json
from nasmake.core.nested import value_at
from nasmake.core.provenance import provenance
from nasmake.core.records import json_of, read_result
from nasmake.jobs.cli import script


def main(argv: Sequence[str] | None = None) -> None:
    started = time.time()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--study", required=True, help="section `optimize` as JSON")
    parser.add_argument("--version", required=True, type=int, help="STAGE_VERSION of the suggestions")
    parser.add_argument(
        "--previous", type=Path, help="suggestion.json of the trial before; those of older trials lie beside it"
    )
    parser.add_argument("--observed", type=Path, help="result.json of the newest trial that this one may know")
    parser.add_argument("--out", required=True, type=Path)
    arguments = parser.parse_args(argv)
    from nasmake.study.history import read_suggestions
    from nasmake.study.suggest import suggest

    earlier = read_suggestions(arguments.previous) if arguments.previous else []
    observed = json_of(read_result(arguments.observed)) if arguments.observed else None
    optimize = Optimize.from_json_text(arguments.study, "--study")
    made = provenance(started)
    if earlier and value_at(earlier[-1], "provenance.versions.optuna", None) != made["versions"]["optuna"]:
        print("warning: this study began under another Optuna, whose suggestions may differ", flush=True)
    try:
        suggestion = suggest(optimize, earlier, observed)
    except ValueError as error:  # a known trial lies outside of the space, which was narrowed within the study
        raise InputError(f"optimize.parameters: {error}; a changed space needs another `run` name") from None
    print(f"trial {suggestion['trial']}: {json.dumps(suggestion['params'])}")
    write_json(arguments.out, suggestion | {"study": {"version": arguments.version}, "provenance": made})


if __name__ == "__main__":
    script(main)
