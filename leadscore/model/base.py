"""What a model is to the rest of leadscore: five methods, one number a row, and reasons that add up."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self, runtime_checkable

import numpy as np
import pandas as pd

__all__ = ["BEFORE_CALIBRATION", "LOG_ODDS", "ChecksColumns", "Explanation", "Model"]

LOG_ODDS = "log-odds"
BEFORE_CALIBRATION = "log-odds before calibration"


@dataclass(frozen=True)
class Explanation:
    """Why each observation got its probability, as parts of its log-odds.

    Attributes
    ----------
    contributions : DataFrame (n_observations, n_features), float64
        What each feature added to the log-odds, in the rows and columns of the `X` explained. A
        contribution of 0.7 about doubles the odds (exp(0.7) = 2.01); -0.7 about halves them.
    base : float
        The log-odds before any feature has spoken; the same for every row.
    scale : str
        `log-odds`: of the probability itself. `log-odds before calibration`: isotonic calibration, which is no sum,
        comes after them.
    """

    contributions: pd.DataFrame
    base: float
    scale: str = LOG_ODDS

    def log_odds(self) -> pd.Series:
        """Return base plus contributions, a float64 Series: the log-odds of each probability, on this scale."""
        total = np.full(len(self.contributions), self.base)
        # column by column: a row's sum is the same whatever rows stand beside it, and NaN stays NaN
        for name in self.contributions.columns:
            total = total + self.contributions[name].to_numpy()
        return pd.Series(total, index=self.contributions.index)


class Model(Protocol):
    """What a registered class must offer; it is built as `cls(config, seed)`.

    `X` has one row an observation, index (user_id, as_of), and columns of dtype float64 (a number) or str
    (a category); NaN is missing. `y` is an int Series of 0 and 1 with the same index. `make_model` holds
    every class to this contract from outside (see `CheckedModel`), so a class need not check its input:
    it gets the columns that it was fitted on, in that order, in a frame of its own.

    Attributes
    ----------
    name : str
        The registered name; `register_model` sets it.
    wants_held_out : bool, optional
        True where the model as configured is tuned on rows that it is not fitted on. Its `fit` is then called with a
        third argument `held_out`, the pair (X, y) of the inner fold of the training period.
    libraries : list of str, optional
        Packages, besides the registered one, whose versions a saved model records.
    in_words : callable, optional
        `in_words()`: the fitted model in sentences, the most important first, for `metrics.json` and `leadscore show`.
    """

    name: str

    def fit(self, X: pd.DataFrame, y: pd.Series) -> Self:
        """Learn from the training rows, everything learned anew, and return the model itself."""

    def predict_proba(self, X: pd.DataFrame) -> pd.Series:
        """Return P(the lead converts within the horizon): float64 in [0, 1], with the index of X."""

    def explain(self, X: pd.DataFrame) -> Explanation:
        """Return contributions that add up to the log-odds of `predict_proba(X)` within 1e-6."""

    def save(self, folder: Path) -> None:
        """Write plain files (no subfolders, no pickle) into an existing empty folder."""

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Return the model that `save` wrote; its probabilities are the same bit for bit."""


@runtime_checkable
class ChecksColumns(Protocol):
    """What a class may offer besides: a model that was read back says whether it is one of these columns."""

    def check_columns(self, columns: Mapping[str, str]) -> None:
        """Raise a ValueError unless the model was fitted on `columns`, name to `number` or `category`, in this order.

        So is refused when it is read, and not when a lead is scored, what was made up or mixed up.
        """
