"""Figures of searches over made-up runs; that two drawings are equal is tested in test_study_figures."""

import math
from itertools import chain
from pathlib import Path

import pytest
from nasmake.core.files import read_csv, write_csv
from nasmake.core.pareto import Reference, hypervolume
from nasmake.pipeline.stages import CHAIN
from nasmake.report.results import read_study_results
from nasmake.report.search_figures import FIGURES, covered, pareto_front, probabilities, search_progress, tradeoff
from nasmake.report.study_figures import learning_curves
from nasmake.report.style import svg
from small_run import (
    EPOCHS,
    EVALUATIONS,
    LR,
    MACS,
    REFERENCE,
    SUPERNET_LR,
    diverge_search,
    groups,
    marks,
    optimize,
    results_of,
    small_run,
)
from small_spaces import shipped

SPACE = shipped("proxyless_digits")


@pytest.mark.parametrize(("searched", "units"), [((LR,), 1), ((MACS, LR), 4)])
def test_tradeoff_shows_every_evaluated_architecture_once(tmp_path: Path, searched: tuple, units: int):
    figure = svg(FIGURES["tradeoff"], results_of(tmp_path, optimize(4, *searched)))
    assert len(groups(figure, "evaluated-")) == units
    assert sum(marks(figure, gid) for gid in groups(figure, "evaluated-")) == units * EVALUATIONS
    assert len(groups(figure, "chosen-trial") | groups(figure, "chosen-shared")) == units
    assert marks(figure, "chosen-best") == 1


def test_a_crowded_tradeoff_is_stored_as_an_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("nasmake.report.search_figures.CROWD", EVALUATIONS)
    figure = svg(FIGURES["tradeoff"], results_of(tmp_path, optimize(4, MACS, LR)))
    assert b"data:image/png;base64" in figure
    assert not any(marks(figure, gid) for gid in groups(figure, "evaluated-"))


def test_a_diverged_supernet_leaves_no_curve_and_no_star(tmp_path: Path):
    study = optimize(3, SUPERNET_LR, LR)
    small_run(tmp_path, study, pruned=(1,))
    diverge_search(tmp_path / "trial-0001")
    results = read_study_results(tmp_path, study, CHAIN)
    tradeoff = svg(FIGURES["tradeoff"], results)
    assert groups(tradeoff, "chosen-trial") == {"chosen-trial-0000", "chosen-trial-0002"}
    assert marks(tradeoff, "evaluated-trial-0001") == 0
    drawn = lines_of(search_progress(results).axes[0])
    assert len(drawn["search-trial-0001"].get_xdata()) == 0 < len(drawn["search-trial-0002"].get_xdata())
    assert svg(learning_curves, results)


def test_pareto_front_has_what_none_beats():
    points = [(3, 0.9), (1, 0.5), (2, 0.9), (2, 0.4), (4, 0.95), (5, 0.95)]
    rows = [{"macs": str(macs), "val_accuracy": str(accuracy)} for macs, accuracy in points]
    assert [(macs, round(accuracy)) for macs, accuracy in pareto_front(rows)] == [(1, 50), (2, 90), (4, 95)]


def test_keys_of_the_fronts_tell_their_hypervolumes(tmp_path: Path):
    results = results_of(tmp_path, optimize(3, MACS, LR))
    reference = Reference(1 - math.exp(-REFERENCE["reference_val_loss"]), REFERENCE["reference_macs"])
    rows = list(chain.from_iterable(results.evaluations.values()))
    expected = hypervolume([(1 - float(row["val_accuracy"]), float(row["macs"])) for row in rows], reference)
    assert covered(rows, reference) == expected > 0
    labels = [text.get_text() for text in tradeoff(results).legends[0].get_texts()]
    compared = list(chain.from_iterable(results.random_evaluations.values()))
    assert f"Pareto front, hypervolume {expected:.3f}" in labels
    assert f"front of the random baseline, hypervolume {covered(compared, reference):.3f}" in labels
    drawn = {line.get_gid(): line.get_xydata() for line in tradeoff(results).axes[0].get_lines()}
    for name, members in (("Pareto front", rows), ("front of the random baseline", compared)):
        corners = [(1 - accuracy / 100, macs) for macs, accuracy in drawn[f"front: {name}"]]
        assert hypervolume(corners, reference) == pytest.approx(covered(members, reference))


