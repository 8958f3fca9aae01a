"""The windows as a picture: what trains, is purged, validates, is sealed or too late, over how many leads convert."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from leadscore.report.picture import Picture
from leadscore.report.plots.canvas import COLOURS, WIDE, draw, in_percent, plain_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["shares", "timeline"]

TRAIN, PURGED, VALID, SEALED, LATE = "train", "purged", "validate", "sealed", "outcome not known yet"
LOOKS: dict[str, dict[str, Any]] = {
    TRAIN: {"facecolor": (COLOURS["blue"], 0.3), "edgecolor": COLOURS["blue"], "linewidth": 1},
    PURGED: {"facecolor": "none", "edgecolor": COLOURS["soft"], "hatch": "////", "linewidth": 0.8},
    VALID: {"facecolor": (COLOURS["vermilion"], 0.3), "edgecolor": COLOURS["vermilion"], "linewidth": 1},
    SEALED: {"facecolor": "none", "edgecolor": COLOURS["purple"], "hatch": "xxxx", "linewidth": 0.8},
    LATE: {"facecolor": "none", "edgecolor": COLOURS["soft"], "hatch": "---", "linewidth": 0.8},
}


class Span(NamedTuple):
    """A part of a fold's line, in days as matplotlib counts them."""

    what: str
    start: float
    stop: float
    label: str = ""


def timeline(windows: Mapping[str, Any]) -> Picture:
    """Return the picture of `windows.json` whose folds go forward in time."""
    folds, periods = windows["folds"], windows.get("over_time") or []
    end = _instant(windows["data_end"])
    spans = [_spans(fold) for fold in folds]
    seal = windows["seal"]
    after = []
    if seal:
        start = _instant(seal["start"])
        free = max(span.stop for line in spans for span in line)
        after = [Span(PURGED, free, start)] if start > free else []
        after.append(Span(SEALED, start, _instant(seal["end"])))
    free = max(span.stop for line in [*spans, after] for span in line)
    late = [Span(LATE, free, end)] if end > free else []

    def paint(figure: "Figure") -> None:
        heights = [110, 80, 26 * rows + 10] if periods else [26 * rows + 10]
        axes = figure.subplots(len(heights), 1, sharex=True, height_ratios=heights, squeeze=False)[:, 0]
        if periods:
            _paint_counts(axes[0], axes[1], periods)
        _paint_folds(axes[-1], lines, len(folds))
        axes[-1].set_xlim(min(span.start for line in spans for span in line), max(end, free))
        _dates(axes[-1])

    rest = [*after, *late]
    any_purged = any(span.what == PURGED for line in [*spans, rest] for span in line)
    purged = " Purged: the outcome reaches into what comes next." if any_purged else ""
    lines = [[*spans[0], *rest]] if len(folds) == 1 else [*spans, *([rest] if rest else [])]
    rows = len(lines)
    height = (240 if periods else 70) + 26 * rows
    n, positives = (sum(each[key] for each in periods) for key in ("rows", "positives"))
    total = f"{n:,} observations, {positives:,} converted" if n else ""
    return draw(
        Picture(
            "windows",
            "Windows over time",
            total,
            " ".join(_said(fold, number, len(folds)) for number, fold in enumerate(folds))
            + (f" Sealed from {seal['start'][:10]} to {seal['end'][:10]}." if seal else "")
            + f" The data end on {windows['data_end'][:10]}.",
            wide=True,
            headings=("from", "to", "observations", "converted", "base rate"),
            rows=[
                (each["start"][:10], each["end"][:10], f"{each['rows']:,}", f"{each['positives']:,}", _rate(each))
                for each in periods
            ],
            note=f"By the instant of the score (as_of).{purged}",
        ),
        paint,
        (WIDE[0], height),
    )


