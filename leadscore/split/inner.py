"""The inner fold: the part of the training period that a model may be tuned on and is not fitted on."""

from typing import Any

from leadscore.errors import WindowError
from leadscore.split.fold import Fold
from leadscore.split.splitters import TICK, draw_units
from leadscore.split.unit_fold import UnitFold

__all__ = ["inner_fold"]


def inner_fold(fold: Fold | UnitFold, rows: Any, share: float) -> tuple[Any, Any]:
    """Cut a fold's training rows in two by the rule that cut the fold itself.

    Forward in time the last `share` of the training rows is the inner fold, and a row is fitted on only when
    `as_of + horizon + embargo` does not reach past the inner fold's start: with a horizon of 30 days and an inner
    fold from 1 March the last row fitted on is of 31 January (of a leap year). By lot, a share of the units that
    train.

    Parameters
    ----------
    fold : Fold or UnitFold
    rows : DataFrame (n_observations, ...)
        With `user_id`, `as_of` and `label`.
    share : float
        Of the training rows, or of the training units.

    Returns
    -------
    tuple of Series of bool (n_observations,)
        Rows to fit on, and rows of the inner fold; neither has a row that does not train.

    Raises
    ------
    WindowError
        When one of the two has no row, or one class only.
    """
    train = fold.train(rows)
    inner = _in_time(fold, rows[train], share) if isinstance(fold, Fold) else _by_lot(fold, rows[train], share)
    fit, held_out = train & inner.train(rows), train & inner.valid(rows)
    for what, part in (("to fit on", fit), ("in the inner fold", held_out)):
        positives, n = int(rows["label"][part].sum()), int(part.sum())
        if positives in (0, n):
            raise WindowError(
                f"of the {int(train.sum())} training rows {n} are left {what}, {positives} of them converted: both "
                f"classes are needed. validation.inner_share ({share:g}) and window.horizon decide; without "
                f"model.early_stopping and model.calibration there is no inner fold"
            )
    return fit, held_out


def _in_time(fold: Fold, training: Any, share: float) -> Fold:
    ordered = training["as_of"].sort_values(ignore_index=True)
    start = ordered[min(len(ordered) - 1, int(len(ordered) * (1 - share)))]
    try:
        return Fold(fold.train_start, start, ordered.iloc[-1] + TICK, fold.horizon, fold.embargo)
    except WindowError as error:
        raise WindowError(
            f"the training period is too short for an inner fold (validation.inner_share {share:g}): {error}"
        ) from None


def _by_lot(fold: UnitFold, training: Any, share: float) -> UnitFold:
    unit = fold.unit_of_row[training.index]
    drawn = draw_units(unit.unique(), share, fold.seed + 1)  # the fold's own seed would draw the same order again
    units = training[list(fold.keys)][unit.isin(drawn)].drop_duplicates()
    return fold.of(units, len(drawn), unit.nunique())
