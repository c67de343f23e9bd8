"""Data sets other than the bundled one, from their genuine formats to a tested network."""

import json
from pathlib import Path

import numpy as np
import pytest
import small_data
from conftest import make_checkout
from PIL import Image
from safetensors.torch import load_file
from studies import write_config

PARTS = ("train", "test")
FASHION = Path("/usr/share/datasets/fashion-mnist")
CIFAR = {
    "run": "small",
    "dataset": {"name": "cifar10", "num_data_architecture_search": 100},
    "nas": {"num_epochs_supernet_train": 1, "num_epochs_architecture_search": 1, "num_epochs_retrain": 1},
    "supernet": {"batch_size": 50},
    "search": {"batch_size": 50, "population_size": 2, "recalibration_images": 50},
    "optimize": {"trial_number": 1, "parameters": []},
    "promote": {"top": 1},
    "final": {"baseline": False},
}


def best(checkout):
    return json.loads((checkout.folder / "results/small/study/best.json").read_text())


def manifest(checkout, name):
    return json.loads((checkout.folder / f"resources/datasets/{name}/manifest.json").read_text())


@pytest.mark.slow
@pytest.mark.parametrize("space", ["proxyless", "mnasnet"])
def test_cifar10_from_a_mirror_to_test_accuracy(checkout, tmp_path, space):
    (tmp_path / "mirror").mkdir()
    checksum = small_data.write_cifar10_archive(tmp_path / "mirror/cifar-10-python.tar.gz", 250, 60)
    with small_data.serve(tmp_path / "mirror") as base:
        source = {"url": f"{base}/cifar-10-python.tar.gz", "sha256": checksum}
        study = write_config(checkout.folder, CIFAR, {"dataset": source, "nas": {"search_space": space}})
        output = checkout.run("--configfile", study, "--cores", "2")
    assert output.count(f"search space config/search_spaces/config_{space}_cifar10.yaml") == 1
    assert best(checkout)["test_n"] == 60
    assert 0 <= best(checkout)["test_accuracy"] <= 1
    assert manifest(checkout, "cifar10")["train"]["count"] == 250


@pytest.mark.parametrize("name", ["cifar10", "cifar100"])
def test_archive_that_lies_in_the_path_is_taken(checkout, name):
    archive = checkout.folder / f"resources/datasets/{name.replace('cifar', 'cifar-')}-python.tar.gz"
    archive.parent.mkdir(parents=True)
    checksum = getattr(small_data, f"write_{name}_archive")(archive, 300, 100)
    study = write_config(checkout.folder, CIFAR, {"dataset": {"name": name, "sha256": checksum}})
    checkout.run("--configfile", study, "--cores", "2", "--until", "download_dataset")
    assert manifest(checkout, name)["test"]["count"] == 100


def test_wrong_checksum_keeps_the_file_aside_and_names_it(checkout):
    archive = checkout.folder / "resources/datasets/cifar-10-python.tar.gz"
    archive.parent.mkdir(parents=True)
    small_data.write_cifar10_archive(archive)
    content = archive.read_bytes()
    study = write_config(checkout.folder, CIFAR, {"dataset": {"sha256": "0" * 64}})
    code, output = checkout.run("--configfile", study, "--cores", "2", "--until", "download_dataset", check=False)
    (line,) = (checkout.folder / "results/small/logs/download_dataset.log").read_text().splitlines()[-1:]
    (aside,) = (path for path in archive.parent.glob("[!.]*") if path.is_file())
    assert code != 0 and "Traceback" not in output
    assert aside != archive and aside.read_bytes() == content
    assert line.startswith("error: ") and aside.name in line and "0" * 64 in line


