"""Images that an exported network sees are those that the network was trained on."""

import numpy as np
import pytest
import torch
from nasmake.core.errors import InputError
from nasmake.data.loading.arrays import ArraySource
from nasmake.data.preprocessing import exported_preprocessing
from nasmake.engine.predict import load_images, normalised, predict
from PIL import Image

MANIFEST = {"image_shape": [6, 6, 3], "mean": [0.2, 0.4, 0.5], "std": [0.3, 0.2, 0.0], "classes": ["ant", "bee"]}


def test_normalised_images_are_those_of_the_training():
    pixels = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (4, 6, 6, 3), dtype=np.uint8))
    source = ArraySource(pixels, torch.zeros(4, dtype=torch.int64), 4, (), mean=MANIFEST["mean"], std=MANIFEST["std"])
    torch.testing.assert_close(normalised(pixels, exported_preprocessing(MANIFEST)), source.batch(0, 0)[0])


@pytest.mark.parametrize("manifest", [MANIFEST, MANIFEST | {"stored": "files"}])
def test_files_of_any_size_and_mode_are_read(tmp_path, manifest):
    paths = [tmp_path / "grey.png", tmp_path / "wide.jpg"]
    Image.new("L", (9, 30), 128).save(paths[0])
    Image.new("RGB", (50, 20), (255, 0, 0)).save(paths[1])
    images = load_images(paths, exported_preprocessing(manifest))
    assert images.shape == (2, 3, 6, 6)
    assert images[0, 0, 0, 0].item() == pytest.approx((128 / 255 - 0.2) / 0.3)


def test_missing_network_and_unreadable_image_are_errors_of_one_line(tmp_path):
    with pytest.raises(InputError, match=r"--model: .*model.pt2: no such file; expected the folder `best`"):
        predict(tmp_path, [])
    (tmp_path / "note.txt").write_text("no image")
    with pytest.raises(InputError, match=r"note.txt: cannot be read as an image"):
        load_images([tmp_path / "note.txt"], exported_preprocessing(MANIFEST))
