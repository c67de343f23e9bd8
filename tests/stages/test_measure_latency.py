import math
from dataclasses import replace

import own_operations
import pytest
import torch
from nasmake.config import Config, load
from nasmake.core.files import read_json, write_json
from nasmake.costs.latency_table import read_latency
from nasmake.costs.units import ProfiledUnit, units_of_network, units_of_space
from nasmake.engine.device import Runtime, start
from nasmake.jobs.job import Job
from nasmake.pipeline.stages import STAGES, settings_of
from nasmake.search_spaces import SearchSpace
from nasmake.search_spaces.own_operations import read_operations
from nasmake.stages.measure_latency import build, measure_latency, plan, time_burst, time_units
from small_spaces import shipped, small

TINY = small(
    kernel_size=[3],
    conv_ops=["SepConv", "Zero"],
    skip_ops=["skip"],
    se_ratio=[0.25],
    base_layer_num=[1, 1, 1],
    layer_search_range=[0],
)
CPU = Runtime(torch.device("cpu"), "cpu", "CPU")


@pytest.fixture
def job(tmp_path):
    write_json(tmp_path / "manifest.json", {"image_shape": [8, 8, 1]})
    raw = {"latency": {"runs": 55, "warmup": 1, "batch_size": 2}, "optimize": {"trial_number": 1}}
    return Job(
        stage="measure_latency",
        received=settings_of(STAGES["measure_latency"], load(raw)),
        search_space={"name": "tiny", "content": TINY},
        version=1,
        dataset=tmp_path,
        inputs={},
        trial=None,
        unit=tmp_path,
        accelerator="cpu",
        display="lines",
    )


def test_operations_of_a_user_are_measured_too(job):
    content = TINY | {"search_range": TINY["search_range"] | {"conv_ops": ["SepConv", "pool"]}}
    own = read_operations(own_operations.write_files(job.unit), frozenset())
    job = replace(job, search_space={"name": "own", "content": content, "operations": own})
    measure_latency(job)
    entries = read_json(job.unit / "latency.json")["entries"]
    assert entries.keys() == units_of_space(job.space(), 1, 8).keys()
    assert any(key.startswith("pool_k3_s1_i8_o") and entry["median_ms"] > 0 for key, entry in entries.items())


def test_table_holds_every_piece_and_all_facts(job):
    measure_latency(job)
    table = read_json(job.unit / "latency.json")
    space = SearchSpace.from_mapping(TINY, "tiny", "tiny")
    assert table["entries"].keys() == units_of_space(space, 1, 8).keys()
    for entry in table["entries"].values():
        assert entry.keys() == {"median_ms", "iqr_ms", "runs"}
        assert entry["runs"] == 55 and 0 < entry["median_ms"] < math.inf and entry["iqr_ms"] >= 0
    names = {"accelerator": "cpu", "device": "cpu", "threads": 1, "precision": "32-true"}
    expected = names | {"batch_size": 2, "runs": 55, "warmup": 1, "image_shape": [8, 8, 1], "torch": torch.__version__}
    expected |= {"space": "tiny", "space_hash": space.hash}
    assert {key: table[key] for key in expected} == expected
    assert table["device_name"] and table["system"]
    assert table.keys() == expected.keys() | {"device_name", "system", "entries", "provenance"}
    assert read_latency(job.unit / "latency.json", space, 1, 8).keys() == table["entries"].keys()


def test_bursts_alternate_in_an_order_that_the_seed_decides(monkeypatch):
    """A machine that slows down for a while must not slow one piece more than the others."""
    units = units_of_space(shipped("proxyless_digits"), 1, 8)

    def order(seed):
        visits = []
        burst = lambda module, unit, runs, *_: visits.append(unit.key) or [1] * runs  # noqa: E731
        monkeypatch.setattr("nasmake.stages.measure_latency.time_burst", burst)
        settings = Config.model_validate({"nas": {"seed": seed}, "optimize": {"trial_number": 1}})
        times = time_units(units, start("cpu", 1), settings)
        assert {len(passes) for passes in times.values()} == {settings.latency.runs}
        return [visits[start : start + len(units)] for start in range(0, len(visits), len(units))]

    first, again, other = order(0), order(0), order(1)
    assert first == again != other
    assert len(first) == 5 and all(sorted(visited) == sorted(units) for visited in first)
    assert len({tuple(visited) for visited in first}) == 5


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_what_is_timed_is_the_piece_at_its_size(precision):
    space = shipped("mnasnet_cifar10")
    settings = Config.model_validate(
        {"trainer": {"precision": precision}, "latency": {"batch_size": 3}, "optimize": {"trial_number": 1}}
    )
    seen = []
    mixed = precision == "bf16-mixed"
    for number, unit in enumerate(units_of_network(space.decode((0,) * len(space.decisions)), 3, 32)):
        module = build(plan(unit, CPU), CPU.device)
        module.register_forward_hook(lambda _, inputs, output: seen.append((inputs[0], output)))
        assert not module.training
        assert len(time_burst(module, unit, 2, CPU, settings)) == 2
        images, output = seen[-1]
        assert images.shape == (3, unit.part.in_channels, unit.input_size, unit.input_size)
        assert images.is_contiguous(memory_format=torch.channels_last) and not output.requires_grad
        out = (3, unit.num_classes) if unit.num_classes else (3, unit.part.out_channels, *[unit.output_size] * 2)
        assert output.shape == out and output.isfinite().all()
        filters = [weight for weight in module.parameters() if weight.dim() == 4]
        assert all(weight.is_contiguous(memory_format=torch.channels_last) for weight in filters)
        is_half = {images.dtype == torch.bfloat16, output.dtype == torch.bfloat16}
        assert is_half == ({False, True} if mixed and number == 0 else {mixed})


def test_larger_pieces_take_longer():
    """Not a promise about time: sixteen times the image must show, or something else was timed."""
    unit = units_of_network(shipped("mnasnet_cifar10").decode((0,) * 49), 3, 32)[1]
    settings = Config.model_validate({"optimize": {"trial_number": 1}})
    small_one, large_one = unit, replace(unit, input_size=16 * unit.input_size)
    times = [
        min(time_burst(build(plan(piece, CPU), CPU.device), piece, 10, CPU, settings))
        for piece in (small_one, large_one)
    ]
    assert times[1] > times[0]


def test_a_plan_takes_no_memory_and_a_module_of_it_is_its_own():
    planned = plan(ProfiledUnit(shipped("proxyless_digits").fixed[0][0], 8), CPU)
    assert all(weight.is_meta for weight in planned.parameters())
    build(planned, CPU.device)
    assert all(weight.is_meta for weight in planned.parameters())
