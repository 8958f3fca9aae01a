"""Where the borders lie: each protocol turns the observations' times into folds."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pandas as pd

from leadscore.config.schema import HoldoutValidation, RollingValidation, ValidationConfig
from leadscore.errors import WindowError, did_you_mean
from leadscore.split.fold import Fold
from leadscore.times import parse_duration, parse_instant

__all__ = ["SPLITTERS", "make_folds"]

TICK = pd.Timedelta(microseconds=1)  # makes the last as_of lie inside a half-open period


def make_folds(frame: pd.DataFrame, horizon: timedelta, validation: ValidationConfig) -> list[Fold]:
    """Return the folds of a validation protocol, earliest first, each with rows on both sides.

    Parameters
    ----------
    frame : DataFrame (n_observations, ...)
        With `as_of` (datetime64[us, UTC]) and `label` (0 or 1).
    horizon : timedelta
    validation : ValidationConfig

    Raises
    ------
    WindowError
        When a fold has no training or validation row, or trains on one class only.
    """
    if validation.name not in SPLITTERS:
        raise WindowError(f"validation={validation.name}: unknown protocol. {did_you_mean(validation.name, SPLITTERS)}")
    folds = SPLITTERS[validation.name](frame["as_of"], horizon, validation)
    for number, fold in enumerate(folds):
        _refuse_thin(number, fold, frame)
    return folds


def holdout(as_of: pd.Series, horizon: timedelta, validation: HoldoutValidation) -> list[Fold]:
    """One fold: the last period validates, everything before it that is old enough trains."""
    end = as_of.max() + TICK
    if validation.start is not None:
        start = pd.Timestamp(parse_instant(validation.start))
    elif validation.length is not None:
        start = end - parse_duration(validation.length)
    else:
        ordered = as_of.sort_values(ignore_index=True)
        start = ordered[min(len(ordered) - 1, int(len(ordered) * (1 - validation.share)))]
    return [Fold(as_of.min(), start, end, horizon, parse_duration(validation.embargo))]


def rolling(as_of: pd.Series, horizon: timedelta, validation: RollingValidation) -> list[Fold]:
    """Lay a rolling origin: the last `folds` periods of `length` validate in turn, trained on what came before."""
    embargo = parse_duration(validation.embargo)
    length = parse_duration(validation.length)
    end = as_of.max() + TICK
    folds = []
    for back in range(validation.folds, 0, -1):
        start = end - back * length
        first = as_of.min()
        if validation.train_length is not None:
            first = max(first, start - horizon - embargo - parse_duration(validation.train_length))
        folds.append(Fold(first, start, start + length, horizon, embargo))
    return folds


SPLITTERS: dict[str, Callable[[pd.Series, timedelta, Any], list[Fold]]] = {"holdout": holdout, "rolling": rolling}


def _refuse_thin(number: int, fold: Fold, frame: pd.DataFrame) -> None:
    train, valid = fold.train(frame["as_of"]), fold.valid(frame["as_of"])
    purged = int(fold.purged(frame["as_of"]).sum())
    where = f"fold {number} ({fold.train_start:%Y-%m-%d} | {fold.valid_start:%Y-%m-%d} .. {fold.valid_end:%Y-%m-%d})"
    decide = "validation (start, length, share, folds, embargo) and window.horizon decide"
    if not train.any() or not valid.any():
        raise WindowError(
            f"{where} has {int(train.sum())} training, {purged} purged and {int(valid.sum())} validation rows; {decide}"
        )
    positives = int(frame["label"][train].sum())
    if positives in (0, int(train.sum())):
        only = "converted" if positives else "unconverted"
        raise WindowError(
            f"{where} trains on {int(train.sum())} rows, all {only}: a model needs both classes; {decide}"
        )
