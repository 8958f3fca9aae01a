"""What the probabilities are: whether they come true, and how they lie by outcome."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from leadscore.report.curves import Bin
from leadscore.report.picture import Picture
from leadscore.report.plots.canvas import COLOURS, draw, in_percent, plain_axes

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

__all__ = ["calibration", "distribution"]

BARS = 40


def calibration(bins: Sequence[Bin], rows: str, error: str) -> Picture:
    """Return said against come true; `error` is the calibration error in words, "" where it is unknown."""
    top = min(max(*(each.high for each in bins), bins[-1].said) * 1.08, 1.0)

    def paint(figure: "Figure") -> None:
        axes = plain_axes(figure, "mean probability of a bin", "of its leads, converted")
        axes.plot([0, 1], [0, 1], color=COLOURS["soft"], linewidth=1, linestyle=(0, (4, 3)))
        said, came = [each.said for each in bins], [each.came for each in bins]
        reach = [[each.came - each.low for each in bins], [each.high - each.came for each in bins]]
        axes.errorbar(said, came, yerr=np.maximum(reach, 0), fmt="o", color=COLOURS["blue"], elinewidth=1.4)
        axes.set_xlim(0, top)
        axes.set_ylim(0, top)
        in_percent(axes.xaxis, axes.yaxis)

    off = [each for each in bins if not each.low <= each.said <= each.high]
    fewest, most = min(each.n for each in bins), max(each.n for each in bins)
    size = f"{fewest:,}" if fewest == most else f"{fewest:,} to {most:,}"
    said = f"{len(bins)} bins of {size} observations each; in {len(bins) - len(off)} of them the mean probability lies "
    return draw(
        Picture(
            "calibration",
            "Calibration",
            rows,
            f"{said}within the 95% interval of the share that converted. The lowest bin says {bins[0].said:.1%} and "
            f"{bins[0].came:.1%} converted; the highest says {bins[-1].said:.1%} and {bins[-1].came:.1%} converted.",
            headings=("mean probability", "converted", "95% interval", "observations", "of them converted"),
            rows=[_bin_row(each) for each in bins],
            note=f"{len(bins)} bins of {size} observations; bars: 95% intervals (Wilson, by lead); "
            f"dashes: what was said comes true{f'; {error}' if error else ''}.",
        ),
        paint,
    )


def _bin_row(each: Bin) -> tuple[str, ...]:
    sure = f"[{each.low:.1%}, {each.high:.1%}]"
    return (f"{each.said:.1%}", f"{each.came:.1%}", sure, f"{each.n:,}", f"{each.positives:,}")


def distribution(fold: "pd.DataFrame", cuts: Mapping[str, float], rows: str) -> Picture:
    """Return the probabilities by outcome, with the bands' cuts: the least probability of each."""
    label, probability = fold["label"].to_numpy(), fold["probability"].to_numpy()
    top = min(float(probability.max()) * 1.03, 1.0) or 1.0
    edges = np.linspace(0, top, BARS + 1)
    sides = (("did not convert", 0, "soft"), ("converted", 1, "vermilion"))
    shares = {}
    for name, value, _ in sides:
        mine = probability[label == value]
        shares[name] = np.histogram(mine, edges)[0] / max(len(mine), 1)

    def paint(figure: "Figure") -> None:
        axes = plain_axes(figure, "probability", "share of that outcome", top=28)
        for name, value, colour in sides:
            n = int((label == value).sum())
            axes.stairs(shares[name], edges, color=COLOURS[colour], fill=True, alpha=0.25)
            axes.stairs(shares[name], edges, color=COLOURS[colour], linewidth=1.5, label=f"{name} (n = {n:,})")
        height = axes.get_ylim()[1]
        free = 0.0  # up to here letters stand
        for band, least in sorted(cuts.items(), key=lambda cut: cut[1]):
            if 0 < least < top:
                axes.axvline(least, color=COLOURS["soft"], linewidth=0.8, linestyle=(0, (1, 2)))
            if free <= least < top:
                free = least + top * 0.05
                axes.text(least + top * 0.008, height * 0.99, band, color=COLOURS["soft"], va="top", fontsize=10)
        axes.set_xlim(0, top)
        in_percent(axes.xaxis, axes.yaxis)
        axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2, borderaxespad=0.2, handlelength=1.4)

    table = []
    for name, value, _ in sides:
        mine = probability[label == value]
        cells = [f"{each:.1%}" for each in np.quantile(mine, [0.1, 0.25, 0.5, 0.75, 0.9])] if len(mine) else ["-"] * 5
        table.append((name, f"{len(mine):,}", *cells))
    medians = [row[4] for row in table]
    return draw(
        Picture(
            "scores",
            "Scores by outcome",
            rows,
            f"The median probability is {medians[1]} of those that converted and {medians[0]} of those that did not.",
            headings=("outcome", "n", "10th percentile", "25th", "median", "75th", "90th"),
            rows=table,
            note="Each outcome adds up to 100%; letters: the bands, each from its line upwards.",
        ),
        paint,
    )
