"""How well a score ranks: ROC, precision and recall, gains and lift, each with its band."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from leadscore.report.curves import Banded
from leadscore.report.picture import Picture
from leadscore.report.plots.canvas import COLOURS, draw, in_percent, plain_axes
from leadscore.report.words import sentence

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["Ranking", "gains", "lift", "precision_recall", "roc"]

AT = (0.05, 0.1, 0.2, 0.3, 0.5, 0.8)  # where the table behind a curve is read


@dataclass(frozen=True)
class Ranking:
    """What a picture of ranks is drawn from.

    Attributes
    ----------
    curves : mapping of str to Banded
        Of the last fold.
    others : sequence of mappings of str to Banded
        Of the earlier folds, without bands.
    n, positives : int
        Of the last fold.
    rows : str
        What these rows are, in words: "1,216 later observations, 165 converted".
    called : float or None
        The share of leads that sales can call; None where nobody said.
    """

    curves: Mapping[str, Banded]
    others: Sequence[Mapping[str, Banded]]
    n: int
    positives: int
    rows: str
    called: float | None = None

    @property
    def base_rate(self) -> float:
        """The share that converted."""
        return self.positives / self.n

    def note(self, name: str, *more: str) -> str:
        """Return how to read the picture."""
        curve = self.curves[name]
        said = list(more)
        if curve.low is None:
            said.append("too few leads of one outcome for a band")
        else:
            said.append(f"band: 95% pointwise, {curve.draws} resamples of leads")
        if self.others:
            said.append(f"thin lines: the {len(self.others)} earlier folds")
        return sentence("; ".join(said))


def roc(of: Ranking, auc: str) -> Picture:
    """Return the ROC curve; `auc` is the area with its interval, in words."""

    def paint(figure: "Figure") -> None:
        axes = plain_axes(figure, "non-converters called", "converters called")
        axes.plot([0, 1], [0, 1], color=COLOURS["soft"], linewidth=1, linestyle=(0, (4, 3)))
        axes.text(0.62, 0.56, "at random", color=COLOURS["soft"], fontsize=10)
        _curve(axes, of, "roc")
        _shares(axes, 1.0, 1.0)

    curve = of.curves["roc"]
    return draw(
        Picture(
            "roc",
            "ROC",
            of.rows,
            f"ROC AUC {auc}. Calling until 10% of non-converters are called reaches {_at(curve, 0.1)} of the "
            f"converters; until 30%, {_at(curve, 0.3)}.",
            headings=("non-converters called", "converters called", "95% band"),
            rows=_table(curve),
            note=of.note("roc", f"AUC {auc}"),
        ),
        paint,
    )


def precision_recall(of: Ranking, average: str) -> Picture:
    """Return precision over recall; `average` is the average precision with its interval, in words."""

    def paint(figure: "Figure") -> None:
        axes = plain_axes(figure, "conversions found (recall)", "of those called, convert (precision)")
        axes.axhline(of.base_rate, color=COLOURS["soft"], linewidth=1, linestyle=(0, (4, 3)))
        _curve(axes, of, "precision_recall")
        _shares(axes, 1.0, _top(of, "precision_recall"))
        _below(axes, of.base_rate, f"base rate {of.base_rate:.1%}")

    curve = of.curves["precision_recall"]
    return draw(
        Picture(
            "precision-recall",
            "Precision and recall",
            of.rows,
            f"Average precision {average}. To find half of the conversions, of the leads called {_at(curve, 0.5)} "
            f"convert; to find 80%, {_at(curve, 0.8)}. Called at random, {of.base_rate:.1%} convert.",
            headings=("conversions found", "of those called, convert", "95% band"),
            rows=_table(curve),
            note=of.note("precision_recall", f"average precision {average}"),
        ),
        paint,
    )


def gains(of: Ranking, capacity: str) -> Picture:
    """Return the conversions found by calls; `capacity` says what sales can call, "" where nobody said."""

    def paint(figure: "Figure") -> None:
        axes = plain_axes(figure, "leads called, the highest score first", "conversions found")
        axes.plot([0, 1], [0, 1], color=COLOURS["soft"], linewidth=1, linestyle=(0, (4, 3)))
        best = [0, of.base_rate, 1], [0, 1, 1]
        axes.plot(*best, color=COLOURS["soft"], linewidth=1, linestyle=(0, (1, 2)))
        _curve(axes, of, "gains")
        _shares(axes, 1.0, 1.0)
        axes.text(0.62, 0.56, "at random", color=COLOURS["soft"], fontsize=10)
        if of.called is not None:
            _mark(axes, of.called, 1.0)

    curve = of.curves["gains"]
    return draw(
        Picture(
            "gains",
            "Gains: what calls find",
            of.rows,
            f"Calling the likeliest 10% finds {_at(curve, 0.1)} of the conversions, 20% finds {_at(curve, 0.2)}, half "
            f"finds {_at(curve, 0.5)}.{f' {capacity}' if capacity else ''}",
            headings=("leads called", "conversions found", "95% band"),
            rows=_table(curve),
            note=of.note(
                "gains", *([capacity.rstrip(".")] if capacity else []), "dots: the best that any order could do"
            ),
        ),
        paint,
    )


def lift(of: Ranking) -> Picture:
    """Return how many times as often the called convert as all do."""

    def paint(figure: "Figure") -> None:
        axes = plain_axes(figure, "leads called, the highest score first", "times the base rate (lift)")
        axes.axhline(1, color=COLOURS["soft"], linewidth=1, linestyle=(0, (4, 3)))
        _curve(axes, of, "lift")
        axes.set_ylim(0, _top(of, "lift"))
        axes.set_xlim(0, 1)
        in_percent(axes.xaxis)
        _below(axes, 1, "at random")
        if of.called is not None:
            _mark(axes, of.called, axes.get_ylim()[1])

    curve = of.curves["lift"]
    return draw(
        Picture(
            "lift",
            "Lift over calling at random",
            of.rows,
            f"The likeliest 10% convert {_at(curve, 0.1, '{:.2f}')} times as often as all leads, the likeliest half "
            f"{_at(curve, 0.5, '{:.2f}')} times; the base rate is {of.base_rate:.1%}.",
            headings=("leads called", "times the base rate", "95% band"),
            rows=_table(curve, "{:.2f}"),
            note=of.note("lift"),
        ),
        paint,
    )


def _curve(axes: "Axes", of: Ranking, name: str) -> None:
    for other in of.others:
        if name in other:
            axes.plot(other[name].x, other[name].y, color=COLOURS["soft"], linewidth=0.8)
    curve = of.curves[name]
    if curve.low is not None and curve.high is not None:
        axes.fill_between(curve.x, curve.low, curve.high, color=COLOURS["blue"], alpha=0.2)
    axes.plot(curve.x, curve.y, color=COLOURS["blue"])


def _mark(axes: "Axes", called: float, top: float) -> None:
    """Mark the share that sales can call."""
    axes.axvline(called, color=COLOURS["vermilion"], linewidth=1.2)
    side = "left" if called < 0.6 else "right"
    axes.text(
        called + (0.01 if side == "left" else -0.01),
        top * 0.03,
        f"capacity {called:.0%}",
        color=COLOURS["vermilion"],
        ha=side,
        fontsize=10,
    )


def _below(axes: "Axes", y: float, text: str) -> None:
    """Name a level line on its left, where the curve is far above it, or above the line where there is no room."""
    top = axes.get_ylim()[1]
    low = y < top * 0.08
    at = y + top * 0.01 if low else y - top * 0.012
    axes.text(0.02, at, text, color=COLOURS["soft"], va="bottom" if low else "top", fontsize=10)


def _shares(axes: "Axes", right: float, top: float) -> None:
    axes.set_xlim(0, right)
    axes.set_ylim(0, top)
    in_percent(axes.xaxis, axes.yaxis)


def _top(of: Ranking, name: str) -> float:
    """Return the top of an axis: the first places of a curve are one lead each, and would flatten the rest."""
    curve = of.curves[name]
    seen = curve.x >= 0.03
    highest = float((curve.y if curve.high is None else curve.high)[seen].max())
    return min(highest * 1.05, 1.0) if name == "precision_recall" else highest * 1.05


def _at(curve: Banded, x: float, form: str = "{:.1%}") -> str:
    return form.format(curve.y[abs(curve.x - x).argmin()])


def _table(curve: Banded, form: str = "{:.1%}", at: Iterable[float] = AT) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for x in at:
        place = abs(curve.x - x).argmin()
        ends: Any = (curve.low, curve.high)
        band = "" if curve.low is None else f"[{', '.join(form.format(end[place]) for end in ends)}]"
        rows.append((f"{x:.0%}", form.format(curve.y[place]), band))
    return rows
