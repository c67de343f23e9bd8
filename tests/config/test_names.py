"""Names in the configuration: of a run, and of the samplers."""

import unicodedata

import pytest
from nasmake.config import load
from test_config import ONE_TRIAL, error_of


@pytest.mark.parametrize("name", ["日本語", "Prüfstand", "ก็", "a_1.b-c"])
def test_run_has_letters_of_any_script_in_their_composed_form(name):
    assert load(ONE_TRIAL | {"run": unicodedata.normalize("NFD", name)}).run == unicodedata.normalize("NFC", name)


@pytest.mark.parametrize("short", ["Grid", "NelderMead", "Tpe"])
def test_sampler_has_the_same_name_with_and_without_optimizer(short):
    same = [
        load(ONE_TRIAL | {"optimize": {"trial_number": 1, "search_algorithm": one}})
        for one in (short, f"{short}Optimizer")
    ]
    assert same[0] == same[1] and same[0].optimize.sampler == f"{short}Optimizer"
    line = error_of({"optimize": {"search_algorithm": "Annealing"}})
    assert line.endswith(
        "expected one of Tpe, Random, Sobol, Grid, NelderMead, or aiaccel's name such as GridOptimizer"
    )


@pytest.mark.parametrize("name", ["a b", "../x", "a/b", ".hidden", "", "a\n", "日本 語", "日本/語", "❤", "語" * 70])
def test_run_that_is_no_folder_name(name):
    assert error_of(ONE_TRIAL | {"run": name}).startswith("run is ")
