import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from nasmake.data.loading.crops import CropPositions, GatheredWindows, RowWindows

every_kind = pytest.mark.parametrize("kind", [RowWindows, GatheredWindows])


def one_by_one(images, border, rows, positions):
    """Cut the windows image by image; return [n, H, W, C]."""
    _, height, width, _ = images.shape
    windows = []
    for row, top, left, mirror in zip(rows, positions.tops, positions.lefts, positions.mirrored, strict=True):
        image = np.pad(images[row], ((border, border), (border, border), (0, 0)))[top : top + height]
        image = image[:, left : left + width]
        windows.append(image[:, ::-1] if mirror else image)
    return np.stack(windows)


@st.composite
def batches(draw):
    """Images, a border, and one window each of some of them, in any order and with repetitions."""
    shape = [draw(st.integers(1, most)) for most in (6, 9, 9)] + [draw(st.sampled_from([1, 3]))]
    border, count = draw(st.integers(0, 3)), draw(st.integers(1, 8))
    generator = np.random.default_rng(draw(st.integers(0, 999)))
    tops, lefts = generator.integers(0, 2 * border + 1, (2, count))
    mirrored = generator.random(count) < draw(st.sampled_from([0.0, 0.5, 1.0]))
    images = generator.integers(1, 256, shape, dtype=np.uint8)
    return images, border, generator.integers(0, shape[0], count), CropPositions(tops, lefts, mirrored)


@every_kind
@given(batch=batches())
def test_equal_to_one_image_at_a_time(kind, batch):
    images, border, rows, positions = batch
    cut = kind(torch.from_numpy(images), border).cut(torch.from_numpy(rows), positions)
    assert cut.dtype == torch.uint8
    np.testing.assert_array_equal(cut, one_by_one(images, border, rows, positions))


@every_kind
@pytest.mark.parametrize("border", [0, 2])
def test_what_is_cut_is_a_copy(kind, border):
    images = torch.arange(48, dtype=torch.uint8).view(2, 4, 6, 1)
    before = images.clone()
    windows = kind(images, border)
    positions = CropPositions(np.zeros(2, np.int64), np.zeros(2, np.int64), np.array([False, True]))
    first = windows.cut(torch.arange(2), positions)
    expected = first.clone()
    first.zero_()
    assert torch.equal(windows.cut(torch.arange(2), positions), expected)
    assert torch.equal(images, before)


@every_kind
@pytest.mark.parametrize("border", [0, 1])
def test_images_need_not_be_contiguous(kind, border):
    images = np.random.default_rng(0).integers(1, 256, (3, 5, 4, 3), dtype=np.uint8)[..., :1]
    positions = CropPositions(np.array([0, 2 * border]), np.array([border, 0]), np.array([True, False]))
    cut = kind(torch.from_numpy(images), border).cut(torch.tensor([2, 0]), positions)
    np.testing.assert_array_equal(cut, one_by_one(images, border, [2, 0], positions))
