"""search_spaces/own_operations.py: reading a Python file of operations without running it, and who may run it."""

import json
import subprocess
import sys
from random import Random

import own_operations
import pytest
import torch
from nasmake.core.errors import InputError
from nasmake.costs.table import CostTable, count_parameters
from nasmake.models.network import Network
from nasmake.models.supernet import CANDIDATES, Supernet
from nasmake.search_spaces import Architecture, SearchSpace
from nasmake.search_spaces.library import given_operations, read_architecture
from small_spaces import small
from subnets import measured
from test_start_up import HEAVY


def refused(function, *arguments):
    with pytest.raises(InputError) as error:
        function(*arguments)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    own_operations.write_files(tmp_path)
    return tmp_path / own_operations.OPERATIONS


def architecture(file):
    space = own_operations.space_of(file)
    return Architecture.from_decisions(space.encode(space.decode(space.sample(Random(3)))), space)


def test_names_are_read_without_running_the_file(file):
    file.write_text("raise SystemExit('run')\nOPERATIONS: dict = {'one': 1, 'two_2': 2}\n")
    assert [*given_operations(file)] == ["one", "two_2"]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("x = 1", 'OPERATIONS is missing; expected a dictionary at the top level, such as OPERATIONS = {"my_block": '),
        ("\nOPERATIONS = dict(a=1)", "line 2: expected a dictionary with names, such as OPERATIONS = "),
        ("OPERATIONS = {}", "line 1: expected a dictionary with names"),
        ("OPERATIONS = {'mbconv': 1}", "OPERATIONS has mbconv; expected another name, because nasmake has this operat"),
        ("OPERATIONS = {'zero': 1}", "OPERATIONS has zero; expected another name"),
        ("OPERATIONS = {'Mine': 1}", "OPERATIONS has Mine; expected names of a to z, digits and _, as text"),
        ("OPERATIONS = {NAME: 1}", "OPERATIONS has null; expected names of a to z"),
        ("OPERATIONS = {[]: 1}", "OPERATIONS has null; expected names of a to z"),
        ("def f(:", "line 1: syntax: SyntaxError: "),
    ],
)
def test_files_that_are_refused(file, text, error):
    file.write_text(text)
    assert f"{file}: {error}" in refused(given_operations, file)


def test_no_python_file(tmp_path):
    (tmp_path / "ops.txt").write_text("OPERATIONS = {'a': 1}")
    for name in ("ops.txt", "gone.py"):
        assert refused(given_operations, tmp_path / name).endswith(
            f"{name}: no such file; expected a Python file, whose name ends in .py"
        )


def test_an_architecture_file_is_complete_but_runs_no_code(file):
    found = architecture(file)
    content = json.loads(json.dumps(found.to_json()))
    assert content["operations"]["names"] == ["convnext", "pool"] and "convnext_r1_k5_s1_c16" in content["string"]
    again = Architecture.from_json(content, "architecture.json")
    assert again == found and again.to_json() == found.to_json()
    again.check_member(own_operations.space_of(file), "architecture.json")
    for run in (lambda: Network(again.spec, 1), lambda: count_parameters(again.spec, 1)):
        assert "which runs only if you name it; set nas.operations: " in refused(run)
    own = given_operations(file)
    assert count_parameters(Architecture.from_json(content, "architecture.json", own=own).spec, 1) > 0


def test_its_space_is_checked_without_running_code(file):
    (file.parent / "found.json").write_text(json.dumps(architecture(file).to_json()))
    found, _ = read_architecture(file.parent / "found.json", [file.parent / "my_spaces"])
    assert found.space == "mine_digits"


def test_an_edited_file_is_another_space_and_no_longer_that_of_an_architecture(file):
    before, found = own_operations.space_of(file).hash, architecture(file).to_json()
    file.write_text(file.read_text() + "# edited\n")
    assert own_operations.space_of(file).hash != before
    text = refused(Architecture.from_json, found, "architecture.json", None, given_operations(file))
    assert text.startswith("architecture.json: operations.sha256 is ") and text.endswith(f"the checksum of {file}")


