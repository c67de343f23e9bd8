import math

import pytest
from nasmake.config.retrain import Retrain
from nasmake.config.supernet import Supernet
from nasmake.engine.schedules import cosine, factor
from nasmake.stages.retrain import Retraining

SCHEDULERS = ("MultiStep", "Linear", "Exponential", "Cosine")
every_scheduler = pytest.mark.parametrize("name", SCHEDULERS)


def rate(name, epoch, epochs=10, **changes):
    return factor(Supernet(scheduler=name, warmup_epochs=changes.pop("warmup_epochs", 0), **changes), epoch, epochs)


@pytest.mark.parametrize(
    "epoch, share", [(0, 1), (2.5, 0.5 + math.sqrt(0.125)), (5, 0.5), (7.5, 0.5 - math.sqrt(0.125)), (10, 0)]
)
def test_cosine_closed_form(epoch, share):
    assert cosine(epoch, 10) == pytest.approx(share, abs=1e-12)
    assert rate("Cosine", epoch) == pytest.approx(share, abs=1e-12)


@pytest.mark.parametrize("epoch, drops", [(0, 0), (2.99, 0), (3, 1), (4.99, 1), (5, 2), (6.99, 2), (7, 3), (9, 4)])
def test_multi_step_drops_at_its_milestones(epoch, drops):
    assert rate("MultiStep", epoch, milestone_start=3, milestone_step=2, gamma=0.5) == 0.5**drops


@pytest.mark.parametrize("epoch, share", [(0, 0.2), (1, 0.4), (2.5, 0.7), (4, 1.0), (9, 1.0)])
def test_linear_closed_form(epoch, share):
    assert rate("Linear", epoch, start_factor=0.2, end_factor=1.0, total_epochs=4) == pytest.approx(share)


@pytest.mark.parametrize("epoch", [0, 0.5, 1, 3, 10])
def test_exponential_closed_form(epoch):
    assert rate("Exponential", epoch, gamma=0.8) == pytest.approx(0.8**epoch)


@every_scheduler
def test_warm_up_is_linear_from_a_third_and_precedes_the_shape(name):
    for epoch in (0, 0.25, 1, 1.99):
        assert rate(name, epoch, warmup_epochs=2) == pytest.approx(1 / 3 + 2 / 3 * epoch / 2)
    for epoch in (2, 2.5, 7, 10):
        assert rate(name, epoch, 10, warmup_epochs=2) == rate(name, epoch - 2, 8)


def test_cosine_ends_at_zero_also_after_a_warm_up():
    assert rate("Cosine", 10, warmup_epochs=3) == pytest.approx(0, abs=1e-12)


@every_scheduler
@pytest.mark.parametrize("warmup, epochs", [(0, 1), (1, 1), (2, 1), (2, 2), (1.5, 2), (20, 10)])
def test_every_length_has_rates_from_the_first_step_to_the_end(name, warmup, epochs):
    """The end is asked for too, for the row of the last epoch."""
    for step in range(4 * epochs + 1):
        assert 0 <= rate(name, step / 4, epochs, warmup_epochs=warmup) <= 1


class CountedSteps:
    def __init__(self, count):
        self.count = count

    def __len__(self):
        return self.count


def retraining(steps, epochs=8, **changes):
    settings = Retrain(hyperparameters={"base_lr": 0.3}, **changes)
    return Retraining(None, CountedSteps(steps), None, settings, epochs, (0,))


@pytest.mark.parametrize("epochs, warmup, peak", [(8, 2, 2), (8, 0, 0), (8, 5, 4), (1, 5, 0.5)])
def test_retraining_warms_up_over_half_of_the_epochs_at_most(epochs, warmup, peak):
    module = retraining(1, epochs, warmup_epochs=warmup)
    assert module.learning_rate(peak) == pytest.approx(0.3)
    assert module.learning_rate(0) == pytest.approx(0.1 if warmup else 0.3)
    assert module.learning_rate(epochs) == pytest.approx(0, abs=1e-12)
    assert module.learning_rate((peak + epochs) / 2) == pytest.approx(0.15)
    assert all(module.learning_rate(epochs * k / 64) <= 0.3 + 1e-12 for k in range(65))
