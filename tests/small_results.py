"""Made-up results of trials for tests of studies and reports: as JSON content, and as records."""

import json
import random
import runpy
from pathlib import Path

from nasmake.core.records import FinalResult, record_of, result_of
from nasmake.study.suggest import suggest

SCRIPTS = Path(__file__).parents[1] / "scripts"


def main_of(script):
    return runpy.run_path(str(SCRIPTS / f"{script}.py"))["main"]


PREPROCESSING = {"image_size": 8, "channels": 1, "mean": [0.3], "std": [0.4], "classes": ["10", "2", "9"]}


def result(trial, accuracy, loss=1.0, **more):
    return {
        "trial": trial,
        "state": "COMPLETE",
        "value": accuracy,
        "val_accuracy": accuracy,
        "val_loss": loss,
        "parameters": 1000 + trial,
        "macs": 2_000_000,
        "architecture": f"net{trial}",
    } | more


def diverged(trial, reason="retrain: not finite in epoch 1"):
    return {"trial": trial, "state": "PRUNED", "value": None, "reason": reason}


def final(trial, accuracy, test_accuracy, **more):
    return result(trial, accuracy) | {"test_accuracy": test_accuracy, "test_loss": 0.5, "test_n": 597} | more


def records(*contents):
    """The records of results."""
    return [result_of(content, Path("result.json")) for content in contents]


def final_records(*contents):
    return [record_of(FinalResult, content, Path("final.json")) for content in contents]


def through_json(content):
    return None if content is None else json.loads(json.dumps(content))


def replay(settings, objective, order=None):
    """Return the suggestions of a study whose jobs run one after another, with `lag` trials in flight.

    `objective` maps a trial's number and params to the content of its result. The first ready job runs next, or one
    that the seed `order` picks.
    """
    suggestions, results, rng = [], {}, random.Random(order)
    while len(results) < settings.trial_number:
        new, observed = len(suggestions), len(suggestions) - settings.lag
        ready = [trial for trial in range(new) if trial not in results]
        if new < settings.trial_number and (observed < 0 or observed in results):
            ready.append(new)
        trial = ready[0] if order is None else rng.choice(ready)
        if trial < new:
            results[trial] = objective(trial, suggestions[trial]["params"])
        else:
            suggestions.append(through_json(suggest(settings, suggestions, through_json(results.get(observed)))))
    return suggestions
