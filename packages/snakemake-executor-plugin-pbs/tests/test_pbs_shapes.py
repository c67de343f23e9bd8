"""The queue of a job, and the resources in the arguments of qsub."""

import pytest
from snakemake_executor_plugin_pbs.shapes import Request, Shape, choose_queue, format_walltime
from snakemake_interface_common.exceptions import ApiError

SHAPES = [
    Shape.parse(text)
    for text in (
        "rt_HC:gpu=0:threads=32:mem_mb=320000",
        "rt_HG:gpu=1:threads=16:mem_mb=160000",
        "rt_HF:gpu=8:threads=192:mem_mb=1920000",
    )
]


@pytest.mark.parametrize(
    ("gpu", "threads", "mem_mb", "queue"),
    [
        (0, 1, 0, "rt_HC"),
        (0, 32, 320_000, "rt_HC"),
        (0, 33, 8000, "rt_HF"),
        (1, 16, 160_000, "rt_HG"),
        (1, 17, 8000, "rt_HF"),
        (1, 4, 160_001, "rt_HF"),
        (2, 4, 8000, "rt_HF"),
        (8, 192, 1_920_000, "rt_HF"),
        (9, 1, 8000, None),
        (1, 193, 8000, None),
        (0, 1, 2_000_000, None),
    ],
)
def test_first_shape_that_the_request_fits(gpu, threads, mem_mb, queue):
    request = Request(gpu, threads, mem_mb)
    if queue is None:
        with pytest.raises(
            ValueError, match=f"--pbs-shapes: request per node is {request}; expected .* that fits one of the queues"
        ):
            choose_queue(SHAPES, request, None)
    else:
        assert choose_queue(SHAPES, request, None) == queue


def test_pbs_queue_overrides_the_shapes_unless_it_has_too_few_gpus():
    assert choose_queue(SHAPES, Request(1, 1, 8000), "rt_HF") == "rt_HF"
    assert choose_queue(SHAPES, Request(1, 64, 8000), "rt_HG") == "rt_HG"
    assert choose_queue(SHAPES, Request(9, 1, 8000), "R1234") == "R1234"
    with pytest.raises(ValueError, match="pbs_queue rt_HG: gpu is 2; expected at most 1 per node; request fewer GPUs"):
        choose_queue(SHAPES, Request(2, 1, 8000), "rt_HG")


def test_without_shapes_pbs_chooses_the_queue():
    assert choose_queue([], Request(2, 1, 8000), None) is None
    assert choose_queue([], Request(2, 1, 8000), "gpuq") == "gpuq"


def test_select():
    request = Request.from_resources({"gpu": 2, "mem_mb": 8000, "nodes": 3}, 4)
    assert request.select(has_shape=True) == "3"
    assert request.select(has_shape=False) == "3:ncpus=4:ngpus=2:mem=8000mb"
    assert Request.from_resources({}, 1).select(has_shape=False) == "1:ncpus=1"


def test_format_walltime():
    walltimes = [format_walltime(minutes) for minutes in (60, 1, 0.5, 0, 90.2, 10_080)]
    assert walltimes == ["1:00:00", "0:01:00", "0:01:00", "0:01:00", "1:31:00", "168:00:00"]


@pytest.mark.parametrize(
    "text", ["rt_HG", "rt_HG:gpu=1:threads=16", "rt_HG:gpu=x:threads=1:mem_mb=1", "a:cores=1:b=2:c=3"]
)
def test_invalid_shape(text):
    with pytest.raises(ApiError, match=f"--pbs-shapes: shape is {text}; expected QUEUE:gpu=N:threads=N:mem_mb=N"):
        Shape.parse(text)
