"""Results with the state FAIL: what a stage writes in place of its artefacts when it has no result.

Later stages pass the state on, as they do after a training that diverged, so the study goes on. This module loads no
torch. It imports core and pipeline.
"""

from collections.abc import Mapping
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

from nasmake.core.files import read_json, write_atomically, write_csv, write_json
from nasmake.core.records import FAIL, FinalResult, trial_and_repeat, trial_number
from nasmake.pipeline.stages import STAGES

NO_WEIGHTS = (8).to_bytes(8, "little") + b"{}      "  # a safetensors file without tensors


def write_failed(stage: str, unit: Path, reason: str, provenance: Mapping[str, Any]) -> None:
    """Write all artefacts of a stage that failed: no weights, no rows, and the reason. The facts come last.

    Args:
        stage: name of the stage.
        unit: folder of the results, shared or trial-NNNN.
        reason: stage and cause, such as `retrain: RuntimeError: ...`.
        provenance: provenance block of the facts.
    """
    content = _facts(stage, unit) | {"state": FAIL, "reason": reason, "provenance": dict(provenance)}
    for artefact in sorted(STAGES[stage].outputs.values(), key=lambda artefact: artefact.endswith(".json")):
        path = unit / artefact
        if path.suffix == ".safetensors":
            write_atomically(path, NO_WEIGHTS)
        elif path.suffix == ".csv":
            write_csv(path, [], ["epoch"])
        else:
            write_json(path, content)


def _facts(stage: str, unit: Path) -> dict[str, Any]:
    """Return the facts that the JSON files of a stage have in any state."""
    if "result" in STAGES[stage].outputs:
        return {"trial": trial_number(unit.name), "value": None}
    if "result" not in STAGES[stage].takes:
        return {}
    trial, _ = trial_and_repeat(str(unit))
    result = read_json(Path(trial, STAGES[stage].takes["result"]))
    required = {declared.name for declared in fields(FinalResult) if declared.default is MISSING}
    return {name: value for name, value in result.items() if name in required}
