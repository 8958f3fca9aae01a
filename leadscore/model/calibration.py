"""Calibration: from a model's score to how often such leads convert, learned on the inner fold.

The calibrators take the model's log-odds and never turn its ranking around. Both are kept within Platt's targets,
so that no lead gets the probability 0 or 1 because an inner fold of a few hundred rows has no counter-example.
"""

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from leadscore.errors import ModelError
from leadscore.model.base import BEFORE_CALIBRATION, Explanation
from leadscore.model.log_odds import bounded, log_odds_of, probability_of
from leadscore.model.state import many_numbers, one_number, read_state

__all__ = ["FILE", "Calibration", "Isotonic", "Sigmoid", "fit_calibration", "read_calibration"]

FILE = "calibration.json"
ENOUGH = 1_000  # rows of the rarer class from which isotonic regression is worth its freedom
_STEPS = 100


@dataclass(frozen=True)
class Sigmoid:
    """Platt's map: a straight line on the log-odds."""

    slope: float
    intercept: float
    method: ClassVar[str] = "sigmoid"

    @property
    def is_flat(self) -> bool:
        """Whether everyone gets the same probability."""
        return self.slope == 0

    @property
    def is_sound(self) -> bool:
        """Whether it never falls."""
        return self.slope >= 0

    def apply(self, log_odds: pd.Series) -> pd.Series:
        """Return probabilities."""
        return probability_of(self.slope * log_odds + self.intercept)

    def explain(self, explanation: Explanation) -> Explanation:
        """Return contributions to the log-odds of the calibrated probability: the line keeps them additive."""
        inside = bounded(explanation)
        return replace(
            inside, contributions=inside.contributions * self.slope, base=inside.base * self.slope + self.intercept
        )


@dataclass(frozen=True)
class Isotonic:
    """A map that never falls: straight between `thresholds` (log-odds, rising), flat beyond them."""

    thresholds: list[float]
    rates: list[float]  # the probability at each threshold
    method: ClassVar[str] = "isotonic"

    @property
    def is_flat(self) -> bool:
        """Whether everyone gets the same probability."""
        return self.rates[0] == self.rates[-1]

    @property
    def is_sound(self) -> bool:
        """Whether it never falls, and ends in probabilities."""
        if not self.rates or np.shape(self.thresholds) != (len(self.rates),):
            return False
        rising = (np.diff(self.thresholds) >= 0).all() and (np.diff(self.rates) >= 0).all()
        return bool(rising and self.rates[0] >= 0 and self.rates[-1] <= 1)

    def apply(self, log_odds: pd.Series) -> pd.Series:
        """Return probabilities."""
        return pd.Series(np.interp(log_odds.to_numpy(), self.thresholds, self.rates), index=log_odds.index)

    def explain(self, explanation: Explanation) -> Explanation:
        """Return the contributions as they are: they add up before calibration, and say so."""
        return replace(explanation, scale=BEFORE_CALIBRATION)


@dataclass(frozen=True)
class Calibration:
    """What `model.calibration` asked for and the map that was learned."""

    asked: str
    map: Sigmoid | Isotonic

    def apply(self, p: pd.Series) -> pd.Series:
        """Return calibrated probabilities."""
        return self.map.apply(log_odds_of(p))

    def save(self, folder: Path) -> None:
        """Write `calibration.json`; float64 comes back from it bit for bit."""
        if (folder / FILE).exists():
            raise ModelError(f"{FILE} is where leadscore keeps its calibration: a model calls its own file otherwise")
        state = {"asked": self.asked, "method": self.map.method, **asdict(self.map)}
        (folder / FILE).write_text(json.dumps(state, allow_nan=False, indent=1) + "\n", encoding="ascii")


def read_calibration(folder: Path) -> Calibration:
    """Return what `Calibration.save` wrote."""
    state = read_state(folder / FILE)
    asked, method = state.pop("asked"), state.pop("method")
    kind: type[Sigmoid | Isotonic] = {each.method: each for each in (Sigmoid, Isotonic)}[method]
    # what is no such map is refused here, not when a lead is scored
    read: Any = one_number if kind is Sigmoid else many_numbers
    learned = kind(**{key: read(value, key) for key, value in state.items()})
    if not learned.is_sound:
        raise ValueError(f"{FILE} is no map that never falls, to probabilities")
    return Calibration(asked, learned)


