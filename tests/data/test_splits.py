import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nasmake.core.errors import InputError
from nasmake.data.splits import choose_classes, largest_remainder, split_train_val

LABELS = st.lists(st.integers(0, 6), min_size=2, max_size=120).map(np.array)


@given(LABELS, st.data(), st.integers(0, 2**31))
def test_parts_are_sorted_disjoint_complete_and_proportional(labels, data, seed):
    num_val = data.draw(st.integers(1, len(labels) - 1))
    train, val = split_train_val(labels, num_val, seed)
    assert len(val) == num_val
    assert np.all(np.diff(train) > 0) and np.all(np.diff(val) > 0)
    assert sorted([*train, *val]) == list(range(len(labels)))
    shares = np.bincount(labels) * num_val / len(labels)
    assert np.all(np.abs(np.bincount(labels[val], minlength=len(shares)) - shares) < 1)


@given(LABELS, st.integers(0, 2**31))
def test_a_split_is_a_function_of_its_seed(labels, seed):
    first, second = (split_train_val(labels, 1, seed) for _ in range(2))
    np.testing.assert_array_equal(first[1], second[1])


def test_seeds_give_different_splits():
    labels = np.arange(1000) % 10
    assert not np.array_equal(split_train_val(labels, 500, 1)[1], split_train_val(labels, 500, 2)[1])


def test_largest_remainder_by_hand():
    assert largest_remainder(np.array([47, 16, 16, 21]), 10).tolist() == [5, 2, 1, 2]


@pytest.mark.parametrize("num_val", [-1, 0, 10, 11])
def test_number_out_of_range(num_val):
    message = rf"dataset.num_data_architecture_search is {num_val}; expected 1 .. 9, .* 10 training images$"
    with pytest.raises(InputError, match=message):
        split_train_val(np.zeros(10, np.int64), num_val, 0)


def test_chosen_classes_are_a_function_of_the_seed():
    drawn = [tuple(choose_classes(10, 100, seed)) for seed in (0, 0, 1)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert all(len(set(classes)) == 10 and list(classes) == sorted(classes) for classes in drawn)
