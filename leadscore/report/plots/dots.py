"""Values with their intervals, one under the other: folds, slices, importance, drift, bands."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from leadscore.report.picture import Picture
from leadscore.report.plots.canvas import COLOURS, NARROW, draw, in_percent, plain_axes, shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["Dot", "bars", "dots"]

WIDTH_OF_A_LETTER = 6.2  # pixels, of names beside an axis


@dataclass(frozen=True)
class Dot:
    """A line of the picture; `low` and `high` are None where there is no interval."""

    name: str
    value: float
    low: float | None = None
    high: float | None = None


def dots(
    picture: Picture,
    lines: Sequence[Dot],
    x: str,
    *,
    reference: tuple[float, str] | None = None,
    percent: bool = False,
    bar: str = "blue",
) -> Picture:
    """Return the picture as a dot plot.

    Parameters
    ----------
    picture : Picture
    lines : sequence of Dot
        From the top.
    x : str
        What the values are, with their unit.
    reference : (float, str), optional
        A value that all are seen against, with its name.
    percent : bool
        Whether the values are shares.
    bar : str
        The colour of the intervals.
    """

    def paint(figure: "Figure") -> None:
        axes = _named_axes(figure, lines, x)
        if reference is not None:
            at, name = reference
            axes.plot([at, at], [-0.6, len(lines)], color=COLOURS["vermilion"], linewidth=1.2, linestyle=(0, (4, 3)))
            axes.text(at, -0.7, name, color=COLOURS["vermilion"], ha="center", va="bottom", fontsize=10)
        for place, line in enumerate(lines):
            if line.low is not None and line.high is not None:
                axes.plot([line.low, line.high], [place, place], color=COLOURS[bar], linewidth=1.4)
        axes.plot([line.value for line in lines], range(len(lines)), "o", color=COLOURS["blue"])
        axes.set_ylim(len(lines) - 0.4, -0.9 if reference is None else -1.5)
        axes.grid(False, axis="y")
        if percent:
            in_percent(axes.xaxis)

    return draw(picture, paint, _size(lines))


def bars(picture: Picture, lines: Sequence[Dot], x: str) -> Picture:
    """Return the picture as bars from zero, with whiskers where a line has an interval."""

    def paint(figure: "Figure") -> None:
        axes = _named_axes(figure, lines, x)
        axes.barh(range(len(lines)), [line.value for line in lines], height=0.62, color=COLOURS["blue"], alpha=0.75)
        for place, line in enumerate(lines):
            if line.low is not None and line.high is not None and line.high > line.low:
                axes.plot([line.low, line.high], [place, place], color=COLOURS["ink"], linewidth=1.4)
        axes.set_ylim(len(lines) - 0.4, -0.6)
        axes.grid(False, axis="y")

    return draw(picture, paint, _size(lines))


def _named_axes(figure: "Figure", lines: Sequence[Dot], x: str) -> "Axes":
    names = [shortened(line.name, 24) for line in lines]
    axes = plain_axes(figure, x, left=12 + WIDTH_OF_A_LETTER * max(map(len, names)))
    axes.set_yticks(range(len(lines)), names, color=COLOURS["ink"])
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    return axes


def _size(lines: Sequence[Dot]) -> tuple[int, int]:
    return NARROW[0], 62 + 21 * max(len(lines), 2)
