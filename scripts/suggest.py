"""Read the suggestion of the trial before and the newest known result, and write the suggestion of one trial."""

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path

from nasmake.config.study import Optimize
from nasmake.core.errors import InputError
from nasmake.core.files import read_json, write_json
from nasmake.core.provenance import provenance
from nasmake.core.records import json_of, read_result, read_suggestion
from nasmake.jobs.cli import script


def main(argv: Sequence[str] | None = None) -> None:
    started = time.time()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--study", required=True, help="section `optimize` as JSON")
    parser.add_argument("--version", required=True, type=int, help="STAGE_VERSION of the suggestions")
    parser.add_argument("--previous", type=Path, help="suggestion.json of the trial before")
    parser.add_argument("--observed", type=Path, help="result.json of the newest trial that this one may know")
    parser.add_argument("--out", required=True, type=Path)
    arguments = parser.parse_args(argv)
    from nasmake.study.suggest import suggest

    previous = json_of(read_suggestion(arguments.previous)) if arguments.previous else None
    observed = json_of(read_result(arguments.observed)) if arguments.observed else None
    optimize = Optimize.model_validate(json.loads(arguments.study))
    made = provenance(started)
    if arguments.previous:
        versions = read_json(arguments.previous)["provenance"]["versions"]
        if versions["optuna"] != made["versions"]["optuna"]:
            print("warning: this study began under another Optuna, whose suggestions may differ", flush=True)
    try:
        suggestion = suggest(optimize, previous, observed)
    except ValueError as error:  # a known trial lies outside of the space, which was narrowed within the study
        raise InputError(f"optimize.parameters: {error}; a changed space needs another `run` name") from None
    print(f"trial {suggestion['trial']}: {json.dumps(suggestion['params'])}")
    write_json(arguments.out, suggestion | {"study": {"version": arguments.version}, "provenance": made})


if __name__ == "__main__":
    script(main)
