"""The numbers behind a comparison's pictures: every metric's difference, both curves, both calibrations, both ranks."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from leadscore.changes.between import RunDiff
from leadscore.changes.judging import judge
from leadscore.changes.movers import ranked
from leadscore.record import Run

if TYPE_CHECKING:
    import pandas as pd

    from leadscore.compare import Verdict
    from leadscore.report.curves import Bin

__all__ = ["bins_of", "every_verdict", "mean_curve", "ranks_to_draw"]

DRAWN = 600  # rows in a picture: each of them has its name in the page


def every_verdict(found: RunDiff) -> Iterator["Verdict"]:
    """Yield the verdict in each metric that both runs have and that has a better side, each as if it were alone."""
    from leadscore.compare import STATISTICS

    for name, pair in found.metrics.items():
        if name not in STATISTICS or STATISTICS[name].direction == "zero" or None in pair:
            continue
        yield found.verdict if name == found.verdict.metric else judge(found.a, found.b, metric=name)


def mean_curve(run: Run, name: str) -> list[tuple[float, float]]:
    """Return `roc` or `gains` of a run, the mean over its folds; nothing where a fold has one class only."""
    import numpy as np

    from leadscore.report.curves import ranked_curves

    curves = [ranked_curves(part, band=False) for _, part in first_fit(run).groupby("fold")]
    if not all(curves):
        return []
    y = np.mean([each[name].y for each in curves], axis=0)
    return list(zip(curves[0][name].x.tolist(), y.tolist(), strict=True))


def bins_of(run: Run) -> "list[Bin]":
    """Return a run's calibration in ten bins, of all its folds together."""
    from leadscore.report.curves import calibration_bins

    return calibration_bins(first_fit(run))


def first_fit(run: Run) -> "pd.DataFrame":
    """Return the predictions without those of refits."""
    predictions: pd.DataFrame = run.predictions
    return predictions[predictions["seed"] == predictions["seed"].min()]


def ranks_to_draw(found: RunDiff) -> "pd.DataFrame":
    """Return some of the rows that both scored, as `ranked` does: those that moved most, and evenly of the rest."""
    import numpy as np

    both = ranked(found.a, found.b).sort_values(["rank_b", "rank_a"], ignore_index=True)
    if len(both) <= DRAWN:
        return both
    moved = (both["rank_a"] - both["rank_b"]).abs().to_numpy()
    most = np.argsort(-moved, kind="stable")[: DRAWN // 6]
    rest = np.setdiff1d(np.arange(len(both)), most)
    evenly = rest[np.linspace(0, len(rest) - 1, DRAWN - len(most)).round().astype(int)]
    return both.iloc[np.sort(np.append(most, evenly))]
