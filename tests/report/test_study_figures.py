import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from nasmake.config.study import Optimize
from nasmake.costs.units import units_of_network
from nasmake.pipeline.stages import CHAIN_WITHOUT_SEARCH
from nasmake.report.network_figure import rows_of
from nasmake.report.search_figures import FIGURES as SEARCH_FIGURES
from nasmake.report.study_figures import (
    FIGURES,
    IMPORTANCE_MINIMUM,
    architecture,
    figures_of,
    importance_by_chance,
    importance_of,
)
from nasmake.report.style import svg
from small_run import CHANNELS, LR, MACS, SIZE, SUPERNET_LR, SVG, groups, marks, optimize, results_of, small_run
from small_spaces import SHIPPED, content, shipped

DRAWN = {**FIGURES, **SEARCH_FIGURES, "architecture": lambda results: architecture(results, CHANNELS, SIZE)}

STUDIES = {
    "one trial": (optimize(1), ()),
    "all but one pruned": (optimize(3, MACS, LR), (0, 2)),
    "supernet shared": (optimize(8, MACS, LR), (1,)),
    "search shared too": (optimize(8, LR), (1,)),
    "nothing shared": (optimize(8, SUPERNET_LR, LR), (1,)),
}


@pytest.mark.parametrize("name", DRAWN)
@pytest.mark.parametrize("case", STUDIES)
def test_every_figure_of_every_kind_of_study_is_the_same_svg_twice(tmp_path: Path, case: str, name: str):
    study, pruned = STUDIES[case]
    results = results_of(tmp_path, study, pruned=pruned)
    first = svg(DRAWN[name], results)
    assert ElementTree.fromstring(first).tag == f"{SVG}svg"
    assert first == svg(DRAWN[name], results)
    assert b"<dc:date>" not in first


def test_study_shows_completed_promoted_and_diverged_trials(tmp_path: Path):
    figure = svg(FIGURES["study"], results_of(tmp_path, optimize(8, MACS, LR), pruned=(0, 5), top=3))
    assert (marks(figure, "completed"), marks(figure, "promoted"), marks(figure, "pruned")) == (6, 3, 2)


def test_learning_curves_have_a_line_per_unit_and_a_cross_where_training_diverged(tmp_path: Path):
    figure = svg(FIGURES["learning_curves"], results_of(tmp_path, optimize(5, MACS, LR), pruned=(2,)))
    assert groups(figure, "train_supernet-") == {"train_supernet-shared"}
    assert len(groups(figure, "search_architecture-")) == 5
    assert groups(figure, "retrain-") == {
        *(f"retrain-trial-000{trial}" for trial in range(5)),
        "retrain-trial-0002-pruned",
    }
    assert groups(figure, "retrain_final-") == {"retrain_final-trial-0003", "retrain_final-trial-0004"}


def test_files_of_an_earlier_larger_study_are_left_alone(tmp_path: Path):
    small_run(tmp_path, optimize(6, SUPERNET_LR, LR))
    results = results_of(tmp_path, optimize(3, MACS, LR))
    assert len(results.trials) == 3
    assert list(results.histories["train_supernet"]) == ["shared"]
    assert len(results.evaluations) == 3


@pytest.mark.parametrize(
    ("study", "reason"),
    [
        (optimize(1), "fewer than two"),
        (optimize(20, LR), "fewer than two"),
        (optimize(IMPORTANCE_MINIMUM - 1, MACS, LR), "too few"),
    ],
)
def test_importances_say_why_there_are_none(tmp_path: Path, study: Optimize, reason: str):
    assert reason in str(importance_of(results_of(tmp_path, study)))


def test_importances_of_equal_values_are_none(tmp_path: Path):
    results = results_of(tmp_path, optimize(10, MACS, LR))
    equal = [replace(trial, value=0.5) for trial in results.trials]
    assert "same val accuracy" in str(importance_of(replace(results, trials=equal)))


