"""The style of the figures: colours, lines, legends, and the conversion to SVG. No torch here.

The colour of a trial comes from a colour map that is also ordered in grey. Promoted trials have thicker lines or larger
marks. The hues of layers in the picture of a network are in `network_figure`.
"""

import io
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from matplotlib import colormaps, rc_context
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import BoundaryNorm, ListedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from nasmake.core.records import SHARED, trial_number
from nasmake.report.results import StudyResults

Style = dict[str, Any]
BLUE, RED, GREY = "#0072B2", "#D55E00", "#777777"  # blue and red: the colour-blind safe set of Okabe and Ito
WIDTH = 6.5  # inches; the width of a page's text
SMALLEST = 8.5  # points, 11.3 pixels in a browser; the size of all text
THIN, THICK = 0.7, 2.0
LIGHTEST = 0.68  # end of the colour map; the rest of it is hard to see on white, and inverted on black
CLEAR = 20  # with more curves, those of trials that are not promoted are transparent
FEW = 10  # a line through at most so many points marks each of them


def one_axes(height: float) -> tuple[Figure, Axes]:
    """Return a figure with one pair of axes, `height` inches high."""
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    return figure, figure.subplots()


def key(label: str, **style: Any) -> Line2D:
    """Return an entry of a legend."""
    return Line2D([], [], label=label, **{"color": GREY} | style)


def whole_numbers(axes: Axes) -> None:
    """Place ticks at whole numbers only, on the horizontal axis."""
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))


def is_promoted(unit: str, results: StudyResults) -> bool:
    """Return True if the unit is the folder of a promoted trial."""
    return trial_number(unit) in results.promoted


def promoted_last(units: Mapping[str, Any], results: StudyResults) -> list[str]:
    """Return the units in drawing order. Promoted trials come last, so that their lines lie on top."""
    return sorted(units, key=lambda unit: (is_promoted(unit, results), unit))


def line_of(unit: str, points: int, results: StudyResults) -> Style:
    """Return the style of a unit's line through `points` points."""
    style: Style = {"color": colour_of(unit, results)}
    if unit == SHARED or is_promoted(unit, results):
        style |= {"linewidth": 1.0 if unit == SHARED else THICK}
    else:
        style |= {"linewidth": THIN, "alpha": min(1, CLEAR / results.optimize.trial_number)}
    return style | ({"marker": ".", "markersize": 4} if points <= FEW else {})


def keys_of_lines(units: Mapping[str, Any], results: StudyResults) -> list[Line2D]:
    """Return the legend entries for the lines of units."""
    if SHARED in units:
        return [key("shared by all trials", color="black")]
    return [key("promoted trial", linewidth=THICK), key("other trial", linewidth=THIN)]


def colour_of(unit: str, results: StudyResults) -> Any:
    """Return the colour of a unit's trial; black for the shared unit."""
    trial = trial_number(unit)
    return "black" if trial is None else _trial_colour(trial, results.optimize.trial_number)


def add_trial_colours(figure: Figure, results: StudyResults) -> None:
    """Add a colour bar that maps colours to trials. A study of one trial needs none."""
    count = results.optimize.trial_number
    if count == 1:
        return
    bounds = [trial - 0.5 for trial in range(count + 1)]
    colour_map = ListedColormap([_trial_colour(trial, count) for trial in range(count)])
    colours = ScalarMappable(BoundaryNorm(bounds, count), colour_map)
    ticks = MaxNLocator(nbins=10, integer=True)
    bar = figure.colorbar(colours, ax=figure.axes, label="trial", ticks=ticks, shrink=0.8, aspect=40, pad=0.02)
    bar.ax.tick_params(length=0)
    bar.ax.minorticks_off()
    bar.outline.set_visible(False)


def numbers(rows: Sequence[Mapping[str, Any]], column: str) -> list[float]:
    """Return a column as numbers."""
    return [float(row[column]) for row in rows]


def having(rows: Sequence[Mapping[str, Any]], column: str) -> list[Mapping[str, Any]]:
    """Return the rows that have a value in a column.

    Some columns belong to one search strategy. A simultaneous search leaves them empty while it warms up.
    """
    return [row for row in rows if row.get(column, "")]


def percents(rows: Sequence[Mapping[str, Any]], column: str) -> list[float]:
    """Return a column of shares 0..1, in percent."""
    return [100 * number for number in numbers(rows, column)]


def _trial_colour(trial: int, count: int) -> Any:
    return colormaps["viridis"](LIGHTEST * trial / max(1, count - 1))


STYLE: dict[Any, Any] = {
    "svg.hashsalt": "nasmake",  # without a salt the ids in the file are random
    "svg.fonttype": "none",  # text stays text, which can be read aloud, searched and copied
    "font.size": SMALLEST,
    "axes.titlesize": SMALLEST,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "lines.linewidth": 1.0,
    "legend.frameon": False,
    "legend.handlelength": 1.8,
}


def svg(draw: Callable[..., Figure], *arguments: Any) -> bytes:
    """Return the SVG of the figure that `draw` returns for its arguments. Equal figures give equal bytes."""
    stream = io.BytesIO()
    with rc_context(STYLE):
        draw(*arguments).savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
    return stream.getvalue()


def inline_svg(name: str, draw: Callable[..., Figure], *arguments: Any) -> str:
    """Return a figure as an SVG element for an HTML page.

    The ids of the element begin with `name`, because all ids of a page must differ.
    """
    text = svg(draw, *arguments).decode()
    element = text[text.index("<svg ") :]
    element = re.sub(r"<metadata>.*?</metadata>", "", element, flags=re.DOTALL)
    return re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{name}-", element)
