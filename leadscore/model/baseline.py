"""What every model must beat: the base rate for everyone, or one feature as a ranking."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd

from leadscore.config.schema import BaselineModel
from leadscore.errors import ModelError, did_you_mean
from leadscore.model.base import Explanation
from leadscore.model.contract import kinds_of
from leadscore.model.log_odds import probability_of
from leadscore.model.registry import register_model
from leadscore.model.state import many_numbers, one_number, read_config, read_state, require, write_state

__all__ = ["Baseline"]

_FILE = "baseline.json"
_BINS = 20
_READ: dict[str, Any] = {"base": one_number, "missing": one_number, "centres": many_numbers, "heights": many_numbers}
_PRIOR_ROWS = 10.0  # a bin's rate is drawn to the base rate as if by ten more rows: never 0, never 1


@dataclass(frozen=True)
class _Fitted:
    """The map from the ranking feature to log-odds: straight between `centres`, flat beyond them."""

    base: float  # log-odds of the base rate
    missing: float  # log-odds where the feature is missing
    centres: list[float]  # mean feature value of each bin, rising, signed so that larger converts better
    heights: list[float]  # log-odds of each bin, never falling


@register_model("baseline", config=BaselineModel, library="scikit-learn")
class Baseline:
    """The base rate of the training rows (`rank_by` null), or the rate that goes with one feature's rank.

    With `rank_by`, training rows are cut into up to 20 bins of equal size by that number. Each bin's rate,
    shrunk to the base rate, is made monotone in the direction that the config states (isotonic
    regression), and the log-odds run straight from one bin's mean to the next. Data that speak against the
    stated direction make the map flat. A missing value gets the shrunk rate of training's missing rows.
    """

    name: str

    def __init__(self, config: BaselineModel, seed: int) -> None:
        self.config = config
        self.seed = seed  # nothing is drawn at random
        self.warnings: list[str] = []
        self._fitted: _Fitted | None = None

    def fit(self, X: pd.DataFrame, y: pd.Series) -> Self:
        """Learn the base rate, and the map from the ranking feature."""
        self._check_rank_by(X)
        self.warnings = []
        base_rate = float(y.mean())
        base = _logit(base_rate)
        if self.config.rank_by is None:
            self._fitted = _Fitted(base, base, [], [])
            return self
        ranking = self._ranking(X)
        present = ~np.isnan(ranking)
        labels = y.to_numpy()
        missing = _logit(_shrunk(labels[~present], base_rate))
        centres, heights = _monotone(ranking[present], labels[present], base_rate)
        self._fitted = _Fitted(base, missing, centres, heights)
        if not heights or heights[0] == heights[-1]:
            better = "larger" if self.config.descending else "smaller"
            self.warnings = [
                f"baseline ranks nobody: in {present.sum()} training rows that have it, {better} "
                f"{self.config.rank_by!r} does not go with more conversions (model.rank_by, model.descending)"
            ]
        return self

    def _check_rank_by(self, X: pd.DataFrame) -> None:
        name = self.config.rank_by
        if name is None:
            return
        kinds = kinds_of(X)
        if name not in kinds:
            msg = f"model.rank_by names {name!r}, which is not a column. {did_you_mean(name, kinds, 'Columns')}"
            raise ModelError(msg)
        if kinds[name] != "number":
            raise ModelError(f"model.rank_by names {name!r}, which is a category: only a number can rank leads")

    def _ranking(self, X: pd.DataFrame) -> np.ndarray:
        values: np.ndarray = X[self.config.rank_by].to_numpy()
        return values if self.config.descending else -values

    def predict_proba(self, X: pd.DataFrame) -> pd.Series:
        """Return P(convert)."""
        return probability_of(self.explain(X).log_odds())

    def explain(self, X: pd.DataFrame) -> Explanation:
        """Return the ranking feature's distance from the base rate; nothing else contributes."""
        fitted = require(self._fitted, self.name)
        contributions = pd.DataFrame(0.0, index=X.index, columns=X.columns)
        if self.config.rank_by is not None:
            ranking = self._ranking(X)
            log_odds = np.full(len(X), fitted.missing)
            present = ~np.isnan(ranking)
            if fitted.centres:
                log_odds[present] = np.interp(ranking[present], fitted.centres, fitted.heights)
            else:  # every training value was missing
                log_odds[present] = fitted.base
            contributions[self.config.rank_by] = log_odds - fitted.base
        return Explanation(contributions, fitted.base)

    def save(self, folder: Path) -> None:
        """Write `baseline.json`."""
        fitted = require(self._fitted, self.name)
        write_state(folder / _FILE, self.config, self.seed, asdict(fitted))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        saved = read_state(folder / _FILE)
        model = cls(read_config(BaselineModel, saved.pop("config")), saved.pop("seed"))
        model._fitted = _Fitted(**{name: _READ[name](value, name) for name, value in saved.items()})
        centres, heights = model._fitted.centres, model._fitted.heights
        if np.shape(centres) != (len(heights),) or (np.diff(centres) <= 0).any():
            raise ValueError("its centres do not rise, or are not as many as its heights")
        return model

    def check_columns(self, columns: Mapping[str, str]) -> None:
        """Raise a ValueError unless it was fitted on `columns`."""
        name = self.config.rank_by
        if name is not None and columns.get(name) != "number":
            raise ValueError(f"model.rank_by {name!r} is no number among the manifest's columns")


def _monotone(ranking: np.ndarray, labels: np.ndarray, base_rate: float) -> tuple[list[float], list[float]]:
    """Return each bin's mean value and log-odds, both in rising order."""
    from sklearn.isotonic import isotonic_regression

    if not len(ranking):
        return [], []
    edges = np.unique(np.quantile(ranking, np.linspace(0, 1, _BINS + 1)))
    # a bin is [edge, next edge), the last one with its end; equal values share a bin
    bins = np.searchsorted(edges[1:-1], ranking, side="right")
    present = np.unique(bins)
    centres = [float(ranking[bins == position].mean()) for position in present]
    rates = [_shrunk(labels[bins == position], base_rate) for position in present]
    sizes = [float((bins == position).sum()) for position in present]
    return centres, [_logit(rate) for rate in isotonic_regression(rates, sample_weight=sizes)]


def _shrunk(labels: np.ndarray, base_rate: float) -> float:
    return float((labels.sum() + _PRIOR_ROWS * base_rate) / (len(labels) + _PRIOR_ROWS))


def _logit(rate: float) -> float:
    return math.log(rate) - math.log1p(-rate)
