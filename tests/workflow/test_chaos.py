"""The chaos harness with a few disturbances, and what it takes for a fault."""

import pytest
from chaos import Chaos
from disturbances import KINDS, draw
from epoch_ledger import EpochLedger


@pytest.mark.slow
def test_disturbed_study_ends_with_the_artefacts_of_an_undisturbed_one(tmp_path):
    chaos = Chaos(tmp_path, seed=1, number=8).run()
    assert chaos.faults == [], "\n".join(chaos.report())
    assert chaos.counts.total() == 8
    undisturbed, *disturbed = chaos.epochs
    running = 2  # a disturbance concerns two jobs, and each of them repeats one epoch
    assert sum(epochs - undisturbed for epochs in disturbed) <= 8 * running


def test_each_kind_happens_once_in_a_row_of_all_kinds_and_is_a_function_of_the_seed():
    drawn = [draw(1, number) for number in range(len(KINDS))]
    assert {(disturbance.target, disturbance.action) for disturbance in drawn} == set(KINDS)
    assert drawn == [draw(1, number) for number in range(len(KINDS))]
    assert drawn != [draw(2, number) for number in range(len(KINDS))]


def log(numbers, before=0):
    """Return the log of a process that resumes after `before` epochs and computes those of the given numbers."""
    printed_again = "".join(f"epoch {number:>4}/9  val_loss    2.1\n" for number in range(1, before + 1))
    computed = "".join(f"epoch {number:>4}/9  val_loss    2.1     0.3 s\n" for number in numbers)
    return f"device: CPU\n{printed_again}{computed}"


@pytest.mark.parametrize(
    ("starts", "lost"),
    [
        ([[1, 2], [3]], False),
        ([[1, 2], [2, 3]], False),  # stopped between the line and the save
        ([[1, 2], [1, 2, 3]], True),
        ([[1, 2], [], [1, 2, 3]], True),
    ],
)
def test_ledger_tells_lost_epochs_from_the_one_that_was_under_way(tmp_path, starts, lost):
    ledger = EpochLedger(tmp_path)
    path = tmp_path / "shared/logs/train_supernet.log"
    path.parent.mkdir(parents=True)
    for numbers in starts:
        for end in range(len(numbers) + 1):
            path.write_text(log(numbers[:end], before=(numbers or [1])[0] - 1))
            ledger.collect()
    assert ledger.epochs() == sum(map(len, starts))
    assert bool(ledger.lost()) == lost
