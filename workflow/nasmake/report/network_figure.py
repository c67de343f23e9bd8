"""The picture of one network, from the image at the top to the classes at the bottom. No torch here.

Callers convert it to SVG with nasmake.report.style.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Arc, FancyBboxPatch

from nasmake.search_spaces import NetworkSpec
from nasmake.search_spaces.spec import EXPANDING

NAMES = {"conv": "Conv", "depthwise": "Depthwise", "sepconv": "SepConv", "mbconv": "MBConv", "fused": "Fused MBConv"}
HUES = {
    "conv": "#009E73",
    "sepconv": "#E69F00",
    "mbconv": "#56B4E9",
    "depthwise": "#F0E442",
    "fused": "#CC79A7",
}  # colour-blind safe (Okabe and Ito); black text is readable on each
OTHER_HUE = "#999999"  # of operations that a user wrote
TIMES = "\N{MULTIPLICATION SIGN}"
STRENGTHS = {1: 0.25, 3: 0.4, 5: 0.7}  # share of the hue, by kernel size; 1 for larger kernels
PLAIN, FAINT = "#E4E4E4", "#777777"
# Inches. x is 0 in the middle of the boxes; y grows downwards.
ROW, BOX = 0.26, 0.19
NARROWEST, WIDER, WIDEST = 1.6, 0.16, 6  # box width at expansion ratio 1, growth per ratio, largest ratio drawn
LEFT, SIZES, CHANNELS, STRIDES, RIGHT = -2.35, -1.5, 1.65, 2.22, 2.5
TITLE, HEADING, TOP = -1.9 * ROW, -0.4 * ROW, -2.9 * ROW


@dataclass(frozen=True)
class Row:
    """One row of the picture: a layer, or equal layers that follow each other.

    Attributes:
        label: text in the box.
        size: height and width of its output, in pixels.
        width: channels of its output.
        stride: None for a row that is not a convolution.
        colour: fill of the box; None for a row without a box.
        expand_ratio: decides how wide the box is.
        is_dropped: the search removed the layer.
        is_residual: a residual connection goes around at least one of its layers.
    """

    label: str
    size: int
    width: int
    stride: int | None = None
    colour: Any = PLAIN
    expand_ratio: float = 1
    is_dropped: bool = False
    is_residual: bool = False


def draw_network(spec: NetworkSpec, channels: int, size: int, title: str) -> Figure:
    """Draw a network for images of `size` x `size` pixels with `channels` channels."""
    rows = list(rows_of(spec, channels, size))
    bottom = ROW * (len(rows) + 0.3)
    figure = Figure(figsize=(RIGHT - LEFT, bottom - TOP))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.axis("off")
    axes.set(xlim=(LEFT, RIGHT), ylim=(bottom, TOP))
    axes.text((LEFT + RIGHT) / 2, TITLE, title, ha="center", va="center", linespacing=1.5)
    for x, heading in ((SIZES - 0.35, "pixels"), (CHANNELS, "channels"), (STRIDES, "stride")):
        axes.text(x, HEADING, heading, ha="center", va="center", color=FAINT)
    axes.plot([0, 0], [0.5 * ROW, (len(rows) - 0.5) * ROW], color="black", linewidth=0.7, zorder=0)
    for index, row in enumerate(rows):
        _draw_row(axes, row, (index + 0.5) * ROW)
    _draw_sizes(axes, rows)
    return figure


def rows_of(spec: NetworkSpec, channels: int, size: int) -> Iterator[Row]:
    """Yield the rows of a network's picture, from the top. Equal layers that follow each other share a row."""
    yield Row("image", size, channels, colour=None)
    size, width = _shrunk(size, spec.stem_stride), spec.stem_channels
    kernel = spec.stem_kernel_size
    yield Row(f"Conv {kernel}{TIMES}{kernel}", size, width, spec.stem_stride)
    for run in spec.runs():
        if run["op"] == "zero":
            yield Row("dropped", size, width, is_dropped=True)
            continue
        size = _shrunk(size, run["stride"])
        keeps_shape = run["stride"] == 1 and run.get("width", width) == width
        arriving, width = width, run.get("width", width)
        ratio = run.get("expand_ratio") or run["expand_width"] / arriving
        kernel, strength = run["kernel_size"], STRENGTHS.get(run["kernel_size"], 1.0)
        times = f"{run['depth']} {TIMES} " if run["depth"] > 1 else ""
        expansion = f"{ratio:.3g}" if run["op"] in EXPANDING else ""
        squeeze = f", SE {run['se_ratio']:g}" if run.get("se_ratio") else ""
        squeeze = f", SE {run['se_width']}" if "se_width" in run else squeeze
        yield Row(
            f"{times}{NAMES.get(run['op'], run['op'])}{expansion} {kernel}{TIMES}{kernel}{squeeze}",
            size,
            width,
            run["stride"],
            colour=tuple(1 - strength * (1 - part) for part in to_rgb(HUES.get(run["op"], OTHER_HUE))),
            expand_ratio=ratio,
            is_residual=run["skip"] and (keeps_shape or run["depth"] > 1),
        )
    head = Row(f"Conv 1{TIMES}1", 1 if spec.head_after_pooling else size, spec.head_channels, 1)
    if spec.head_channels and not spec.head_after_pooling:
        yield head
    yield Row("average pooling", 1, width if spec.head_after_pooling else spec.head.out_channels)
    if spec.head_channels and spec.head_after_pooling:
        yield head
    yield Row("fully connected", 1, spec.num_classes)


def _shrunk(size: int, stride: int) -> int:
    return -(-size // stride)  # padding keeps the last pixel


def _draw_row(axes: Axes, row: Row, y: float) -> None:
    width = NARROWEST + WIDER * (min(row.expand_ratio, WIDEST) - 1)
    if row.colour is not None:
        style = {"facecolor": row.colour, "edgecolor": "black", "linewidth": 0.6}
        if row.is_dropped:
            style |= {"facecolor": "white", "edgecolor": FAINT, "linestyle": (0, (3, 2))}
        shape = "round,pad=0,rounding_size=0.04"
        axes.add_patch(FancyBboxPatch((-width / 2, y - BOX / 2), width, BOX, boxstyle=shape, **style))
    middle: dict[str, Any] = {"ha": "center", "va": "center_baseline"}
    behind = {"facecolor": "white", "edgecolor": "none", "pad": 1.5} if row.colour is None else None
    axes.text(0, y, row.label, **middle, color=FAINT if row.is_dropped else "black", bbox=behind)
    if row.is_residual:
        axes.add_patch(Arc((width / 2 + 0.02, y), 0.16, ROW, theta1=-90, theta2=90, linewidth=0.8))
    if not row.is_dropped:
        axes.text(CHANNELS, y, f"{row.width}", **middle)
    if row.stride is not None:
        weight = "bold" if row.stride > 1 else "normal"
        axes.text(STRIDES, y, f"{row.stride}", **middle, weight=weight)


def _draw_sizes(axes: Axes, rows: list[Row]) -> None:
    """Draw a bracket beside the rows whose outputs have the same size."""
    for size, group in groupby(range(len(rows)), key=lambda index: rows[index].size):
        members = list(group)
        top, bottom = (members[0] + 0.15) * ROW, (members[-1] + 0.85) * ROW
        axes.plot([SIZES] * 2, [top, bottom], color="black", linewidth=0.7)
        axes.text(SIZES - 0.1, (top + bottom) / 2, f"{size} {TIMES} {size}", ha="right", va="center")
