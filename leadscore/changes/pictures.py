"""The pictures of a comparison, each with what it says in words."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from leadscore.changes.between import RunDiff
from leadscore.changes.movers import Movers, top_of
from leadscore.changes.pairs import bins_of, mean_curve, ranks_to_draw
from leadscore.changes.words import difference_words, number
from leadscore.report.picture import Picture

if TYPE_CHECKING:
    from leadscore.compare import Verdict
    from leadscore.report.curves import Bin

__all__ = ["pictures"]

CURVES = {
    "roc": ("ROC", "share of those that did not convert", "share of those that converted"),
    "gains": (
        "Conversions found by calling the likeliest first",
        "share of leads called",
        "share of conversions found",
    ),
}

READ_AT = (0.1, 0.2, 0.5)  # where the words and the table read a curve


def pictures(found: RunDiff, verdicts: "Sequence[Verdict]") -> dict[str, list[Picture]]:
    """Return the pictures of the numbers and those of the leads; none of numbers that are not comparable."""
    numbers = []
    if found.verdict.answer != "not comparable":
        numbers = [*_differences(found, verdicts), *_curves(found), _calibration(found)]
    return {"numbers": numbers, "leads": [_ranks(found, found.movers)] if found.movers else []}


def _differences(found: RunDiff, verdicts: "Sequence[Verdict]") -> list[Picture]:
    from leadscore.report.plots.pairs import Difference, differences

    rows = [
        Difference(
            each.title,
            -1 if each.direction == "lower" else 1,
            each.difference,
            each.low,
            each.high,
            " ".join(difference_words(each)).strip(),
        )
        for each in verdicts
        if each.difference is not None and each.low is not None  # a dot alone would look surer than it is
    ]
    if not rows:
        return []
    answers = [f"{each.title}: {each.answer}" for each in verdicts]
    return [
        differences(
            Picture(
                "differences",
                "B minus A in each metric",
                f"{_n(found)}, the same of both runs",
                "; ".join(f"{row.title} {row.text}" for row in rows) + ". " + "; ".join(answers) + ".",
                note="Bars: 95% intervals. Each line has a scale of its own; an interval that crosses the upright line "
                "is no evidence. The table below has all numbers.",
            ),
            rows,
        )
    ]


def _curves(found: RunDiff) -> list[Picture]:
    from leadscore.report.plots.pairs import Line, both_curves

    folds = len(found.verdict.folds)
    drawn = []
    for key, (title, x, y) in CURVES.items():
        lines = [
            Line(side, f"{side}, AUC {number(found.metrics['auc'][place])}" if key == "roc" else side, points)
            for place, (side, run) in enumerate((("A", found.a), ("B", found.b)))
            if (points := mean_curve(run, key))
        ]
        if len(lines) < 2:
            continue
        at = (0.1, 0.2, 0.5)
        rows = [
            (f"{x0:.0%}", *(f"{line.points[round(x0 * (len(line.points) - 1))][1]:.1%}" for line in lines)) for x0 in at
        ]
        said = "; ".join(f"at {x0} A reaches {a}, B {b}" for x0, a, b in rows)
        drawn.append(
            both_curves(
                Picture(
                    key,
                    title,
                    _n(found),
                    f"{y} against {x}: {said}.",
                    note=f"The mean of {folds} folds." if folds > 1 else "",
                    headings=(x, "A", "B"),
                    rows=rows,
                ),
                lines,
                x,
                y,
            )
        )
    return drawn


def _read(points: Sequence[tuple[float, float]], at: float) -> float:
    return points[round(at * (len(points) - 1))][1]


def _n(found: RunDiff) -> str:
    return f"{found.verdict.n:,} rows, {found.verdict.positives:,} converted"


def _calibration(found: RunDiff) -> Picture:
    from leadscore.report.plots.pairs import Line, both_calibrations

    bins = {"A": bins_of(found.a), "B": bins_of(found.b)}
    said = " ".join(f"{side}: {_furthest(of)}" for side, of in bins.items())
    return both_calibrations(
        Picture(
            "calibration",
            "Calibration",
            f"{_n(found)}, in up to ten bins a run",
            f"On the line, as many converted as the scores said. {said}",
            note="A bin has about equally many rows; its upright line is the 95% interval of the share.",
            headings=("run and bin", "rows", "mean probability", "converted", "95% interval"),
            rows=[_bin(f"{side} {place}", each) for side, of in bins.items() for place, each in enumerate(of, 1)],
        ),
        [Line(side, side, [(each.said, each.came) for each in of]) for side, of in bins.items()],
        [[(each.low, each.high) for each in of] for of in bins.values()],
    )


def _bin(name: str, found: "Bin") -> tuple[str, ...]:
    return (
        name,
        f"{found.n:,}",
        f"{found.said:.3f}",
        f"{found.came:.3f}",
        f"[{found.low:.3f}, {found.high:.3f}]",
    )


def _furthest(bins: "Sequence[Bin]") -> str:
    outside = [each for each in bins if not each.low <= each.said <= each.high]
    if not outside:
        return "no bin's interval misses it."
    worst = max(outside, key=lambda each: abs(each.said - each.came))
    return (
        f"the intervals of {len(outside)} of {len(bins)} bins miss it, the furthest where {worst.said:.1%} was said "
        f"and {worst.came:.1%} converted."
    )


def _ranks(found: RunDiff, movers: Movers) -> Picture:
    from leadscore.report.plots.pairs import Mover, rank_against_rank

    rows = ranks_to_draw(found)
    points = [
        Mover(
            int(row.rank_a),
            int(row.rank_b),
            bool(row.label_b),
            f"{row.user_id}, {row.as_of:%Y-%m-%d %H:%M}: rank {row.rank_a:,.0f} in A, {row.rank_b:,.0f} in B; "
            f"{row.probability_a:.3f}, {row.probability_b:.3f}; {'converted' if row.label_b else 'did not convert'}",
        )
        for row in rows.itertuples()
    ]
    all_of = f"{movers.n:,} rows" if len(points) == movers.n else f"{len(points):,} of {movers.n:,} rows"
    alike = "" if movers.rank_correlation is None else f"Rank correlation {movers.rank_correlation:.3f}. "
    return rank_against_rank(
        Picture(
            "ranks",
            "Rank against rank",
            all_of,
            f"{alike}Of the {movers.top:,} leads in the top 10%, {movers.overlap:,} are the same in both runs.",
            note="Filled: converted. Hollow: did not. Above the diagonal B ranks a lead higher than A. The green lines "
            "bound the top 10%. Point at one for its name; those that moved most are in the table."
            + ("" if len(points) == movers.n else " Drawn are those that moved most and an even choice of the rest."),
        ),
        points,
        movers.n,
        top_of(movers.n),
    )
