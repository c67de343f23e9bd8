import pytest
from nasmake.config import load
from nasmake.core.declared import UndeclaredKeyError, restrict

ONE_TRIAL = {"optimize": {"trial_number": 1}}


def test_declared_keys_and_whole_sections_can_be_read():
    view = restrict(load(ONE_TRIAL), ["nas.seed", "search"], "a stage")
    assert view.nas.seed == 42
    assert view.search.constraint.macs is None


@pytest.mark.parametrize("read", [lambda view: view.nas.type, lambda view: view.supernet, lambda view: view.run])
def test_anything_else_names_the_key_and_the_reader(read):
    view = restrict(load(ONE_TRIAL), ["nas.seed", "search"], "the stage retrain")
    with pytest.raises(
        UndeclaredKeyError, match=r"the stage retrain reads (nas\.type|supernet|run), which it does not"
    ):
        read(view)


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError):
        restrict(load(ONE_TRIAL), ["nas"], "a stage").nass  # noqa: B018
