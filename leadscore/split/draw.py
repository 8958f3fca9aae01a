"""Folds as people see them: a picture of their periods, or a sentence, and what they cannot promise."""

from collections.abc import Sequence
from typing import Any

from leadscore.split.fold import Fold
from leadscore.split.unit_fold import UnitFold

__all__ = ["caveats", "draw_folds", "legend"]


def draw_folds(folds: "Sequence[Fold | UnitFold]", width: int = 60) -> str:
    """Return a picture of the folds: `=` trains, `/` is purged, `*` validates.

    Folds drawn by lot have no periods; their shares are drawn, under a sentence.

    Examples
    --------
    >>> import pandas as pd
    >>> from datetime import timedelta
    >>> day = lambda text: pd.Timestamp(text, tz="UTC")
    >>> fold = Fold(day("2024-01-01"), day("2024-03-01"), day("2024-03-31"), timedelta(days=30))
    >>> print(draw_folds([fold], width=30))
    2024-01-01          2024-03-31
    ==========//////////**********
    >>> print(draw_folds([UnitFold("user_id", ("user_id",), pd.Index(["a"]), 1, 4, 0, timedelta(days=30))], width=30))
    1 of 4 drawn by user_id, validation.seed 0
    ======================********
    """
    in_time = [fold for fold in folds if isinstance(fold, Fold)]
    if not in_time:
        return "\n".join(line for fold in folds if isinstance(fold, UnitFold) for line in _shares(fold, width))
    start = min(fold.train_start for fold in in_time)
    end = max(fold.valid_end for fold in in_time)
    length = (end - start).total_seconds() or 1.0

    def column(instant: Any) -> int:
        return int(width * (instant - start).total_seconds() / length + 0.5)

    first, last = f"{start:%Y-%m-%d}", f"{end:%Y-%m-%d}"
    lines = [first.ljust(width - len(last)) + last]
    for fold in in_time:
        a, b, c, d = (column(each) for each in (fold.train_start, fold.train_last, fold.valid_start, fold.valid_end))
        lines.append((" " * a + "=" * (b - a) + "/" * (c - b) + "*" * (d - c)).rstrip())
    return "\n".join(lines)


def _shares(fold: UnitFold, width: int) -> list[str]:
    validates = int(width * fold.n_drawn / fold.n_units + 0.5)
    return [str(fold), "=" * (width - validates) + "*" * validates]


def legend(folds: "Sequence[Fold | UnitFold]") -> str:
    """Return what the signs of `draw_folds` mean."""
    if any(isinstance(fold, UnitFold) for fold in folds):
        return "= trains  * validates; drawn by lot, whatever their times: nothing is purged"
    return "= trains  / is purged, its outcome reaches into validation  * validates"


def caveats(folds: "Sequence[Fold | UnitFold]", rows: Any) -> list[str]:
    """Return what these folds cannot promise, a sentence each: none for folds that go forward in time.

    Parameters
    ----------
    folds : sequence of Fold or UnitFold
    rows : DataFrame (n_observations, ...)
        With `user_id` and `as_of`.
    """
    return [sentence for fold in folds if isinstance(fold, UnitFold) for sentence in _caveats(fold, rows)]


def _caveats(fold: UnitFold, rows: Any) -> list[str]:
    valid = fold.valid(rows)
    instants = rows["as_of"][valid]
    last = rows["as_of"][~valid].max()
    n_early = int((instants < last).sum())
    n_open = int((instants < last + fold.horizon).sum())
    if not n_early:  # one instant for all, or none later than validation: time can tell nothing
        return []
    known = f"training has scores from after {n_early:,} of {len(instants):,} validation rows"
    if fold.by == "observation":
        leads = rows["user_id"][valid].unique()
        both = int(rows["user_id"][~valid].drop_duplicates().isin(leads).sum())
        also = f", and {both:,} of {len(leads):,} validation leads are trained on too" if both else ""
        return [
            f"validation=random is optimistic, because the rows have times: {known}{also}; validation=holdout shows "
            f"how the model does on leads to come"
        ]
    side = "lead" if fold.by == "user_id" else f"lead and each {fold.by}"
    return [
        f"validation=grouped keeps each {side} on one side and is no look ahead: {known}, and nothing is purged "
        f"between different leads ({n_open:,} validation rows were scored before some training outcome was known)"
    ]
