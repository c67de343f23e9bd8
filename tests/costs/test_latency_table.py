"""costs/latency_table.py: the table in nanoseconds, and refused files."""

import pytest
from nasmake.core.errors import InputError
from nasmake.core.files import write_json
from nasmake.costs.latency_table import read_latency
from small_spaces import build, content, latency_file, made_up_latency, shipped

SPACE = shipped("proxyless_digits")
FACTS = (1, 8)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "table.json"


def test_medians_in_nanoseconds(path):
    write_json(path, latency_file(SPACE, *FACTS))
    assert read_latency(path, SPACE, *FACTS) == made_up_latency(SPACE, *FACTS)


def test_units_of_no_network_of_the_space_are_left_out(path):
    table = latency_file(SPACE, *FACTS)
    table["entries"]["mbconv_k9"] = {"median_ms": 1.0}
    write_json(path, table)
    assert "mbconv_k9" not in read_latency(path, SPACE, *FACTS)


def another_space():
    mapping = content("proxyless_digits")
    mapping["search_range"]["expansion_ratio"] = [1, 3, 4]
    return latency_file(build(mapping, "another"), *FACTS)


def changed(key, value):
    return latency_file(SPACE, *FACTS) | {key: value}


def without(name):
    table = latency_file(SPACE, *FACTS)
    del table[name]
    return table


def entries(change):
    table = latency_file(SPACE, *FACTS)
    first = min(table["entries"])
    table["entries"][first] = change
    return table


CASES = {
    "another space": (
        another_space,
        f"; expected proxyless_digits ({SPACE.hash}), which this study searches; to measure one, type:",
    ),
    "another image size": (
        lambda: latency_file(SPACE, 1, 12),
        "image_shape is [12, 12, 1]; expected [8, 8, 1], the images of this study",
    ),
    "no entries": (lambda: changed("entries", {}), "entries: 33 of 33 are missing, the first is head_k1_s1_i32_o128"),
    "entries of another form": (lambda: changed("entries", [1]), "entries: 33 of 33 are missing"),
    "no table": (lambda: without("space_hash"), "space_hash is missing; expected a latency table"),
    "no median": (lambda: entries({}), "entries.head_k1_s1_i32_o128_c10_r4.median_ms is null; expected a number"),
    "no entry": (lambda: entries(None), "median_ms is null; expected a number"),
    "negative": (lambda: entries({"median_ms": -1}), "median_ms is -1; expected a number of milliseconds >= 0"),
    "text": (lambda: entries({"median_ms": "1"}), 'median_ms is "1"; expected a number'),
}


@pytest.mark.parametrize("case", CASES)
def test_tables_that_do_not_fit_are_refused_in_one_line_with_the_file(path, case):
    table, expected = CASES[case]
    write_json(path, table())
    with pytest.raises(InputError) as error:
        read_latency(path, SPACE, *FACTS)
    text = str(error.value)
    assert text.startswith(f"{path}: ") and expected in text and "\n" not in text


def test_missing_file(path):
    with pytest.raises(InputError, match=r"table\.json: no such file"):
        read_latency(path, SPACE, *FACTS)


@pytest.mark.parametrize("median", ["1e300", "1e10", "true", "-1", "null", '"1"'])
def test_median_that_no_unit_can_take(path, median):
    write_json(path, latency_file(SPACE, *FACTS))
    path.write_text(path.read_text().replace('"median_ms": 0.', f'"median_ms": {median}, "x": 0.'))
    with pytest.raises(InputError, match=r"median_ms is .*; expected a number of milliseconds >= 0 and <= 1000000000$"):
        read_latency(path, SPACE, *FACTS)


def test_not_a_number(path):
    write_json(path, latency_file(SPACE, *FACTS))
    path.write_text(path.read_text().replace('"median_ms": 0.', '"median_ms": NaN, "x": 0.'))
    with pytest.raises(InputError, match="NaN is no number of JSON"):
        read_latency(path, SPACE, *FACTS)