def lines_of(axes):
    return {line.get_gid(): line for line in axes.get_lines()}


def test_progress_has_the_best_loss_so_far_of_search_and_baseline(tmp_path: Path):
    results = results_of(tmp_path, optimize(2, MACS, LR))
    first = lines_of(search_progress(results).axes[0])
    for name, rows in (("search", results.evaluations), ("random", results.random_evaluations)):
        for unit, evaluations in rows.items():
            counts, losses = first[f"{name}-{unit}"].get_data()
            assert list(counts) == list(range(1, EVALUATIONS + 1))
            assert list(losses) == [min(float(row["val_loss"]) for row in evaluations[:count]) for count in counts]
    colours = {gid: line.get_color() for gid, line in first.items()}
    assert colours["search-trial-0000"] == colours["random-trial-0000"] != colours["search-trial-0001"]
    assert first["search-trial-0000"].get_linestyle() != first["random-trial-0000"].get_linestyle()


def test_progress_shows_the_diagnostics_that_there_are(tmp_path: Path):
    results = results_of(tmp_path, optimize(2, MACS, LR))
    figure = search_progress(results)
    drawn = {gid: line for axes in figure.axes for gid, line in lines_of(axes).items()}
    for column in ("entropy", "max_probability", "Delta", "snr", "hypervolume", "uncalibrated_val_accuracy"):
        epochs, values = drawn[f"{column}-trial-0000"].get_data()
        rows = results.histories["search_architecture"]["trial-0000"]
        factor = 100 if column.endswith("accuracy") else 1
        assert list(epochs) == list(EPOCHS) and list(values) == [factor * float(row[column]) for row in rows]
    path = tmp_path / "trial-0000" / "history" / "search_architecture.csv"
    rows = read_csv(path)
    for trial in range(2):
        history = path.parents[2] / f"trial-000{trial}" / "history" / path.name
        write_csv(history, [{name: row[name] for name in ("epoch", "entropy")} for row in rows], ["epoch", "entropy"])
    fewer = search_progress(read_study_results(tmp_path, optimize(2, MACS, LR), CHAIN))
    assert [axes.get_ylabel() for axes in fewer.axes][:2] == ["val loss", "nats"]


def test_without_a_baseline_there_is_no_line_and_no_key_of_it(tmp_path: Path):
    small_run(tmp_path, optimize(2, LR))
    path = tmp_path / "shared" / "history" / "random_evaluations.csv"
    path.write_text(path.read_text().splitlines()[0] + "\n")
    results = read_study_results(tmp_path, optimize(2, LR), CHAIN)
    for draw in (tradeoff, search_progress):
        assert not any("random" in text.get_text() for text in draw(results).legends[0].get_texts())


@pytest.mark.parametrize(("searched", "unit"), [((LR,), "shared"), ((MACS, LR), "trial-0003")])
def test_heat_map_has_a_row_per_choice_and_a_column_per_epoch_of_the_best_trial(tmp_path: Path, searched, unit):
    small_run(tmp_path, optimize(4, *searched))
    path = tmp_path / unit / "history" / "probabilities.csv"
    rows = read_csv(path)
    write_csv(path, [row | {"probability": index % 7 / 10} for index, row in enumerate(rows)], list(rows[0]))
    figure = probabilities(read_study_results(tmp_path, optimize(4, *searched), CHAIN))
    choices = sum(len(decision.choices) for decision in SPACE.decisions)
    values = figure.axes[0].images[0].get_array()
    assert values.shape == (choices, len(EPOCHS))
    assert values[3, 1] == (choices + 3) % 7 / 10
    names = [text.get_text() for text in figure.axes[0].get_yticklabels()]
    assert names[0] == "block0: mbconv kernel size 3 expand ratio 1" and "block1: zero" in names
    assert len(set(names)) == choices
