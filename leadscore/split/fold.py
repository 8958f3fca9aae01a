"""A fold is a value: three borders and two lengths that refuse to contradict each other."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from typing import Any

from leadscore.errors import WindowError
from leadscore.times import format_duration

__all__ = ["Fold", "draw_folds"]


@dataclass(frozen=True)
class Fold:
    """One training period and the validation period after it, in `as_of`.

    Training: `train_start <= as_of < valid_start` and `as_of + horizon + embargo <= valid_start`.
    Validation: `valid_start <= as_of < valid_end`.

    A training outcome is known only at `as_of + horizon`; one that reaches past `valid_start` would not have
    been there to train on. With valid_start 1 March and a horizon of 30 days the last training `as_of` is
    31 January (of a leap year); what lies between is purged.

    Parameters
    ----------
    train_start, valid_start, valid_end : Timestamp
        UTC, in this order.
    horizon, embargo : timedelta
        Zero or longer.

    Raises
    ------
    WindowError
        Naming every pair of neighbours out of order.
    """

    train_start: Any
    valid_start: Any
    valid_end: Any
    horizon: timedelta
    embargo: timedelta = timedelta(0)

    def __post_init__(self) -> None:
        borders = {
            "train_start": self.train_start,
            "last training as_of": self.train_last,
            "valid_start": self.valid_start,
            "valid_end": self.valid_end,
        }
        wrong = [
            f"{before} {borders[before]:%Y-%m-%d %H:%M} is after {after} {borders[after]:%Y-%m-%d %H:%M}"
            for before, after in pairwise(borders)
            if borders[before] > borders[after]
        ]
        if self.valid_start == self.valid_end:
            wrong.append(f"the validation period is empty ({self.valid_start:%Y-%m-%d %H:%M})")
        if wrong:
            gap = f"horizon {format_duration(self.horizon)}, embargo {format_duration(self.embargo)}"
            raise WindowError(
                f"the fold is out of order: {'; '.join(wrong)} ({gap}). validation (start, length, share, folds, "
                f"embargo) and window.horizon decide; shorter ones, or more data, leave room to train"
            )

    @property
    def train_last(self) -> Any:
        """The latest `as_of` that may train."""
        return self.valid_start - self.horizon - self.embargo

    def train(self, as_of: Any) -> Any:
        """Return the mask (n,) of training rows."""
        # Without a horizon train_last is valid_start itself, and that row belongs to validation.
        return (as_of >= self.train_start) & (as_of <= self.train_last) & (as_of < self.valid_start)

    def purged(self, as_of: Any) -> Any:
        """Return the mask (n,) of rows too late to train and too early to validate."""
        return (as_of > self.train_last) & (as_of < self.valid_start)

    def valid(self, as_of: Any) -> Any:
        """Return the mask (n,) of validation rows."""
        return (as_of >= self.valid_start) & (as_of < self.valid_end)


def draw_folds(folds: Sequence[Fold], width: int = 60) -> str:
    """Return a picture of the folds: `=` trains, `/` is purged, `*` validates.

    Examples
    --------
    >>> import pandas as pd
    >>> day = lambda text: pd.Timestamp(text, tz="UTC")
    >>> fold = Fold(day("2024-01-01"), day("2024-03-01"), day("2024-03-31"), timedelta(days=30))
    >>> print(draw_folds([fold], width=30))
    2024-01-01          2024-03-31
    ==========//////////**********
    """
    start = min(fold.train_start for fold in folds)
    end = max(fold.valid_end for fold in folds)
    length = (end - start).total_seconds() or 1.0

    def column(instant: Any) -> int:
        return int(width * (instant - start).total_seconds() / length + 0.5)

    first, last = f"{start:%Y-%m-%d}", f"{end:%Y-%m-%d}"
    lines = [first.ljust(width - len(last)) + last]
    for fold in folds:
        a, b, c, d = (column(each) for each in (fold.train_start, fold.train_last, fold.valid_start, fold.valid_end))
        lines.append((" " * a + "=" * (b - a) + "/" * (c - b) + "*" * (d - c)).rstrip())
    return "\n".join(lines)