@pytest.mark.slow
@pytest.mark.skipif(not FASHION.is_dir(), reason="needs Debian's package dataset-fashion-mnist")
def test_fashion_mnist_of_debian_to_test_accuracy(checkout):
    tiny = {
        "dataset": {"name": "fashion_mnist", "num_data_architecture_search": 58000},
        "nas": {"num_epochs_supernet_train": 1, "num_epochs_retrain": 1},
        "search": {"batch_size": 500, "constraint": {"macs": 1200000}},
        "retrain": {"warmup_epochs": 0},
        "final": {"num_epochs": 1},
    }
    study = write_config(checkout.folder, CIFAR, tiny)
    checkout.run("--configfile", "config/presets/fashion_mnist.yaml", study, "--cores", "2", timeout=1400)
    log = (checkout.folder / "results/small/logs/download_dataset.log").read_text()
    assert log.startswith(f"source: {FASHION} (Debian's package dataset-fashion-mnist)\n")
    prepared = manifest(checkout, "fashion_mnist")
    assert prepared["train"]["per_class"]["Bag"] == 6000 and prepared["test"]["count"] == 10000
    assert (prepared["mean"], prepared["std"]) == (pytest.approx([0.2860], abs=1e-4), pytest.approx([0.3530], abs=1e-4))
    assert best(checkout)["test_n"] == 10000 and best(checkout)["test_accuracy"] > 0.6


@pytest.mark.slow
def test_image_folder_to_test_accuracy(checkout):
    small_data.write_image_folder(checkout.folder / "photos", per_class=40, test_per_class=10)
    folder = {"name": "image_folder", "path": "photos", "image_size": 16, "num_data_architecture_search": 30}
    study = write_config(checkout.folder, CIFAR, {"dataset": folder})
    checkout.run("--configfile", study, "--cores", "2")
    assert best(checkout)["test_n"] == 30


@pytest.mark.slow
@pytest.mark.parametrize("preset", ["imagenet_proxyless", "imagenet_mnasnet"])
def test_folders_as_imagenet_has_them_searched_on_half_of_the_classes(checkout, preset):
    write_imagenet(checkout.folder / "photos")
    data = {"name": "imagenet", "path": "photos", "image_size": 32, "num_data_architecture_search": 60}
    small = {
        "dataset": data | {"num_search_classes": 6},
        "environment": {"gpus": 1, "num_workers": 1},
        "supernet": {"batch_size": 20, "lr": 0.01},
        "search": {"recalibration_images": 40},
        "retrain": {"hyperparameters": {"base_lr": 0.01, "batch_size": 20}},
        "trainer": {"accelerator": "cpu"},
    }
    study = write_config(checkout.folder, CIFAR, small)
    checkout.run("--configfile", f"config/presets/{preset}.yaml", study, "--cores", "2")
    assert best(checkout)["test_n"] == 12 * 4
    supernet = json.loads((checkout.folder / "results/small/shared/supernet.json").read_text())
    assert supernet["split"]["dataset.num_search_classes"] == 6
    assert supernet["search_space"]["name"] == f"{preset.removeprefix('imagenet_')}_imagenet"


def write_imagenet(folder):
    """12 classes of 20 images for training and 4 for the test, of varying size; one greyscale, one CMYK."""
    generator = np.random.default_rng(0)
    for part, count in (("train", 20), ("val", 4)):
        for label in range(12):
            wnid = folder / part / f"n{label:08d}"
            wnid.mkdir(parents=True)
            for number in range(count):
                pixels = generator.integers(0, 256, (*generator.integers(40, 70, 2), 3)).astype(np.uint8)
                mode = {(0, 0): "L", (0, 1): "CMYK"}.get((label, number), "RGB")
                Image.fromarray(pixels).convert(mode).save(wnid / f"{wnid.name}_{number}.JPEG")


@pytest.mark.slow
def test_cifar100_is_trained_on_100_classes(checkout):
    archive = checkout.folder / "resources/datasets/cifar-100-python.tar.gz"
    archive.parent.mkdir(parents=True)
    data = {"name": "cifar100", "sha256": small_data.write_cifar100_archive(archive, 400, 100)}
    checkout.run("--configfile", write_config(checkout.folder, CIFAR, {"dataset": data}), "--cores", "2")
    weights = load_file(checkout.folder / "results/small/best/model.safetensors")
    assert best(checkout)["test_n"] == 100 and weights["classifier.weight"].shape[0] == 100


