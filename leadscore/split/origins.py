"""Periods inside a fold's training rows: what may be tried is scored there, and validation is left alone."""

from itertools import pairwise
from typing import Any

from leadscore.errors import WindowError
from leadscore.split.fold import Fold
from leadscore.split.splitters import TICK, draw_units
from leadscore.split.unit_fold import UnitFold

__all__ = ["inner_periods"]


def inner_periods(fold: Fold | UnitFold, rows: Any, n: int, share: float) -> list[Fold | UnitFold]:
    """Lay `n` folds inside a fold's training rows by the rule that laid the fold itself.

    Forward in time a rolling origin: the last `share` of the training rows, cut into periods of as many rows each,
    validate in turn, trained on what is old enough before them. By lot, `n` parts of the training units that have
    no unit in common; each is scored by what all others train.

    Parameters
    ----------
    fold : Fold or UnitFold
    rows : DataFrame (n_rows, ...)
        With `user_id`, `as_of` and `label`; only rows that train.
    n : int
    share : float
        Of the rows, or of the units.

    Returns
    -------
    list of Fold or UnitFold
        Earliest first.

    Raises
    ------
    WindowError
        When a period, or what trains for it, has no row or one class only.
    """
    laid = _in_time(fold, rows, n, share) if isinstance(fold, Fold) else _by_lot(fold, rows, n, share)
    for number, each in enumerate(laid, 1):
        for what, part in (("to train on", each.train(rows)), ("to be scored", each.valid(rows))):
            positives, count = int(rows["label"][part].sum()), int(part.sum())
            if positives in (0, count):
                raise WindowError(
                    f"the search has no period {number} of {n} ({each}): of the {len(rows):,} training rows {count:,} "
                    f"are left {what}, {positives:,} of them converted, and both classes are needed. search.folds, "
                    f"search.share ({share:g}) and window.horizon decide"
                )
    return laid


def _in_time(fold: Fold, rows: Any, n: int, share: float) -> list[Fold | UnitFold]:
    ordered = rows["as_of"].sort_values(ignore_index=True)
    first = (1 - share) * len(ordered)
    places = [int(first + (len(ordered) - first) * number / n) for number in range(n)]
    borders = [*(ordered[place] for place in places), ordered.iloc[-1] + TICK]
    try:
        return [Fold(fold.train_start, *ends, fold.horizon, fold.embargo) for ends in pairwise(borders)]
    except WindowError as error:
        raise WindowError(
            f"the training period is too short for the {n} periods of a search (search.folds; search.share {share:g}): "
            f"{error}"
        ) from None


def _by_lot(fold: UnitFold, rows: Any, n: int, share: float) -> list[Fold | UnitFold]:
    unit = fold.unit_of_row[rows.index]
    ordered = draw_units(unit.unique(), 1.0, fold.seed + 2)  # neither the fold's own order nor its inner fold's
    size = max(1, round(len(ordered) * share / n))
    parts = [ordered[number * size : (number + 1) * size] for number in range(n)]
    return [
        fold.of(rows[list(fold.keys)][unit.isin(part)].drop_duplicates(), len(part), len(ordered)) for part in parts
    ]
