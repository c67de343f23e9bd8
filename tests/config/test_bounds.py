"""Nonsense in a configuration: numbers without bounds, paths that no file can have, and content that is no mapping."""

import pytest
from nasmake.config import load
from nasmake.core.errors import InputError

ONE_TRIAL = {"optimize": {"trial_number": 1}}


def with_parameter(**changes):
    parameter = {"name": "initial_lr", "type": "uniform_float", "lower": 0.1, "upper": 1.0} | changes
    return {"optimize": {"parameters": [parameter]}}


def error_of(raw):
    with pytest.raises(InputError) as error:
        load(raw)
    text = str(error.value)
    assert text.startswith("config: ") and text.isprintable() and len(text) < 300
    return text.removeprefix("config: ")


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ({"nas": {"seed": True}}, "nas.seed is true; expected a number"),
        ({"nas": {"seed": "true"}}, "nas.seed is true; expected a number"),
        ({"supernet": {"lr": False}}, "supernet.lr is false; expected a number"),
        ({"evidence": {"seeds": [1, True]}}, "evidence.seeds is [1, true]; expected a number"),
        (
            {"nas": {"num_epochs_supernet_train": 10**12}},
            "nas.num_epochs_supernet_train is 1000000000000; expected",
        ),
        ({"search": {"population_size": 10**8}}, "search.population_size is 100000000; expected 100000 or less"),
        ({"supernet": {"lr": 1e30}}, "supernet.lr is 1e+30; expected 1e+20 or less"),
        ({"trainer": {"num_threads": 10**5}}, "trainer.num_threads is 100000; expected 4096 or less"),
        ({"nas": {"seed": 10**20}}, "nas.seed is 100000000000000000000; expected 9.22337203685478e+18 or less"),
        ({"supernet": {"batch_size": "9" * 5000}}, f"supernet.batch_size is {'9' * 57}...; expected a whole number"),
        ({"supernet": {"batch_size": 10**5000}}, "supernet.batch_size is a value that cannot be shown; expected "),
        ({"search": {"constraint": {"macs": 10**400}}}, "search.constraint.macs is 1000"),
        ({"dataset": {"path": "a\0b"}}, r'dataset.path is "a\u0000b"; expected a path that is not empty and has no'),
        ({"dataset": {"path": "a\x1b[2J"}}, r'dataset.path is "a\u001b[2J"; expected a path'),
        ({"dataset": {"path": "x" * 300}}, f"dataset.path is {'x' * 57}...; expected at most 1000 bytes, and 200 in"),
        ({"run": "x" * 300}, f"run is {'x' * 57}...; expected at most 200 bytes"),
        ({"supernet": None, "initial_lr": 0.1}, "supernet is null; expected a mapping"),
        ({"supernet": 7, "initial_lr": 0.1}, "supernet is 7; expected a mapping"),
        ({"nas": {"seed": {1: {(): 2}}}}, "nas.seed is a value that cannot be shown; expected a whole number"),
        (with_parameter(upper=1e300), "optimize.parameters.0.upper is 1e+300; expected 1e+15 or less"),
        (with_parameter(step=1e-300), "optimize.parameters.0.step is 1e-300; expected 1e-12 or more"),
        (with_parameter(initial=10**400), "optimize.parameters.0.initial_lr: initial is 1000"),
        (with_parameter(initial=True), "optimize.parameters.0.initial_lr: initial is true; expected a number"),
        (with_parameter(initial="inf"), "optimize.parameters.0.initial_lr: initial is inf; expected a number"),
    ],
)
def test_nonsense_that_would_be_read_or_overflow_is_one_line(raw, message):
    assert error_of(ONE_TRIAL | raw).startswith(message)


@pytest.mark.parametrize("raw", [7, None, [1], "nas"])
def test_content_that_is_no_mapping(raw):
    assert error_of(raw).startswith("content is ")


def test_nesting_without_an_end_is_one_line():
    raw = {}
    for _ in range(5000):
        raw = {"nas": raw}
    error_of(raw)
