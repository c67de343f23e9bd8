"""Sums of scores, and the evaluation of a network."""

import pytest
import torch
from nasmake.engine.metrics import evaluate, evaluate_each, scores
from torch.nn.functional import cross_entropy

LOGITS = torch.tensor([[2.0, 0.0], [0.0, 1.0], [3.0, 0.0]])
LABELS = torch.tensor([0, 0, 0])


def test_sums_are_of_the_loss_and_of_correct_predictions_over_images():
    sums = scores(LOGITS, LABELS, torch.tensor(0.5))
    assert {name: value.item() for name, value in sums.items()} == {"loss": 1.5, "accuracy": 2.0, "count": 3.0}
    again = scores(LOGITS[:1], LABELS[:1], torch.tensor(2.0), sums)
    assert {name: value.item() for name, value in again.items()} == {"loss": 3.5, "accuracy": 3.0, "count": 4.0}


def test_rank_without_an_image_adds_nothing():
    nothing = scores(LOGITS[:0], LABELS[:0], torch.tensor(float("nan")))
    assert {name: value.item() for name, value in nothing.items()} == {"loss": 0.0, "accuracy": 0.0, "count": 0.0}


class Batches:
    """Batches of unequal size, as the last one of an epoch is smaller."""

    labels = LABELS

    def __iter__(self):
        return iter(range(2))

    def rows(self, epoch, step):
        assert epoch == 0
        return torch.tensor([0, 1] if step == 0 else [2])

    def batch(self, epoch, step, share):
        rows = self.rows(epoch, step)[share.part(2 - step)]
        return LOGITS[rows], LABELS[rows]


def test_evaluation_is_the_mean_over_images_in_eval_mode():
    network = torch.nn.Dropout(0.9)
    loss, accuracy = evaluate(network, Batches())
    assert loss == pytest.approx(cross_entropy(LOGITS, LABELS).item()) and accuracy == pytest.approx(2 / 3)
    assert not network.training


def test_each_image_has_its_most_probable_class_and_the_probability_of_it():
    loss, accuracy, predictions = evaluate_each(torch.nn.Identity(), Batches())
    assert (loss, accuracy) == evaluate(torch.nn.Identity(), Batches())
    assert predictions.classes.tolist() == [0, 1, 0]
    assert predictions.confidences.tolist() == pytest.approx(LOGITS.softmax(1).max(1).values.tolist())