def test_a_file_that_was_edited_after_the_start_is_not_run(file):
    spec = architecture(file).spec
    file.write_text(file.read_text() + "# edited\n")
    assert "has changed since the study was planned; type the same command again" in refused(count_parameters, spec, 1)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"op": "gone"}, "blocks[0].op is gone; expected one of conv, depthwise, sepconv, mbconv, fused, zero, "),
        ({"expand_ratio": 2}, "blocks[0].expand_ratio is 2; expected 1"),
        ({"se_ratio": 0.25}, "blocks[0].se_ratio is 0.25; expected 0 for an operation of yours"),
        ({"activation": "silu"}, "blocks[0].activation: unknown key"),
        ({"se_width": 2}, "blocks[0].se_width: unknown key"),
    ],
)
def test_runs_that_an_operation_cannot_have(file, changes, error):
    run = {"op": "convnext", "kernel_size": 3, "width": 8} | changes
    content = {"stem": {"width": 8, "stride": 1}, "blocks": [run], "head": None}
    assert error in refused(Architecture.from_json, content, "mine.json", 10, given_operations(file))


@pytest.mark.parametrize(
    "entry", [{"file": "my_ops.py"}, {"file": 1, "sha256": "x", "names": ["a"]}, [], {"sha256": "x", "names": [[]]}]
)
def test_damaged_entries_of_an_architecture_file(file, entry):
    content = architecture(file).to_json() | {"operations": entry}
    assert refused(Architecture.from_json, content, "mine.json").startswith("mine.json: operations")


@pytest.mark.parametrize("sharing", CANDIDATES)
def test_the_supernet_has_one_module_for_each_shape(file, sharing):
    """Choices that the operation ignores make no further module."""
    mapping = small(conv_ops=["SepConv", "convnext"])
    space = SearchSpace.from_mapping(mapping, "own", "own.yaml", given_operations(file))
    supernet = Supernet(space, 3, sharing)
    names = {name for candidates in supernet.blocks[1] for name in candidates if name.startswith("convnext")}
    first, later = ([name for name in position if name in names] for position in supernet.blocks[1])
    assert (len(first), len(later)) == (2 * 2 * 2, 2 * 2)  # kernels, input channels, output channels
    table, rng = CostTable(space, 3, 9), Random(0)
    for vector in (space.sample(rng) for _ in range(5)):
        supernet.set_active_subnet(vector)
        costs = tuple(table.of(vector)[metric] for metric in ("parameters", "macs"))
        assert costs == measured(supernet.get_active_subnet(), 3, 9)


def test_joint_decisions_have_no_choice_that_the_operation_ignores(file):
    mapping = small(first_mbconv_filter_size=8, conv_ops=["MBConv", "convnext"])
    mapping["search_range"]["activation"] = ["relu", "silu"]
    space = SearchSpace.from_mapping(mapping, "own", "own.yaml", given_operations(file))
    own = [option for option in space.decisions[0].options if "convnext" in option]
    assert len(own) == 2 * 2 * 2  # kernels, widths, skip


def test_weights_follow_the_seed(file):
    spec = architecture(file).spec
    states = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        states.append(Network(spec, 1).state_dict())
    name = next(name for name in states[0] if ".own." in name and name.endswith("0.weight"))
    assert torch.equal(states[0][name], states[1][name]) and not torch.equal(states[0][name], states[2][name])


def test_planning_a_study_runs_no_code_and_loads_no_torch(file):
    file.write_text("raise SystemExit('run')\n" + file.read_text())
    code = """
import sys, yaml
from nasmake.pipeline.checks import check
from nasmake.pipeline.plan import Plan
plan = Plan(yaml.safe_load(open("my_study.yaml")) | {"search": {"constraint": {"macs": 400000}}})
check(plan.config, plan.search_space)
print(*sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert not {*done.stdout.split()} & HEAVY - {"numpy"}