def fit_calibration(asked: str, p: pd.Series, y: pd.Series) -> tuple[Calibration, list[str]]:
    """Learn how often leads convert at each score.

    Parameters
    ----------
    asked : str
        `sigmoid`: Platt scaling [1]_ with his smoothed targets, by Newton's method as in [2]_. `isotonic`:
        scikit-learn's isotonic regression. `auto`: isotonic when the rarer class has at least 1,000 rows, else
        sigmoid; below that isotonic regression overfits [3]_.
    p : Series
        The model's probabilities on the inner fold, which it was not fitted on.
    y : Series
        Its labels, of both classes.

    Returns
    -------
    tuple of Calibration and list of str
        The second: what people should know about the fit, one sentence each.

    References
    ----------
    .. [1] Platt (1999), Probabilistic Outputs for Support Vector Machines.
    .. [2] Lin, Lin and Weng (2007), A Note on Platt's Probabilistic Outputs for Support Vector Machines.
    .. [3] Niculescu-Mizil and Caruana (2005), Predicting Good Probabilities with Supervised Learning.
    """
    log_odds, labels = log_odds_of(p).to_numpy(), y.to_numpy()
    rarer = int(min(labels.sum(), len(labels) - labels.sum()))
    method = ("isotonic" if rarer >= ENOUGH else "sigmoid") if asked == "auto" else asked
    warnings = []
    if method == "isotonic" and rarer < ENOUGH:
        warnings.append(
            f"model.calibration=isotonic was learned on {rarer} rows of the rarer class in the inner fold "
            f"(validation.inner_share); below {ENOUGH:,} it overfits, and auto would take sigmoid"
        )
    learned = _sigmoid(log_odds, labels) if method == "sigmoid" else _isotonic(log_odds, labels)
    if np.ptp(log_odds) == 0:
        warnings.append(
            f"model.calibration: all {len(labels)} rows of the inner fold have the same score, so calibration only "
            "moves it to their rate of conversion"
        )
    elif learned.is_flat:
        warnings.append(
            f"model.calibration gives every lead the same probability: among the {len(labels)} rows of the inner fold "
            "a higher score does not go with more conversions"
        )
    return Calibration(asked, learned), warnings


def _targets(labels: np.ndarray) -> tuple[float, float]:
    """Return what stands for 0 and for 1: the rates if each class had one more row, of unknown outcome."""
    positive = int(labels.sum())
    return 1 / (len(labels) - positive + 2), (positive + 1) / (positive + 2)


def _isotonic(log_odds: np.ndarray, labels: np.ndarray) -> Isotonic:
    from sklearn.isotonic import IsotonicRegression

    least, most = _targets(labels)
    fitted = IsotonicRegression(y_min=least, y_max=most, increasing=True).fit(log_odds, labels)
    return Isotonic(fitted.X_thresholds_.tolist(), fitted.y_thresholds_.tolist())


def _sigmoid(log_odds: np.ndarray, labels: np.ndarray) -> Sigmoid:
    targets = np.where(labels == 1, *_targets(labels)[::-1])
    rate = targets.mean()
    flat = float(np.log(rate) - np.log1p(-rate))
    centre, spread = log_odds.mean(), log_odds.std()
    if np.ptp(log_odds) == 0 or spread == 0:  # nothing to learn a slope from
        return Sigmoid(1.0, flat - float(log_odds[0]))
    intercept, slope = _newton((log_odds - centre) / spread, targets, flat)
    if slope <= 0:  # the best line that does not fall is flat
        return Sigmoid(0.0, flat)
    return Sigmoid(float(slope / spread), float(intercept - slope * centre / spread))


def _newton(z: np.ndarray, targets: np.ndarray, start: float) -> tuple[float, float]:
    """Minimise the log loss of `intercept + slope * z` against the targets; steps that overshoot are halved."""

    def loss(line: np.ndarray) -> float:
        log_odds = line[0] + line[1] * z
        return float((np.logaddexp(0, log_odds) - targets * log_odds).sum())

    line = np.array([start, 0.0])
    for _ in range(_STEPS):
        p = 1 / (1 + np.exp(-(line[0] + line[1] * z)))
        gradient = np.array([(p - targets).sum(), ((p - targets) * z).sum()])
        weight = p * (1 - p)
        cross = (weight * z).sum()
        step = np.linalg.solve([[weight.sum(), cross], [cross, (weight * z**2).sum()]], gradient)
        before = loss(line)
        while np.abs(step).max() > 1e-12 and loss(line - step) > before:
            step = step / 2
        line = line - step
        if np.abs(step).max() <= 1e-10:
            break
    return float(line[0]), float(line[1])
