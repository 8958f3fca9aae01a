"""A fold drawn by lot: some leads, or some observations, validate and all others train. Time plays no part in it."""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

__all__ = ["UnitFold"]


@dataclass(frozen=True, eq=False)
class UnitFold:
    """Units that validate; the others train, and nothing is purged.

    Parameters
    ----------
    by : str
        What was drawn: `user_id`, a lead attribute (an account), or `observation`.
    keys : tuple of str
        The columns of the observations that name a unit: `user_id`, or `user_id` and `as_of`.
    valid_units : Index
        The units that validate: texts, or pairs when there are two keys.
    n_drawn, n_units : int
        How many of how many (accounts, leads or observations) were drawn.
    seed : int
        Of the lot: `validation.seed`.
    horizon : timedelta
        Of the outcomes; it separates nothing here.
    unit_of_row : Series
        Each observation's unit, with the index of the observations.
    """

    by: str
    keys: tuple[str, ...]
    valid_units: Any
    n_drawn: int
    n_units: int
    seed: int
    horizon: timedelta
    unit_of_row: Any = None

    def of(self, units: Any, n_drawn: int, n_units: int) -> "UnitFold":
        """Return a fold by the same keys in which other units validate: `units` has a column for each key."""
        import pandas as pd

        if len(self.keys) == 1:
            drawn: Any = pd.Index(units[self.keys[0]])
        else:
            drawn = pd.MultiIndex.from_frame(units)
        return replace(self, valid_units=drawn, n_drawn=n_drawn, n_units=n_units)

    def valid(self, rows: Any) -> Any:
        """Return the mask (n,) of validation rows, of observations with the columns `keys`."""
        import pandas as pd

        if len(self.keys) == 1:
            return rows[self.keys[0]].isin(self.valid_units)
        units = pd.MultiIndex.from_frame(rows[list(self.keys)])
        return pd.Series(units.isin(self.valid_units), index=rows.index)

    def train(self, rows: Any) -> Any:
        """Return the mask (n,) of training rows: all that do not validate."""
        return ~self.valid(rows)

    def purged(self, rows: Any) -> Any:
        """Return the mask (n,) of purged rows: none."""
        return self.valid(rows) & False

    def to_json(self) -> dict[str, Any]:
        """Return how it was drawn, as `windows.json` has it."""
        return {"by": self.by, "drawn": self.n_drawn, "of": self.n_units, "seed": self.seed}

    def __str__(self) -> str:
        return f"{self.n_drawn:,} of {self.n_units:,} drawn by {self.by}, validation.seed {self.seed}"
