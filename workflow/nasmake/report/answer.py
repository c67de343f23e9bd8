"""The answer of a study: the best network beside random search, trial 0 and a simple classifier. No torch here."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from nasmake.core.records import SHARED, BestNetwork, Estimate, trial_folder
from nasmake.report.intervals import difference
from nasmake.report.results import StudyResults

Reading = Literal["better", "worse", "not told apart"]
RANDOM = "random search of equal cost"


@dataclass(frozen=True)
class Comparison:
    """The best network beside another one, or beside another classifier.

    Attributes:
        rival: what it is compared with.
        measure: the accuracy that is compared, and the number of images.
        ours: accuracy of the best network, 0..1.
        theirs: accuracy of the rival.
        over: `ours - theirs` with its interval; None if the number of images is not known.
    """

    rival: str
    measure: str
    ours: float
    theirs: float
    over: Estimate | None

    @property
    def reading(self) -> Reading:
        """Whether the interval of the difference lies above 0, below 0, or includes it."""
        if self.over is None or self.over.low <= 0 <= self.over.high:
            return "not told apart"
        return "better" if self.over.low > 0 else "worse"


def comparisons(results: StudyResults, val_n: int | None, search_n: int | None) -> list[Comparison]:
    """Return the comparisons for which the run has the data.

    Args:
        results: the run.
        val_n: number of val images on which trials are scored; None if it is not known.
        search_n: the same of the searches.
    """
    best = results.best
    if best is None:
        return []
    found = []
    scores = searched_scores(results, best.trial)
    if "random_val_accuracy" in scores:
        ours, theirs = scores["val_accuracy"], scores["random_val_accuracy"]
        measure = _on("val accuracy with inherited weights", search_n)
        found.append(Comparison(RANDOM, measure, ours, theirs, difference(ours, theirs, search_n)))
    found += _with_trial_0(results, best, val_n)
    if best.baseline is not None and best.test_accuracy is not None:
        theirs = best.baseline.test_accuracy
        over = difference(best.test_accuracy, theirs, best.test_n)
        found.append(
            Comparison(best.baseline.name, _on("test accuracy", best.test_n), best.test_accuracy, theirs, over)
        )
    return found


def _with_trial_0(results: StudyResults, best: BestNetwork, val_n: int | None) -> list[Comparison]:
    """Return the comparison with trial 0: of test accuracies, or of val accuracies if trial 0 was not promoted."""
    name = "trial 0 (initial hyperparameters)"
    for final in results.finals:
        if final.trial == 0 != best.trial and final.test_accuracy is not None and best.test_accuracy is not None:
            over = difference(best.test_accuracy, final.test_accuracy, best.test_n)
            measure = _on("test accuracy", best.test_n)
            return [Comparison(name, measure, best.test_accuracy, final.test_accuracy, over)]
    for trial in results.completed:
        if trial.trial == 0 != best.trial:
            over = difference(best.val_accuracy, trial.val_accuracy, val_n)
            return [Comparison(name, _on("val accuracy", val_n), best.val_accuracy, trial.val_accuracy, over)]
    return []


def _on(measure: str, images: int | None) -> str:
    return f"{measure}, n = {images:,}" if images else measure


def verdict(found: list[Comparison], has_search: bool) -> str:
    """Return one sentence on whether the search was worth its cost."""
    if not has_search:
        return "Nothing was searched: every trial trains the same network."
    rivals = {comparison.rival: comparison for comparison in found}
    if RANDOM not in rivals:
        return "Whether the search was worth it is not known: this run has no random search of equal cost."
    texts: Mapping[Reading, str] = {
        "better": "The search was worth it: its architecture scores higher than that of random search of equal cost.",
        "worse": "The search was not worth it: random search of equal cost found a better architecture.",
        "not told apart": "It is not shown that the search was worth it: the val images do not tell its architecture "
        "from that of random search of equal cost.",
    }
    return texts[rivals[RANDOM].reading]


def searches_won(results: StudyResults) -> tuple[int, int]:
    """Return in how many searches the chosen network has a lower val loss than random search's, and of how many."""
    scores = [network.get("scores") or {} for network in results.architectures.values()]
    compared = [score for score in scores if "random_val_loss" in score]
    return sum(score["val_loss"] < score["random_val_loss"] for score in compared), len(compared)


def searched_scores(results: StudyResults, trial: int) -> Mapping[str, Any]:
    """Return the scores of the search of a trial; empty if its network was imported."""
    network = results.architectures.get(SHARED) or results.architectures.get(trial_folder(trial)) or {}
    return network.get("scores") or {}
