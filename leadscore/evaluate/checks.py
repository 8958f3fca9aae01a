"""Coded checks of a finished fit: what a careful reviewer looks at first, one sentence each with its numbers.

A check never stops a run. `problem` says that the numbers should not be believed as they stand, `note` that
somebody should look.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Literal

import pandas as pd

from leadscore.evaluate.metrics import METRICS

__all__ = ["CHECKS", "Check", "CheckContext", "CheckRule", "run_checks"]

Result = Literal["ok", "note", "problem", "not_applicable"]
Finding = tuple[Result, str, str]  # result, sentence with the numbers, what to do

GAP_NOTE = 0.1  # of AUC
ALONE_PROBLEM = 0.97  # AUC of one feature
CALIBRATION_NOTE, CALIBRATION_PROBLEM = 0.2, 0.5  # of the base rate
FEW_PROBLEM, FEW_NOTE = 10, 50  # rows of the rarer class
USED_NOTE = 0.5  # share of the observations


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


@dataclass(frozen=True)
class Check:
    """What a check found; `to_json` gives the keys of `checks.json`."""

    code: str
    title: str
    result: Result
    sentence: str
    action: str

    def to_json(self) -> dict[str, str]:
        """Return the fields as JSON values."""
        return asdict(self)


@dataclass(frozen=True)
class CheckRule:
    """A declared check: its code for life, its title, and what looks."""

    code: str
    title: str
    function: Callable[[CheckContext], Finding]


CHECKS: dict[str, CheckRule] = {}


def _check(code: str, title: str) -> Callable[[Callable[[CheckContext], Finding]], CheckRule]:
    def declare(function: Callable[[CheckContext], Finding]) -> CheckRule:
        CHECKS[code] = CheckRule(code, title, function)
        return CHECKS[code]

    return declare


def run_checks(context: CheckContext) -> list[Check]:
    """Return what every check found, in the order of codes."""
    return [Check(rule.code, rule.title, *rule.function(context)) for rule in CHECKS.values()]


def _auc(y: pd.Series, score: pd.Series) -> float | None:
    return METRICS["auc"](y, score).value


def _not_applicable(why: str) -> Finding:
    return "not_applicable", why, ""


@_check("LS001", "No better than the baseline")
def _beats_baseline(context: CheckContext) -> Finding:
    if context.p_baseline is None:
        return _not_applicable("No baseline was scored.")
    model, baseline = _auc(context.y_valid, context.p_valid), _auc(context.y_valid, context.p_baseline)
    if model is None or baseline is None:
        return _not_applicable("The validation rows have one class only, so no AUC exists.")
    numbers = f"Validation AUC is {model:.3f}; the baseline's is {baseline:.3f}."
    if model <= baseline:
        return "problem", numbers, "Use the baseline, or find features that say more than it does."
    return "ok", numbers, ""


@_check("LS002", "Gap between training and validation")
def _gap(context: CheckContext) -> Finding:
    train, valid = _auc(context.y_train, context.p_train), _auc(context.y_valid, context.p_valid)
    if train is None or valid is None:
        return _not_applicable("Training or validation rows have one class only, so no AUC exists.")
    numbers = f"AUC is {train:.3f} on training and {valid:.3f} on validation rows, a gap of {train - valid:.3f}."
    if train - valid > GAP_NOTE:
        return "note", numbers, "Regularise more or use fewer features; or the world changed in between."
    return "ok", numbers, ""


@_check("LS003", "One feature alone says it all")
def _alone(context: CheckContext) -> Finding:
    rarer = min(_rarer(context.y_train), _rarer(context.y_valid))
    if rarer < FEW_PROBLEM:
        return _not_applicable(f"The rarer class has {rarer} rows: a single feature may separate them by chance.")
    aucs = {name: _auc_alone(context, name) for name in context.X_train.columns}
    if not aucs:
        return _not_applicable("There is no feature.")
    suspects = sorted((name for name in aucs if aucs[name] > ALONE_PROBLEM), key=lambda name: -aucs[name])
    if suspects:
        listed = ", ".join(f"{name} (AUC {aucs[name]:.3f})" for name in suspects[:3])
        sentence = f"{len(suspects)} of {len(aucs)} features rank conversions almost perfectly alone: {listed}."
        return "problem", sentence, "Ask when each value became known: it looks like hindsight."
    best = max(aucs, key=lambda name: aucs[name])
    return "ok", f"The strongest single feature is {best} with an AUC of {aucs[best]:.3f}.", ""


def _auc_alone(context: CheckContext, name: str) -> float:
    """Return the AUC that one column reaches alone, in whichever direction is better."""
    train, valid = context.X_train[name], context.X_valid[name]
    if not pd.api.types.is_float_dtype(train.dtype):
        # A level's training rate, tried on validation: on its own rows, a column of ids would be perfect.
        key = train.fillna("\0missing")
        rates = context.y_train.groupby(key.to_numpy()).mean()
        score = valid.fillna("\0missing").map(rates).astype("float64").fillna(context.y_train.mean())
        return _either_way(context.y_valid, score)
    return max(_number_alone(context.y_train, train), _number_alone(context.y_valid, valid))


def _number_alone(y: pd.Series, values: pd.Series) -> float:
    ranks = values.rank()  # being missing may itself tell: tried below and above all numbers
    return max(_either_way(y, ranks.fillna(0)), _either_way(y, ranks.fillna(len(ranks) + 1)))


def _either_way(y: pd.Series, score: pd.Series) -> float:
    auc = _auc(y, score)
    return 0.5 if auc is None else max(auc, 1 - auc)


@_check("LS004", "Calibration in the large")
def _calibration(context: CheckContext) -> Finding:
    if not context.y_valid.sum():
        return _not_applicable("No validation row converted, so there is no base rate to compare with.")
    mean, base_rate = float(context.p_valid.mean()), float(context.y_valid.mean())
    off = mean / base_rate - 1
    numbers = f"The mean probability on validation is {mean:.3f}; {base_rate:.3f} converted ({off:+.0%})."
    action = "Do not read the probabilities as rates; look whether the base rate moved after training."
    if abs(off) > CALIBRATION_PROBLEM:
        return "problem", numbers, action
    if abs(off) > CALIBRATION_NOTE:
        return "note", numbers, action
    return "ok", numbers, ""


def _rarer(y: pd.Series) -> int:
    converted = int(y.sum())
    return min(converted, len(y) - converted)


@_check("LS005", "Too few of one class")
def _too_few(context: CheckContext) -> Finding:
    train, valid = _rarer(context.y_train), _rarer(context.y_valid)
    numbers = (
        f"The rarer class has {train} of {len(context.y_train)} rows in training "
        f"and {valid} of {len(context.y_valid)} in validation."
    )
    action = "Take a longer period or a longer horizon; differences between runs will mostly be noise."
    if min(train, valid) < FEW_PROBLEM:
        return "problem", numbers, action
    if min(train, valid) < FEW_NOTE:
        return "note", numbers, action
    return "ok", numbers, ""


@_check("LS006", "Leads in both training and validation")
def _both_sides(context: CheckContext) -> Finding:
    train = context.X_train.index.get_level_values("user_id")
    valid = context.X_valid.index.get_level_values("user_id").unique()
    both = int(valid.isin(train).sum())
    numbers = f"{both} of {len(valid)} validation leads also have training rows."
    if both:
        return "note", numbers, "Validation flatters a model that remembers leads; one observation a lead would not."
    return "ok", numbers, ""


@_check("LS007", "Much of the data unused")
def _unused(context: CheckContext) -> Finding:
    if context.observations is None or context.used is None or not context.observations:
        return _not_applicable("Nobody counted the observations.")
    share = context.used / context.observations
    numbers = f"{context.used} of {context.observations} observations ({share:.0%}) are trained or validated on."
    if share < USED_NOTE:
        return (
            "note",
            numbers,
            "windows.json counts the others by reason; a shorter horizon or other borders keep more.",
        )
    return "ok", numbers, ""