def shares(windows: Mapping[str, Any]) -> Picture:
    """Return the picture of folds that are drawn by lot: time plays no part in them."""
    folds = windows["folds"]

    def paint(figure: "Figure") -> None:
        axes = plain_axes(figure, "observations")
        for place, fold in enumerate(folds):
            rows = fold["rows"]
            axes.barh(place, rows["train"], height=0.6, label=TRAIN if not place else None, **LOOKS[TRAIN])
            axes.barh(
                place, rows["valid"], left=rows["train"], height=0.6, label=VALID if not place else None, **LOOKS[VALID]
            )
        axes.set_yticks(range(len(folds)), [f"fold {number}" for number in range(len(folds))])
        axes.set_ylim(len(folds) - 0.4, -0.6)
        axes.grid(False, axis="y")
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        figure.legend(loc="outside upper right", ncols=2)

    return draw(
        Picture(
            "windows",
            "Folds drawn by lot",
            f"{sum(folds[0]['rows'].values()):,} observations",
            " ".join(_said(fold, number, len(folds)) for number, fold in enumerate(folds)),
            wide=True,
            note=f"Drawn by {folds[0]['by']}, whatever their times: nothing is purged.",
        ),
        paint,
        (WIDE[0], 70 + 26 * len(folds)),
    )


def _paint_counts(counts: "Axes", rates: "Axes", periods: Sequence[Mapping[str, Any]]) -> None:
    starts = [_instant(each["start"]) for each in periods]
    widths = [_instant(each["end"]) - start for each, start in zip(periods, starts, strict=True)]
    rows = [each["rows"] for each in periods]
    days = round(widths[0])
    for values, colour, name in (
        (rows, "soft", "observed"),
        ([e["positives"] for e in periods], "vermilion", "converted"),
    ):
        counts.bar(
            starts,
            values,
            [0.86 * width for width in widths],
            align="edge",
            color=COLOURS[colour],
            alpha=0.55 if name == "observed" else 1,
            label=name,
        )
    counts.set_ylabel("each day" if days == 1 else f"each {days} days")
    counts.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    counts.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2, borderaxespad=0)
    middles = [start + width / 2 for start, width in zip(starts, widths, strict=True)]
    known = [
        (when, each["positives"] / each["rows"]) for when, each in zip(middles, periods, strict=True) if each["rows"]
    ]
    rates.plot([when for when, _ in known], [rate for _, rate in known], "o-", color=COLOURS["ink"], markersize=3)
    rates.set_ylim(0, max(rate for _, rate in known) * 1.15 or 1)
    rates.set_ylabel("base rate")
    in_percent(rates.yaxis)


def _paint_folds(axes: "Axes", lines: Sequence[Sequence[Span]], folds: int) -> None:
    named: set[str] = set()
    for place, line in enumerate(lines):
        for what, start, stop, label in line:
            axes.barh(
                place, stop - start, left=start, height=0.62, label=None if what in named else what, **LOOKS[what]
            )
            named.add(what)
            if label:
                axes.text(start + (stop - start) / 2, place, label, ha="center", va="center", fontsize=10)
    axes.set_yticks(range(folds), [f"fold {number}" if folds > 1 else "" for number in range(folds)])
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(len(lines) - 0.5, -0.6)
    axes.grid(False, axis="y")
    axes.spines["left"].set_visible(False)
    axes.figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=5, handlelength=1.4)


def _dates(axes: "Axes") -> None:
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    locator = AutoDateLocator(minticks=3, maxticks=7)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]


def _spans(fold: Mapping[str, Any]) -> list[Span]:
    a, b, c, d = (_instant(fold[key]) for key in ("train_start", "last_training_as_of", "valid_start", "valid_end"))
    rows = fold["rows"]
    spans = [
        Span(TRAIN, a, b, f"{rows['train']:,}"),
        Span(PURGED, b, c),
        Span(VALID, c, d, f"{rows['valid']:,}"),
    ]
    return [span for span in spans if span.stop > span.start]


def _said(fold: Mapping[str, Any], number: int, folds: int) -> str:
    rows, positives = fold["rows"], fold["positives"]
    return (
        f"{f'Fold {number}' if folds > 1 else 'The fold'} trains on {rows['train']:,} observations "
        f"({positives['train']:,} converted), purges {rows['purged']:,} and validates on {rows['valid']:,} "
        f"({positives['valid']:,} converted)."
    )


def _rate(period: Mapping[str, Any]) -> str:
    return f"{period['positives'] / period['rows']:.1%}" if period["rows"] else "-"


def _instant(text: str) -> float:
    """Return an instant in days since 1970."""
    return datetime.fromisoformat(text).timestamp() / 86_400
