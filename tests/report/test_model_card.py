"""The model card: confusion and calibration worked out by hand, the compute of a study, and what a card must say."""

from dataclasses import replace

import pytest
import yaml
from nasmake.core.errors import InputError
from nasmake.core.files import write_json
from nasmake.core.records import BestNetwork, Estimate, Repeats
from nasmake.data.preprocessing import exported_preprocessing
from nasmake.report.compute import compute_of, total_seconds
from nasmake.report.model_card import Subject, licence_of, model_card
from nasmake.report.predictions import Prediction, calibration_error, confusion_matrix, read_predictions

MANIFEST = {
    "name": "digits",
    "image_shape": [8, 8, 1],
    "mean": [0.3],
    "std": [0.4],
    "classes": ["10", "2", "9"],
    "train": {"count": 1200},
}
PREDICTIONS = [Prediction(0, 0, 0.9), Prediction(0, 1, 0.6), Prediction(1, 1, 0.6), Prediction(2, 2, 1.0)]
BEST = BestNetwork(
    trial=3,
    val_accuracy=0.95,
    val_loss=0.2,
    test_accuracy=0.75,
    test_loss=0.6,
    test_n=4,
    parameters=36_002,
    macs=758_400,
    architecture="ds_r1_k3_s1_c16",
    val_n=600,
    test_interval=Estimate(0.75, 0.3006, 0.9544),
)
COMPUTE = {"stage": "retrain", "device": "CPU", "jobs": 2, "seconds": 61.2, "cpu_seconds": 3600.4, "gpu_seconds": 0.0}
PROVENANCE = {
    "compute": [COMPUTE],
    "versions": {"torch": "2.13"},
    "python": "3.11",
    "platform": "Linux",
    "revision": None,
    "started": "2026-11-29T12:00:00Z",
}
SUBJECT = Subject(
    run="digits",
    folder="results/digits/best",
    is_searched=True,
    best=BEST,
    preprocessing=exported_preprocessing(MANIFEST),
    provenance=PROVENANCE,
    manifest=MANIFEST,
    train_images=1200,
    predictions=PREDICTIONS,
    has_onnx=False,
)


def test_confusion_matrix_has_true_classes_in_rows():
    assert confusion_matrix(PREDICTIONS, 3) == [[1, 1, 0], [0, 1, 0], [0, 0, 1]]


def test_calibration_error_is_the_mean_gap_of_the_bins():
    # Bins of 1/15: .9 alone (gap .1), two of .6 with accuracy .5 (gap .1 each), 1.0 in the last bin (gap 0).
    assert calibration_error(PREDICTIONS) == pytest.approx((0.1 + 2 * 0.1 + 0.0) / 4)


def test_damaged_predictions_are_an_error_of_one_line(tmp_path):
    path = tmp_path / "test_predictions.csv"
    path.write_text("image,label,predicted,confidence\n0,1,x,0.5\n")
    with pytest.raises(InputError, match=f"{path}: .*'x'; expected numbers; type: rm"):
        read_predictions(path)


def test_card_says_what_the_network_is_worth_and_what_it_cost():
    card = model_card(SUBJECT)
    head = yaml.safe_load(card.split("---")[1])
    assert head["model-index"][0]["results"][0]["metrics"][0] == {
        "type": "accuracy",
        "name": "test accuracy",
        "value": 0.75,
    }
    for row in (
        "| test accuracy | 0.7500 | 0.3006 to 0.9544 | 4 |",
        "| **10** | 1 | 1 | 0 |",
        "| train | 600 |",
        "| val | 600 |",
        "| train and val | 1,200 |",
        "| parameters | 36,002 |",
        "| retrain | CPU | 2 | 61 | 3,600 | 0 |",
        "| **all** |  | 2 | 61 | 3,600 | 0 |",
        "Expected calibration error: 0.0750 (15 bins",
        "pip install --editable '.[onnx]'",
        "CC BY 4.0",
    ):
        assert row in card


def test_card_of_a_study_without_test_part_or_with_many_classes_or_seeds():
    untested = replace(BEST, test_accuracy=None, test_loss=None, test_n=0, test_interval=None)
    assert "no test part" in model_card(replace(SUBJECT, best=untested, predictions=[]))
    names = [f"class {number}" for number in range(100)]
    many = replace(SUBJECT, preprocessing=replace(SUBJECT.preprocessing, classes=names))
    assert "| class 0 | class 1 | 1 |" in model_card(many) and "| class 99" not in model_card(many)
    seeds = replace(BEST, final_seeds=Repeats([0.75, 0.85], 0.8, 0.0707))
    assert "mean 0.8000, standard deviation 0.0707" in model_card(replace(SUBJECT, best=seeds))
    with_onnx = model_card(replace(SUBJECT, has_onnx=True, is_searched=False))
    assert "* `model.onnx`" in with_onnx and "pip install" not in with_onnx and "found" not in with_onnx


def test_licence_of_images_of_the_user_is_not_known():
    assert licence_of("cifar100") == licence_of("cifar10") != licence_of("image_folder") == "not known to nasmake"


def test_constant_channels_and_images_in_files_are_prepared_as_for_the_training():
    facts = exported_preprocessing(MANIFEST | {"std": [0.0], "stored": "files"})
    assert facts.std == [1 / 255] and facts.resize.crop == 0.875 and facts.resize.interpolation == "bilinear"


def test_compute_is_summed_by_stage_and_device(tmp_path):
    def job(path, stage, device, seconds, processes=1):
        block = {"stage": stage, "device": device, "processes": processes, "seconds": seconds, "cpu_seconds": 1.5}
        write_json(tmp_path / path, {"provenance": block})

    job("shared/supernet.json", "search_supernet", "CPU", 10.0)
    job("shared/architecture.json", "search_supernet", "CPU", 10.0)
    job("trial-0000/result.json", "retrain", "CUDA (NVIDIA H200)", 20.0, processes=2)
    job("trial-0001/result.json", "retrain", "CPU", 5.0)
    job("trial-0001/final.json", "retrain_final", "CPU", 5.0)
    job("trial-0001/repeat-1/final.json", "retrain_final", "CPU", 6.0)
    job("trial-0002/result.json", "retrain", "CPU", 99.0)  # of an earlier, larger study
    write_json(tmp_path / "trial-0000/architecture.json", {"provenance": {"seconds": 1.0}})  # of an earlier version
    rows = compute_of(tmp_path, trials=2, seeds=2)
    found = [(row["stage"], row["device"], row["jobs"], row["seconds"], row["gpu_seconds"]) for row in rows]
    assert found == [
        ("search_supernet", "CPU", 1, 10.0, 0.0),
        ("retrain", "CUDA (NVIDIA H200)", 1, 20.0, 40.0),
        ("retrain", "CPU", 1, 5.0, 0.0),
        ("retrain_final", "CPU", 2, 11.0, 0.0),
    ]
    assert rows[-1]["cpu_seconds"] == 3.0 and total_seconds(rows) == 46.0
