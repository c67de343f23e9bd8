import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nasmake.core.errors import InputError
from nasmake.data.shares import largest_remainder, leave_one
from nasmake.data.splits import choose_classes, choose_part, split_train_val

LABELS = st.lists(st.integers(0, 6), max_size=120).map(lambda labels: np.array([0, *labels, 0]))


@given(LABELS, st.data(), st.integers(0, 2**31))
def test_parts_are_sorted_disjoint_complete_and_proportional(labels, data, seed):
    num_val = data.draw(st.integers(1, len(labels) - len(set(labels.tolist()))))
    train, val = split_train_val(labels, num_val, seed)
    assert len(val) == num_val
    assert np.all(np.diff(train) > 0) and np.all(np.diff(val) > 0)
    assert sorted([*train, *val]) == list(range(len(labels)))
    assert set(labels[train]) == set(labels)
    sizes = [int(size) for size in np.bincount(labels) if size]
    shares = largest_remainder(sizes, num_val)
    if all(share < size for share, size in zip(shares, sizes, strict=True)):
        assert [np.sum(labels[val] == label) for label in np.unique(labels)] == shares


@given(LABELS, st.integers(0, 2**31))
def test_a_split_is_a_function_of_its_seed(labels, seed):
    first, second = (split_train_val(labels, 1, seed) for _ in range(2))
    np.testing.assert_array_equal(first[1], second[1])


def test_seeds_give_different_splits():
    labels = np.arange(1000) % 10
    assert not np.array_equal(split_train_val(labels, 500, 1)[1], split_train_val(labels, 500, 2)[1])


def test_largest_remainder_by_hand():
    assert largest_remainder([47, 16, 16, 21], 10) == [5, 2, 1, 2]


def test_a_class_with_one_image_keeps_it_in_train():
    assert leave_one([32, 32, 1, 1], 17) == [9, 8, 0, 0]
    assert leave_one([32, 32, 1, 1], 62) == [31, 31, 0, 0]
    assert leave_one([47, 16, 16, 21], 10) == [5, 2, 1, 2]
    labels = np.repeat(np.arange(4), [32, 32, 1, 1])
    train, val = split_train_val(labels, 17, 0)
    assert np.bincount(labels[train], minlength=4).tolist() == [23, 24, 1, 1]
    assert np.bincount(labels[val], minlength=4).tolist() == [9, 8, 0, 0]


def test_splits_of_larger_classes_have_their_earlier_bytes():
    """The rows of val as version 0.1.0 drew them."""
    labels = np.arange(1200) * 7 % 10
    rows = split_train_val(labels, 600, 42)[1]
    assert hashlib.sha256(rows.astype(np.int64).tobytes()).hexdigest()[:16] == "668b08d2e95f59e3"


@pytest.mark.parametrize("num_val", [-1, 0, 9, 10])
def test_number_out_of_range(num_val):
    message = rf"dataset.num_data_architecture_search is {num_val}; expected 1 .. 8, .* 10 training images, and each of"
    with pytest.raises(InputError, match=message):
        split_train_val(np.arange(10) % 2, num_val, 0)


@given(LABELS, st.data(), st.integers(0, 2**31))
def test_part_is_stratified_and_has_every_class(labels, data, seed):
    classes = set(labels.tolist())
    num_train = data.draw(st.integers(len(classes), len(labels)))
    part = choose_part(labels, num_train, seed)
    assert len(part) == num_train and np.all(np.diff(part) > 0) and set(labels[part].tolist()) == classes
    np.testing.assert_array_equal(part, choose_part(labels, num_train, seed))


def test_part_has_the_shares_of_the_classes():
    labels = np.repeat(np.arange(3), [600, 300, 100])
    assert np.bincount(labels[choose_part(labels, 100, 0)]).tolist() == [60, 30, 10]
    np.testing.assert_array_equal(choose_part(labels, None, 0), np.arange(1000))
    assert not np.array_equal(choose_part(labels, 100, 0), choose_part(labels, 100, 1))


@pytest.mark.parametrize("num_train", [2, 1001])
def test_part_of_a_wrong_size(num_train):
    message = rf"dataset.num_train is {num_train}; expected 3 .. 1000, because there are 1000 training images of 3"
    with pytest.raises(InputError, match=message):
        choose_part(np.repeat(np.arange(3), [600, 300, 100]), num_train, 0)


def test_chosen_classes_are_a_function_of_the_seed():
    drawn = [tuple(choose_classes(10, 100, seed)) for seed in (0, 0, 1)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert all(len(set(classes)) == 10 and list(classes) == sorted(classes) for classes in drawn)