@pytest.mark.slow
def test_without_a_test_part_the_best_network_has_no_test_accuracy(checkout):
    small_data.write_image_folder(checkout.folder / "photos", per_class=40, test_per_class=0)
    folder = {"name": "image_folder", "path": "photos", "image_size": 16, "num_data_architecture_search": 30}
    study = write_config(checkout.folder, CIFAR, {"dataset": folder})
    checkout.run("--configfile", study, "--cores", "2")
    assert (best(checkout)["test_n"], best(checkout)["test_accuracy"]) == (0, None)


def test_unreadable_image_is_named(checkout):
    small_data.write_image_folder(checkout.folder / "photos", per_class=3, test_per_class=1)
    broken = sorted((checkout.folder / "photos/train").glob("*/*"))[1]
    broken.write_bytes(broken.read_bytes()[:40])
    folder = {"name": "image_folder", "path": "photos", "image_size": 16, "num_data_architecture_search": 3}
    study = write_config(checkout.folder, CIFAR, {"dataset": folder})
    code, _ = checkout.run("--configfile", study, "--cores", "2", "--until", "download_dataset", check=False)
    (line,) = (checkout.folder / "results/small/logs/download_dataset.log").read_text().splitlines()[-1:]
    assert code != 0 and line.startswith("error: ") and broken.name in line


def test_another_mirror_makes_nothing_again(checkout, tmp_path):
    checksum = small_data.write_cifar10_archive(tmp_path / "a.tar.gz", 200, 50)
    first, second = (
        write_config(checkout.folder, CIFAR, {"dataset": {"url": url, "sha256": checksum}}, name=f"{number}.yaml")
        for number, url in enumerate([f"file://{tmp_path}/a.tar.gz", "https://example.org/cifar-10-python.tar.gz"])
    )
    only = "results/small/shared/dataset.json"
    checkout.run(only, "--configfile", first, "--cores", "2")
    assert "Nothing to be done" in checkout.run(only, "-n", "--configfile", second)


def test_secrets_of_the_url_are_in_no_file_but_the_configuration(checkout, tmp_path):
    checksum = small_data.write_cifar10_archive(tmp_path / "mirror/a.tar.gz", 200, 50)
    secret = f"secret{len(str(tmp_path))}{checksum[:8]}"  # the checkout has this test in it
    with small_data.serve(tmp_path / "mirror") as base:
        url = f"{base.replace('://', f'://me:{secret}@')}/a.tar.gz?token={secret}"
        study = write_config(checkout.folder, CIFAR, {"dataset": {"url": url, "sha256": checksum}})
        only = ("results/small/shared/dataset.json", "--configfile", study, "--cores", "2", "--printshellcmds")
        output = checkout.run(*only, "-n") + checkout.run(*only)
    assert secret not in output
    files = [path for path in checkout.folder.rglob("*") if path.is_file() and not path.is_symlink()]
    assert [path.name for path in files if secret.encode() in path.read_bytes()] == [str(study)]
    log = (checkout.folder / "results/small/logs/download_dataset.log").read_text()
    assert log.startswith(f"source: {base.replace('://', '://***@')}/a.tar.gz?token=***\n")


def test_two_checkouts_share_a_prepared_set_and_its_repair(checkout, tmp_path):
    other, shared = make_checkout(tmp_path / "other"), tmp_path / "shared"
    only = ("results/small/shared/dataset.json", "--cores", "2", "--configfile")
    for each in (checkout, other):
        write_config(each.folder, CIFAR, {"dataset": {"name": "digits", "path": str(shared)}})
        each.run(*only, "study.yaml")
        log = (each.folder / "results/small/logs/download_dataset.log").read_text()
        assert ("already there, all checksums ok" in log) == (each is other)
    before = {path.name: path.stat().st_mtime_ns for path in (shared / "digits").iterdir()}
    assert set(before) == {"manifest.json", *(f"{part}_{kind}.npy" for part in PARTS for kind in ("images", "labels"))}
    (shared / "digits/manifest.json").unlink()  # what the error line of a damaged array says to type
    (shared / "digits/train_images.npy").write_bytes(b"damaged")
    assert "Nothing to be done" not in other.run(*only, "study.yaml")
    assert "Nothing to be done" in checkout.run(*only, "study.yaml")
