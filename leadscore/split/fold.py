"""A fold in time is a value: three borders and two lengths that refuse to contradict each other."""

from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from typing import Any

from leadscore.errors import WindowError
from leadscore.times import format_duration

__all__ = ["Fold"]


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

    def train(self, rows: Any) -> Any:
        """Return the mask (n,) of training rows, of observations with `as_of`."""
        as_of = rows["as_of"]
        # Without a horizon train_last is valid_start itself, and that row belongs to validation.
        return (as_of >= self.train_start) & (as_of <= self.train_last) & (as_of < self.valid_start)

    def purged(self, rows: Any) -> Any:
        """Return the mask (n,) of rows too late to train and too early to validate."""
        return (rows["as_of"] > self.train_last) & (rows["as_of"] < self.valid_start)

    def valid(self, rows: Any) -> Any:
        """Return the mask (n,) of validation rows."""
        return (rows["as_of"] >= self.valid_start) & (rows["as_of"] < self.valid_end)

    def to_json(self) -> dict[str, Any]:
        """Return the borders, as `windows.json` has them."""
        return {
            "train_start": self.train_start.isoformat(),
            "last_training_as_of": self.train_last.isoformat(),
            "valid_start": self.valid_start.isoformat(),
            "valid_end": self.valid_end.isoformat(),
            "embargo": format_duration(self.embargo),
        }

    def __str__(self) -> str:
        return f"{self.train_start:%Y-%m-%d} | {self.valid_start:%Y-%m-%d} .. {self.valid_end:%Y-%m-%d}"
