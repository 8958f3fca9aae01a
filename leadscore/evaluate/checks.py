"""Coded checks of a finished fit: what a careful reviewer looks at first, one sentence each with its numbers.

A check never stops a run. `problem` says that the numbers should not be believed as they stand, `note` that
somebody should look. The rules themselves: `rules_of_fit` about the model's numbers, `rules_of_data` about the rows.
"""

from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass
from typing import Any, Literal

import pandas as pd

from leadscore.evaluate.metrics import METRICS

__all__ = [
    "CHECKS",
    "Check",
    "CheckContext",
    "CheckRule",
    "Finding",
    "Gain",
    "auc",
    "check",
    "not_applicable",
    "rarer",
    "run_checks",
]

Result = Literal["ok", "note", "problem", "not_applicable"]
Finding = tuple[Result, str, str]  # result, sentence with the numbers, what to do


@dataclass(frozen=True)
class Gain:
    """How sure it is that the model's AUC is above the baseline's, on the same rows.

    Attributes
    ----------
    difference, low, high : float or None
        The model's AUC minus the baseline's, and the 95% interval of this one comparison.
    p : float or None
        Two-sided, after Holm for `looks`.
    looks : int
        How many runs were measured on these rows, this one among them.
    reason : str or None
        Why there is no p.
    sure : bool
        Whether the model is better, p below 5%.
    model, baseline : float or None
        The two AUCs, means over `folds`; None: those of the context's own fold.
    """

    difference: float | None
    low: float | None
    high: float | None
    p: float | None
    looks: int
    reason: str | None
    sure: bool
    model: float | None = None
    baseline: float | None = None
    folds: int = 1


@dataclass(frozen=True)
class CheckContext:
    """One fold's fit, as values.

    Attributes
    ----------
    X_train, X_valid : DataFrame
        As the model got them; index (user_id, as_of), columns float64 or str.
    y_train, y_valid : Series of int
        Labels, 0 or 1, with the same index.
    p_train, p_valid : Series of float64
        The model's probabilities for both.
    p_baseline : Series of float64 or None
        A baseline's probabilities for the validation rows.
    observations : int or None
        All observations that the window makes, before any exclusion; None when nobody counted.
    used : int or None
        Those among them that any fold trains or validates on, each once.
    immature : int or None
        Candidates left out because their outcome has not had its time.
    adversarial : (float, str) or None
        AUC of telling validation from training rows by their features, and the feature that tells most.
    shuffled : bool
        Whether rows were split at random although they have times.
    gain : Gain or None
        Of the model's AUC over the baseline's; None when nobody tested it.
    """

    X_train: pd.DataFrame
    y_train: pd.Series
    p_train: pd.Series
    X_valid: pd.DataFrame
    y_valid: pd.Series
    p_valid: pd.Series
    p_baseline: pd.Series | None = None
    observations: int | None = None
    used: int | None = None
    immature: int | None = None
    adversarial: "tuple[float, str] | None" = None
    shuffled: bool = False
    gain: Gain | None = None


@dataclass(frozen=True)
class Check:
    """What a check found; `to_json` gives the keys of `checks.json`."""

    code: str
    title: str
    result: Result
    sentence: str
    action: str
    muted: bool = False

    @property
    def speaks(self) -> bool:
        """Whether somebody should hear of it."""
        return self.result in ("note", "problem") and not self.muted

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values; `muted` only where it is."""
        return {key: value for key, value in asdict(self).items() if key != "muted" or value}


@dataclass(frozen=True)
class CheckRule:
    """A declared check: its code for life, its title, and what looks."""

    code: str
    title: str
    function: Callable[[CheckContext], Finding]


CHECKS: dict[str, CheckRule] = {}


def check(code: str, title: str) -> Callable[[Callable[[CheckContext], Finding]], CheckRule]:
    """Declare the decorated function as the check of a code."""

    def declare(function: Callable[[CheckContext], Finding]) -> CheckRule:
        CHECKS[code] = CheckRule(code, title, function)
        return CHECKS[code]

    return declare


def run_checks(context: CheckContext, mute: Collection[str] = ()) -> list[Check]:
    """Return what every check found, in the order of codes; muted ones are recorded and not heard."""
    rules = sorted(CHECKS.values(), key=lambda rule: rule.code)
    return [Check(rule.code, rule.title, *rule.function(context), muted=rule.code in mute) for rule in rules]


def auc(y: pd.Series, score: pd.Series) -> float | None:
    """Return the AUC, None where one class is absent."""
    return METRICS["auc"](y, score).value


def not_applicable(why: str) -> Finding:
    """Return the finding of a check that these rows cannot answer."""
    return "not_applicable", why, ""


def rarer(y: pd.Series) -> int:
    """Return how many rows the rarer class has."""
    converted = int(y.sum())
    return min(converted, len(y) - converted)