def test_importance_goes_to_what_decides_high_accuracy(tmp_path: Path):
    """High, not low: good trials lie close together in one parameter, bad ones in the other."""
    results = results_of(tmp_path, optimize(40, MACS, LR))
    trials, params = [], []
    for number, trial in enumerate(results.trials):
        is_good = number % 4 == 0
        trials.append(replace(trial, value=0.9 if is_good else 0.1 + number / 1000))
        lr, macs = (0.05, 400000 + 30000 * number) if is_good else (0.01 + 0.0045 * number, 800000)
        params.append({LR["name"]: lr, MACS["name"]: macs})
    changed = replace(results, trials=trials, params=dict(enumerate(params)))
    shares = importance_of(changed)
    assert isinstance(shares, dict)
    assert sum(shares.values()) == pytest.approx(1)
    assert shares[LR["name"]] > 0.5
    assert importance_by_chance(changed)[LR["name"]] < shares[LR["name"]]


def test_importance_of_noise_is_hardly_above_that_by_chance(tmp_path: Path):
    results, above = results_of(tmp_path, optimize(15, MACS, LR)), 0
    for seed in range(10):
        order = random.Random(seed).sample(range(15), 15)
        noise = replace(results, trials=[replace(trial, value=order[trial.trial] / 15) for trial in results.trials])
        shares, chance = importance_of(noise), importance_by_chance(noise)
        assert isinstance(shares, dict)
        above += sum(shares[name] > chance[name] for name in shares)
    assert above <= 4  # of 20 shares; 1 or 2 are expected


@pytest.mark.parametrize("name", SHIPPED)
def test_a_picture_has_a_row_per_run_between_stem_and_head(name: str):
    space = shipped(name)
    spec = space.decode(tuple(len(decision.choices) - 1 for decision in space.decisions))
    rows = list(rows_of(spec, 3, 32))
    assert len(rows) == len(spec.runs()) + 5
    strides = [convolution.stride for unit in units_of_network(spec, 3, 32) for convolution in unit.convolutions]
    size = 32
    for stride in strides:
        size = -(-size // stride)
    pooling, head = (-3, -2) if spec.head_after_pooling else (-2, -3)
    assert (rows[pooling].label, rows[pooling].size) == ("average pooling", 1)
    assert rows[-4 if spec.head_after_pooling else head].size == size
    assert (rows[head].width, rows[-1].width) == (spec.head_channels, spec.num_classes)


def test_a_picture_shows_dropped_blocks_and_residual_connections():
    spec = shipped("proxyless_digits").decode((0, 0, 1, 0, 1, 1))  # widths 16 16 | 24 24 | 32 32, two of them dropped
    blocks = list(rows_of(spec, 1, 8))[3:9]  # after image, stem and the fixed block
    assert [row.is_dropped for row in blocks] == [False, True, False, True, False, False]
    assert [row.is_residual for row in blocks] == [True, False, False, False, False, True]
    assert [row.width for row in blocks] == [16, 16, 24, 24, 32, 32]


def test_a_picture_names_layers_squeeze_and_expansion():
    name = "mnasnet_cifar10"
    space = shipped(name)
    last = tuple(len(decision.choices) - 1 for decision in space.decisions)
    labels = [row.label for row in rows_of(space.decode(last), 3, 32)]
    assert "2 \N{MULTIPLICATION SIGN} MBConv6 5\N{MULTIPLICATION SIGN}5, SE 0.25" in labels
    first = tuple(0 for _ in last)
    assert any("3 \N{MULTIPLICATION SIGN} Conv 3" in row.label for row in rows_of(space.decode(first), 3, 32))


def test_a_study_without_test_part_has_a_picture(tmp_path: Path):
    study = optimize(1)
    space = {"name": "mnasnet_cifar10", "content": content("mnasnet_cifar10")}
    results = results_of(tmp_path, study, has_test=False, space=space)
    draw: Callable = architecture
    assert svg(draw, results, CHANNELS, SIZE)


def test_without_a_search_there_are_only_figures_of_what_was_trained(tmp_path: Path):
    results = results_of(tmp_path, optimize(4, LR), pruned=(1,), chain=CHAIN_WITHOUT_SEARCH)
    assert figures_of(results).keys() == FIGURES.keys() and results.histories.keys() == {"retrain", "retrain_final"}
    assert groups(svg(FIGURES["learning_curves"], results), "axes_") == {"axes_1", "axes_2", "axes_3"}  # and the key
    assert svg(DRAWN["architecture"], results)
