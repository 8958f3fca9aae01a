"""Pictures of two runs at once: A is blue, whole and round, B vermilion, dashed and square."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from leadscore.report.picture import Picture
from leadscore.report.plots.canvas import COLOURS, HOVER, NARROW, draw, plain_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["Difference", "Line", "Mover", "both_calibrations", "both_curves", "differences", "rank_against_rank"]

SIDES = {"A": ("blue", "-", "o"), "B": ("vermilion", (0, (5, 2)), "s")}
ROW = 44  # pixels of one metric
Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Difference:
    """B minus A in one metric; `sign` is 1 where higher is better, -1 where lower is."""

    title: str
    sign: int
    value: float
    low: float | None
    high: float | None
    text: str


@dataclass(frozen=True)
class Line:
    """A run's curve with its name in the legend."""

    side: str
    name: str
    points: Points


@dataclass(frozen=True)
class Mover:
    """One row's two ranks, with what is said of it under the pointer."""

    a: int
    b: int
    converted: bool
    text: str


def differences(picture: Picture, rows: Sequence[Difference]) -> Picture:
    """Draw a dot and an interval a metric, each on a scale of its own: right of the line B is better."""

    def paint(figure: "Figure") -> None:
        axes = plain_axes(figure, x="A is better  \N{LEFTWARDS ARROW}      \N{RIGHTWARDS ARROW}  B is better")
        axes.grid(visible=False)
        axes.axvline(0, color=COLOURS["soft"], linewidth=1)
        for place, row in enumerate(rows):
            _difference(axes, row, len(rows) - 1 - place)
        axes.set_xlim(-1.05, 1.05)
        axes.set_ylim(-0.45, len(rows) - 0.25)
        axes.set_xticks([0], ["no difference"])
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)

    return draw(picture, paint, (NARROW[0], 56 + ROW * len(rows)))


def _difference(axes: "Axes", row: Difference, at: int) -> None:
    known = [abs(each) for each in (row.value, row.low, row.high) if each is not None]
    scale = row.sign / (max(known) or 1.0)
    axes.axhline(at, color=COLOURS["line"], linewidth=0.7)
    if row.low is not None and row.high is not None:
        axes.plot([row.low * scale, row.high * scale], [at, at], color=COLOURS["blue"], solid_capstyle="butt")
    axes.plot([row.value * scale], [at], "o", color=COLOURS["blue"], markersize=8)
    axes.text(-1.03, at + 0.24, row.title, va="bottom", fontsize=10)
    axes.text(1.03, at + 0.24, row.text, va="bottom", ha="right", fontsize=10, color=COLOURS["soft"])


def both_curves(picture: Picture, lines: Sequence[Line], x: str, y: str) -> Picture:
    """Draw a curve a run, and what a score without use would do."""

    def paint(figure: "Figure") -> None:
        axes = plain_axes(figure, x=x, y=y)
        axes.plot([0, 1], [0, 1], color=COLOURS["soft"], linewidth=1, linestyle=":", label="by chance")
        for line in lines:
            colour, style, _ = SIDES[line.side]
            axes.plot(*zip(*line.points, strict=True), color=COLOURS[colour], linestyle=style, label=line.name)
        axes.set_xlim(0, 1)
        axes.set_ylim(0, 1.02)
        axes.legend(loc="lower right")

    return draw(picture, paint)


def both_calibrations(picture: Picture, lines: Sequence[Line], intervals: Sequence[Points]) -> Picture:
    """Draw the share that converted in each bin against the probability said, an interval each."""

    def paint(figure: "Figure") -> None:
        axes = plain_axes(figure, x="mean probability of the bin", y="share that converted")
        ends = [high for each in intervals for _, high in each] + [x for line in lines for x, _ in line.points]
        most = min(1.0, 1.05 * max(ends, default=1.0))
        axes.plot([0, most], [0, most], color=COLOURS["soft"], linewidth=1, linestyle=":", label="as said")
        for line, bounds in zip(lines, intervals, strict=True):
            colour, style, marker = SIDES[line.side]
            for (x, _), (low, high) in zip(line.points, bounds, strict=True):
                axes.plot([x, x], [low, high], color=COLOURS[colour], linewidth=1)
            axes.plot(
                *zip(*line.points, strict=True),
                color=COLOURS[colour],
                linestyle=style,
                linewidth=1,
                marker=marker,
                label=line.name,
            )
        axes.set_xlim(0, most)
        axes.set_ylim(0, most)
        axes.legend(loc="upper left")

    return draw(picture, paint)


def rank_against_rank(picture: Picture, movers: Sequence[Mover], n: int, top: int) -> Picture:
    """Draw a point a row, named under the pointer; lines mark the top of each run.

    Parameters
    ----------
    picture : Picture
    movers : sequence of Mover
        Those to draw.
    n, top : int
        All rows, and how many of them the top has.
    """
    shown = sorted(movers, key=lambda each: each.converted)  # what converted lies on top

    def paint(figure: "Figure") -> None:
        axes = plain_axes(figure, x="rank in A (1 is the highest score)", y="rank in B")
        axes.plot([1, n], [1, n], color=COLOURS["soft"], linewidth=1, linestyle=":")
        for line in (axes.axvline, axes.axhline):
            line(top + 0.5, color=COLOURS["green"], linewidth=1)
        ink = [COLOURS["vermilion"] if each.converted else COLOURS["blue"] for each in shown]
        fill = [COLOURS["vermilion"] if each.converted else "none" for each in shown]
        points = axes.scatter(
            [each.a for each in shown], [each.b for each in shown], s=20, c=fill, edgecolors=ink, linewidths=1
        )
        points.set_gid(HOVER)
        margin = max(n * 0.03, 1)
        axes.set_xlim(1 - margin, n + margin)
        axes.set_ylim(n + margin, 1 - margin)
        axes.xaxis.set_major_locator(_whole())
        axes.yaxis.set_major_locator(_whole())

    return draw(picture, paint, (440, 400), hover=[each.text for each in shown])


def _whole() -> Any:
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(integer=True, nbins=5)
