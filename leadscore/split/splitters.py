"""Where the borders lie: each protocol turns the observations into folds."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd

from leadscore.config.schema import (
    GroupedValidation,
    HoldoutValidation,
    RandomValidation,
    RollingValidation,
    ValidationConfig,
)
from leadscore.errors import WindowError, did_you_mean
from leadscore.split.fold import Fold
from leadscore.split.lateness import AUTO
from leadscore.split.unit_fold import UnitFold
from leadscore.times import parse_duration, parse_instant

__all__ = ["SPLITTERS", "TICK", "draw_units", "make_folds"]

TICK = pd.Timedelta(microseconds=1)  # makes the last as_of lie inside a half-open period
LEAD = ("user_id",)
OBSERVATION = ("user_id", "as_of")


@dataclass(frozen=True)
class _Asked:
    """What a protocol is given: the observations, two lengths, and the account of each row where it was asked for."""

    rows: pd.DataFrame
    horizon: timedelta
    embargo: timedelta
    groups: pd.Series | None

    @property
    def as_of(self) -> pd.Series:
        return self.rows["as_of"]


def make_folds(
    frame: pd.DataFrame,
    horizon: timedelta,
    validation: ValidationConfig,
    *,
    embargo: timedelta | None = None,
    groups: pd.Series | None = None,
) -> list[Fold | UnitFold]:
    """Return the folds of a validation protocol, earliest first, each with rows on both sides.

    Parameters
    ----------
    frame : DataFrame (n_observations, ...)
        With `user_id` (str), `as_of` (datetime64[us, UTC]) and `label` (0 or 1).
    horizon : timedelta
    validation : ValidationConfig
    embargo : timedelta, optional
        What `validation.embargo` stands for; needed where that is `auto`.
    groups : Series (n_observations,), optional
        Each row's account, with the frame's index, where `validation.group` names one; missing: the lead alone.

    Raises
    ------
    WindowError
        When a fold has no training or validation row, or trains on one class only.
    """
    if validation.name not in SPLITTERS:
        raise WindowError(f"validation={validation.name}: unknown protocol. {did_you_mean(validation.name, SPLITTERS)}")
    if embargo is None:
        embargo = timedelta(0) if validation.embargo == AUTO else parse_duration(validation.embargo)
    folds: list[Fold | UnitFold] = SPLITTERS[validation.name](_Asked(frame, horizon, embargo, groups), validation)
    for number, fold in enumerate(folds):
        _refuse_thin(number, fold, frame)
    return folds


def holdout(asked: _Asked, validation: HoldoutValidation) -> list[Fold]:
    """One fold: the last period validates, everything before it that is old enough trains."""
    as_of = asked.as_of
    end = as_of.max() + TICK
    if validation.start is not None:
        start = pd.Timestamp(parse_instant(validation.start))
    elif validation.length is not None:
        start = end - parse_duration(validation.length)
    else:
        ordered = as_of.sort_values(ignore_index=True)
        start = ordered[min(len(ordered) - 1, int(len(ordered) * (1 - validation.share)))]
    return [Fold(as_of.min(), start, end, asked.horizon, asked.embargo)]


def rolling(asked: _Asked, validation: RollingValidation) -> list[Fold]:
    """Lay a rolling origin: the last `folds` periods of `length` validate in turn, trained on what came before."""
    as_of, horizon, embargo = asked.as_of, asked.horizon, asked.embargo
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


def grouped(asked: _Asked, validation: GroupedValidation) -> list[UnitFold]:
    """One fold: a share of the leads, or of the accounts with all their leads, validates."""
    leads = asked.rows["user_id"]
    accounts = leads if asked.groups is None else _accounts(leads, asked.groups)
    units = pd.Index(accounts.unique())
    drawn = draw_units(units, validation.share, validation.seed)
    valid_leads = pd.Index(leads[accounts.isin(drawn)].unique())
    by = "user_id" if asked.groups is None else validation.group
    return [UnitFold(by, LEAD, valid_leads, len(drawn), len(units), validation.seed, asked.horizon, accounts)]


def random(asked: _Asked, validation: RandomValidation) -> list[UnitFold]:
    """One fold: a share of the observations validates; rows of one lead and instant stay together."""
    pairs = asked.rows[list(OBSERVATION)].drop_duplicates()
    named = asked.rows["user_id"] + "\n" + asked.as_of.astype("int64").astype("str")
    names = pd.Index(named[pairs.index])
    drawn = pd.MultiIndex.from_frame(pairs[names.isin(draw_units(names, validation.share, validation.seed))])
    n, of = len(drawn), len(pairs)
    return [UnitFold("observation", OBSERVATION, drawn, n, of, validation.seed, asked.horizon, named)]


SPLITTERS: dict[str, Callable[[_Asked, Any], Any]] = {
    "holdout": holdout,
    "rolling": rolling,
    "grouped": grouped,
    "random": random,
}


def draw_units(units: Any, share: float, seed: int) -> pd.Index:
    """Draw a share of the units, one at least: those whose keyed hashes are smallest, whatever order they come in."""
    hashes = pd.util.hash_array(np.asarray(units, dtype=object), hash_key=f"{seed:016x}"[-16:])
    n = max(1, round(share * len(units)))
    return pd.Index(units)[np.argsort(hashes)[:n]]


def _accounts(leads: pd.Series, groups: pd.Series) -> pd.Series:
    """Return each row's account; accounts that share a lead are one, or that lead would stand on both sides."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    names = groups.astype("str").where(groups.notna(), "\n" + leads)  # no account: the lead is its own
    lead, _ = pd.factorize(leads)
    account, known = pd.factorize(names, sort=True)
    n = lead.max() + 1
    size = n + len(known)
    links = coo_array((np.ones(len(lead), dtype="int8"), (lead, account + n)), shape=(size, size))
    part = connected_components(links, directed=False)[1][account + n]
    return names.groupby(part).transform("min")  # named after its first member, so that row order plays no part


def _refuse_thin(number: int, fold: Fold | UnitFold, frame: pd.DataFrame) -> None:
    train, valid = fold.train(frame), fold.valid(frame)
    purged = int(fold.purged(frame).sum())
    where = f"fold {number} ({fold})"
    keys = "start, length, share, folds, embargo" if isinstance(fold, Fold) else "share, group, seed"
    decide = f"validation ({keys}) and window.horizon decide"
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
