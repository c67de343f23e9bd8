import numpy as np
import pytest
import torch
from nasmake.core.seeding import numpy_generator
from nasmake.data.loading.arrays import ArraySource, Augmentation

MEAN, STD = [0.4, 0.5, 0.6], [0.2, 0.25, 0.3]
IMAGES = torch.from_numpy(np.random.default_rng(0).integers(1, 256, (23, 6, 7, 3), dtype=np.uint8))
LABELS = torch.arange(23)  # the index of each image
AUGMENTATIONS = [None, Augmentation(pad=2), Augmentation(flip=True), Augmentation(pad=2, flip=True)]


def make(batch_size=5, seed_key=(0, "test"), **options):
    return ArraySource(IMAGES, LABELS, batch_size, seed_key, mean=MEAN, std=STD, **options)


def pixel_values(images):
    """Undo the normalisation; return integers [n, H, W, C]."""
    pixels = (images.permute(0, 2, 3, 1) * torch.tensor(STD) + torch.tensor(MEAN)) * 255
    np.testing.assert_allclose(pixels, pixels.round(), atol=1e-3)
    return pixels.round().to(torch.int64).numpy()


@pytest.mark.parametrize("augment", AUGMENTATIONS)
def test_equal_to_a_loop_over_images(augment):
    source = make(shuffle=True, augment=augment)
    pad, flip = (augment.pad, augment.flip) if augment else (0, False)
    for step in source:
        images, labels = source.batch(3, step)
        generator = numpy_generator(0, "test", "augment", 3, step)
        tops, lefts = generator.integers(0, 2 * pad + 1, (2, len(labels), 1))[..., 0]
        mirrored = generator.random(len(labels)) < 0.5
        for image, label, top, left, mirror in zip(pixel_values(images), labels, tops, lefts, mirrored, strict=True):
            expected = np.pad(IMAGES[label].numpy(), ((pad, pad), (pad, pad), (0, 0)))
            expected = expected[top : top + 6, left : left + 7]
            np.testing.assert_array_equal(image, expected[:, ::-1] if mirror and flip else expected)


def test_crops_and_flips_really_happen():
    source = make(batch_size=23, augment=Augmentation(pad=2, flip=True))
    windows = {image.tobytes() for epoch in range(40) for image in pixel_values(source.batch(epoch, 0)[0][:1])}
    assert len(windows) > 20  # of 5 x 5 x 2


def test_nothing_is_flipped_unless_asked():
    images, labels = make(batch_size=23, shuffle=True, augment=Augmentation(pad=0)).batch(0, 0)
    np.testing.assert_array_equal(pixel_values(images), IMAGES[labels].numpy())


@pytest.mark.parametrize("augment", AUGMENTATIONS)
def test_a_batch_depends_on_its_seed_key_epoch_and_step_only(augment):
    used, fresh = make(shuffle=True, augment=augment), make(shuffle=True, augment=augment)
    for epoch, step in [(0, 0), (5, 3), (1, 4), (0, 2)]:
        used.batch(epoch, step)
    for mine, other in zip(used.batch(5, 3), fresh.batch(5, 3), strict=True):
        assert torch.equal(mine, other)
    assert not torch.equal(make(shuffle=True, seed_key=(1, "test")).batch(5, 3)[1], fresh.batch(5, 3)[1])


def test_every_epoch_has_its_own_order_of_all_images():
    source = make(shuffle=True)
    orders = [torch.cat([source.batch(epoch, step)[1] for step in source]) for epoch in range(2)]
    assert not torch.equal(*orders)
    assert all(sorted(order.tolist()) == list(range(23)) for order in orders)


def test_evaluation_sees_every_image_once_in_order():
    source = make()
    assert len(source) == 5
    assert torch.equal(torch.cat([source.batch(0, step)[1] for step in source]), LABELS)


def test_training_leaves_the_incomplete_batch_out():
    source = make(drop_last=True)
    assert [len(source.batch(0, step)[1]) for step in source] == [5] * 4


def test_a_set_smaller_than_a_batch_is_one_batch():
    source = make(batch_size=100, drop_last=True, augment=Augmentation(pad=1))
    assert [len(source.batch(0, step)[1]) for step in source] == [23]


@pytest.mark.parametrize("augment", AUGMENTATIONS)
@pytest.mark.parametrize("channels", [1, 3])
def test_type_and_memory(augment, channels):
    source = ArraySource(
        IMAGES[..., :channels], LABELS, 4, (0,), mean=MEAN[:channels], std=STD[:channels], augment=augment
    )
    images, labels = source.batch(0, 0)
    assert images.shape == (4, channels, 6, 7) and images.dtype == torch.float32
    assert images.is_contiguous(memory_format=torch.channels_last)
    assert labels.dtype == torch.int64
    contiguous = ArraySource(
        IMAGES[..., :channels],
        LABELS,
        4,
        (0,),
        mean=MEAN[:channels],
        std=STD[:channels],
        augment=augment,
        memory_format=torch.contiguous_format,
    ).batch(0, 0)[0]
    assert torch.equal(contiguous, images) and contiguous.stride() == (channels * 42, 42, 7, 1)


@pytest.mark.parametrize("channels", [1, 3])
def test_normalisation(channels):
    images = IMAGES[..., :channels]
    source = ArraySource(images, LABELS, 23, (0,), mean=MEAN[:channels], std=STD[:channels])
    expected = (images.numpy() / 255 - MEAN[:channels]) / STD[:channels]
    np.testing.assert_allclose(source.batch(0, 0)[0].permute(0, 2, 3, 1), expected, rtol=0, atol=2e-6)


@pytest.mark.parametrize("augment", AUGMENTATIONS)
def test_a_batch_shares_no_memory_with_the_next(augment):
    source = make(augment=augment)
    images, labels = source.batch(0, 0)
    before = images.clone(), labels.clone()
    images.zero_(), labels.zero_()
    for again, expected in zip(source.batch(0, 0), before, strict=True):
        assert torch.equal(again, expected)


def test_channel_without_contrast_stays_finite():
    source = ArraySource(torch.full((2, 3, 3, 1), 51, dtype=torch.uint8), LABELS[:2], 2, (0,), mean=[0.2], std=[0.0])
    assert torch.all(source.batch(0, 0)[0].abs() < 1e-4)


def test_original_images_stay_as_they_are():
    before = IMAGES.clone()
    make(augment=Augmentation(pad=2, flip=True)).batch(0, 0)
    make().batch(0, 0)
    assert torch.equal(IMAGES, before)


@pytest.mark.parametrize("step", [-1, 5])
def test_step_outside_of_the_epoch(step):
    with pytest.raises(IndexError):
        make().batch(0, step)


def test_what_lightning_asks_for():
    source = make()
    assert list(source) == list(range(5))
    source.load_state_dict(source.state_dict())
