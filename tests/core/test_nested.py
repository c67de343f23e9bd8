import pytest
from nasmake.core.nested import assign, value_at


def test_assign_creates_the_mappings_on_the_way_and_keeps_the_others():
    settings = {"supernet": {"lr": 0.1}}
    assign(settings, "supernet.lr", 0.2)
    assign(settings, "search.constraint.macs", 5)
    assign(settings, "run", "x")
    assert settings == {"supernet": {"lr": 0.2}, "search": {"constraint": {"macs": 5}}, "run": "x"}


def test_value_at_a_path_and_its_default():
    settings = {"search": {"constraint": {"macs": 5}}, "run": None}
    assert value_at(settings, "search.constraint.macs") == 5
    assert value_at(settings, "search.constraint.parameters", 7) == 7
    assert value_at(settings, "run.name", None) is None
    with pytest.raises(KeyError):
        value_at(settings, "search.limits.macs")
