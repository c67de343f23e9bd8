"""The model card of the best network: what it is, how to load it, its scores, and what it cost. No torch here.

The head of the card is metadata in the format of Hugging Face.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from nasmake.core.records import BestNetwork, Estimate, Preprocessing
from nasmake.report.predictions import BINS, Prediction, calibration_error, confusion_matrix

LARGEST_MATRIX = 20  # classes; of more classes, the card has the most frequent confusions only
CONFUSIONS = 10
LICENCES = {
    "digits": "CC BY 4.0, as the UCI repository says of its Optical Recognition of Handwritten Digits",
    "mnist": "CC BY-SA 3.0",
    "fashion_mnist": "MIT",
    "cifar": "its authors name no licence",
    "imagenet": "for research that is not commercial, under the terms of access of image-net.org",
}  # by the beginning of the name of the data set
LOADING = """\
import json, torch
facts = json.load(open("preprocessing.json"))
model = torch.export.load("model.pt2").module()
images = torch.rand(4, facts["channels"], facts["image_size"], facts["image_size"])  # any number of images, pixels 0..1
mean, std = (torch.tensor(facts[name]).view(-1, 1, 1) for name in ("mean", "std"))
print([facts["classes"][number] for number in model((images - mean) / std).argmax(1)])
"""
SEARCHED = "nasmake found the architecture by one-shot neural architecture search"
IMPORTED = "nasmake was given the architecture"
SECONDS = {"seconds": "wall s", "cpu_seconds": "CPU s", "gpu_seconds": "GPU s"}
FILES = {
    "model.safetensors": "the weights",
    "model.pt2": "the network as a program of `torch.export`, for any batch size",
    "model.onnx": "the network as ONNX: input `images`, output `logits`, for any batch size",
    "architecture.json": "the architecture, which nasmake reads with `nas.architecture`",
    "architecture.svg": "its picture",
    "preprocessing.json": "how images are scaled, cropped and normalised, and the names of the classes",
}


@dataclass(frozen=True)
class Subject:
    """What the card is about.

    Attributes:
        run: name of the study.
        folder: path of the folder of the card.
        is_searched: a search found the architecture; else it was imported.
        best: best.json.
        preprocessing: what the network expects of an image.
        provenance: provenance block of best.json, with the compute of the study.
        manifest: facts about the data set of the final training.
        train_images: number of train and val images together.
        predictions: for each test image; empty without a test part.
        has_onnx: model.onnx lies beside the card.
    """

    run: str
    folder: str
    is_searched: bool
    best: BestNetwork
    preprocessing: Preprocessing
    provenance: Mapping[str, Any]
    manifest: Mapping[str, Any]
    train_images: int
    predictions: Sequence[Prediction]
    has_onnx: bool


def model_card(subject: Subject) -> str:
    """Return the card as Markdown."""
    best, name = subject.best, subject.manifest["name"]
    size, channels = subject.preprocessing.image_size, subject.preprocessing.channels
    classes = len(subject.preprocessing.classes)
    latency = [] if best.latency_ms is None else [("latency, as the search saw it", f"{best.latency_ms:.3f} ms")]
    network = [
        ("parameters", f"{best.parameters:,}"),
        ("MACs (multiply-adds for one image)", f"{best.macs:,}"),
        *latency,
    ]
    lines = [
        "---",
        yaml.safe_dump(_metadata(subject), sort_keys=False).rstrip(),
        "---",
        f"# {subject.run}: image classifier",
        "",
        f"This network tells {classes} classes of {name} apart. Its input is {size} x {size} pixels with "
        f"{channels} channel{'s' * (channels > 1)}. {SEARCHED if subject.is_searched else IMPORTED}, and trained it "
        f"from scratch (trial {best.trial} of the study).",
        *("", "## Use", "", "These lines need torch only. Start them in this folder:", ""),
        *("```python", LOADING.rstrip(), "```", ""),
        "Images of another size are first scaled and cropped as `resize` in `preprocessing.json` says. In a checkout "
        f"of nasmake, `python scripts/predict.py IMAGE... --model {subject.folder}` does all that.",
        "",
        *_files(subject.has_onnx),
        *("", "## Scores", ""),
        *_table(("measure", "value", "95 % interval", "images"), _scores(best)),
        "",
        "The intervals hold for the number of images only. Training with another seed can change more.",
        *_seeds(best),
        *_details(subject),
        *("", "## Data", "", *_table(("part", "images", "used for"), _parts(subject))),
        *("", f"Licence of the images: {licence_of(name)}."),
        *("", "## Network", "", *_table(("cost", "value"), network)),
        *("", f"Architecture: `{best.architecture}`"),
        *("", "## Compute and provenance", ""),
        *_compute(subject.provenance),
    ]
    return "\n".join([*lines, ""])


def licence_of(dataset: str) -> str:
    """Return the licence of a data set as its publisher states it; images of the user have none that is known."""
    known = (licence for name, licence in LICENCES.items() if dataset.startswith(name))
    return next(known, "not known to nasmake")


def _metadata(subject: Subject) -> dict[str, Any]:
    best, dataset = subject.best, subject.manifest["name"]
    accuracies = [("test accuracy", best.test_accuracy), ("val accuracy", best.val_accuracy)]
    metrics = [{"type": "accuracy", "name": name, "value": value} for name, value in accuracies if value is not None]
    result = {"task": {"type": "image-classification"}, "dataset": {"type": dataset, "name": dataset}}
    return {
        "library_name": "pytorch",
        "pipeline_tag": "image-classification",
        "tags": ["neural-architecture-search", "nasmake"],
        "model-index": [{"name": subject.run, "results": [result | {"metrics": metrics}]}],
    }


def _files(has_onnx: bool) -> list[str]:
    files = {name: text for name, text in FILES.items() if has_onnx or name != "model.onnx"}
    install = "pip install --editable '.[onnx]'"
    advice = f"`model.onnx` is missing. To get it, type `{install}` in the checkout, and start the study again."
    return [*(f"* `{name}`: {text}" for name, text in files.items()), *([] if has_onnx else ["", advice])]


def _scores(best: BestNetwork) -> Iterator[Sequence[Any]]:
    if best.test_accuracy is not None:
        yield "test accuracy", f"{best.test_accuracy:.4f}", _limits(best.test_interval), best.test_n
        yield "test loss (cross entropy)", f"{best.test_loss:.4f}", "", best.test_n
    yield "val accuracy of the trial", f"{best.val_accuracy:.4f}", _limits(best.val_interval), best.val_n or "not known"
    if best.baseline is not None:
        yield f"test accuracy of {best.baseline.name}", f"{best.baseline.test_accuracy:.4f}", "", best.test_n


def _limits(estimate: Estimate | None) -> str:
    return "" if estimate is None else f"{estimate.low:.4f} to {estimate.high:.4f}"


def _seeds(best: BestNetwork) -> list[str]:
    if (seeds := best.final_seeds) is None:
        return []
    accuracies = ", ".join(f"{accuracy:.4f}" for accuracy in seeds.test_accuracies)
    return [
        "",
        f"The same architecture was trained with {len(seeds.test_accuracies)} seeds. Test accuracy: mean "
        f"{seeds.mean:.4f}, standard deviation {seeds.standard_deviation:.4f} ({accuracies}). This folder has the "
        "network of the first seed.",
    ]


def _details(subject: Subject) -> list[str]:
    """Return confusion and calibration on the test images."""
    predictions, names = subject.predictions, subject.preprocessing.classes
    if not predictions:
        return ["", "The data set has no test part, so confusion and calibration are not known."]
    error = (
        f"Expected calibration error: {calibration_error(predictions):.4f} ({BINS} bins of equal width, test images)."
    )
    if len(names) > LARGEST_MATRIX:
        wrong = Counter((one.label, one.predicted) for one in predictions if one.label != one.predicted)
        rows: list[Sequence[Any]] = [
            (names[label], names[found], count) for (label, found), count in wrong.most_common(CONFUSIONS)
        ]
        head, title = ["true class", "predicted class", "images"], "The most frequent confusions"
    else:
        matrix = confusion_matrix(predictions, len(names))
        rows = [[f"**{name}**", *counts] for name, counts in zip(names, matrix, strict=True)]
        head, title = ["true class", *names], "Confusion matrix: the columns are the predicted classes"
    return ["", error, "", f"{title}, test images:", "", *_table(head, rows)]


def _parts(subject: Subject) -> Iterator[Sequence[Any]]:
    val, total = subject.best.val_n, subject.train_images
    if val is not None:
        yield "train", f"{total - val:,}", "supernet, search, and training of the trials"
        yield "val", f"{val:,}", "scores of the search, and the objective of the study"
    yield "train and val", f"{total:,}", "final training of this network"
    yield "test", f"{subject.best.test_n:,}", "read once, after the final training"


def _compute(provenance: Mapping[str, Any]) -> list[str]:
    compute = provenance["compute"]
    total = {name: sum(row[name] for row in compute) for name in ("jobs", *SECONDS)}
    rows = [
        [row["stage"], row["device"], row["jobs"], *(f"{row[name]:,.0f}" for name in SECONDS)]
        for row in [*compute, total | {"stage": "**all**", "device": ""}]
    ]
    versions = ", ".join(f"{name} {version}" for name, version in provenance["versions"].items())
    return [
        *_table(("stage", "device", "jobs", *SECONDS.values()), rows),
        "",
        "Each job counts with the process that finished it. Earlier attempts that were killed are not counted.",
        "",
        f"Made with {versions}, Python {provenance['python']}, on {provenance['platform']}; "
        f"revision {provenance['revision'] or 'not known'}; {provenance['started']}.",
    ]


def _table(head: Sequence[str], rows: Sequence[Sequence[Any]] | Iterator[Sequence[Any]]) -> list[str]:
    """Return a Markdown table."""
    body = [[_cell(value) for value in row] for row in rows]
    lines = [[_cell(name) for name in head], ["---"] * len(head), *body]
    return [f"| {' | '.join(line)} |" for line in lines]


def _cell(value: Any) -> str:
    return str(value).replace("|", "\\|").replace("\n", " ")
