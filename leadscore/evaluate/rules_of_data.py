"""Checks of the rows: who stands on both sides, what is known only afterwards, what has not had its time, drift."""

from typing import Any

import numpy as np
import pandas as pd

from leadscore.evaluate.checks import CheckContext, Finding, check, not_applicable, rarer

__all__: list[str] = []  # importing it declares the checks

USED_NOTE = 0.5  # share of the observations
FILLED_ROWS = 20  # with a value, of the class that has some, below which chance may explain it
REPEATED_NOTE, REPEATED_PROBLEM = 0.05, 0.2  # share of validation rows that repeat a training row
BARREN_EXPECTED = 100  # conversions that a range without any should have had
RARE = 3  # rows alike in training, above which a repetition says nothing
COHORTS, COHORT_EXPECTED = 8, 10  # equal parts of the rows in time; conversions that a part should have
IMMATURE_NOTE = 0.3  # share of the candidates
DRIFT_NOTE, DRIFT_PROBLEM = 0.8, 0.95  # AUC of telling validation from training


@check("LS006", "Leads in both training and validation")
def _both_sides(context: CheckContext) -> Finding:
    train = context.X_train.index.get_level_values("user_id")
    valid = context.X_valid.index.get_level_values("user_id").unique()
    both = int(valid.isin(train).sum())
    numbers = f"{both} of {len(valid)} validation leads also have training rows."
    if both:
        return "note", numbers, "Validation flatters a model that remembers leads; one observation a lead would not."
    return "ok", numbers, ""


@check("LS007", "Much of the data unused")
def _unused(context: CheckContext) -> Finding:
    if context.observations is None or context.used is None or not context.observations:
        return not_applicable("Nobody counted the observations.")
    share = context.used / context.observations
    numbers = f"{context.used} of {context.observations} observations ({share:.0%}) are trained or validated on."
    if share < USED_NOTE:
        action = "windows.json counts the others by reason; a shorter horizon or other borders keep more."
        return "note", numbers, action
    return "ok", numbers, ""


@check("LS008", "Known only afterwards")
def _known_afterwards(context: CheckContext) -> Finding:
    X, y = pd.concat([context.X_train, context.X_valid]), pd.concat([context.y_train, context.y_valid])
    if not rarer(y):
        return not_applicable("There is one class only.")
    won = y.to_numpy() == 1
    filled = [said for name in X.columns if (said := _filled_for_one(name, X[name], won))]
    if filled:
        sentence = f"{len(filled)} of {X.shape[1]} features have values for one class only: {', '.join(filled[:3])}."
        return "problem", sentence, "Such a value is written when the outcome is known: leave the feature out."
    barren = [said for name in X.columns if (said := _barren(name, X[name], won))]
    if barren:
        sentence = (
            f"{len(barren)} of {X.shape[1]} features have a range where nobody converts: {', '.join(barren[:3])}."
        )
        return "note", sentence, "Ask when the value is known: the length of a call, say, is known after it."
    return "ok", "Every feature has values for both classes, and no long range without conversions.", ""


def _filled_for_one(name: str, values: pd.Series, won: np.ndarray[Any, Any]) -> str:
    """Return words for a feature that one class has and the other never."""
    filled = values.notna().to_numpy()
    has = (int(filled[won].sum()), int(filled[~won].sum()))
    if min(has) or max(has) < FILLED_ROWS:
        return ""
    return f"{name} ({has[0]} of {won.sum()} converted, {has[1]} of {(~won).sum()} others)"


def _barren(name: str, values: pd.Series, won: np.ndarray[Any, Any]) -> str:
    """Return words for an end of a number's range in which many should have converted and nobody has."""
    known = values.notna().to_numpy()
    if not pd.api.types.is_float_dtype(values.dtype) or not (won & known).any():
        return ""
    converted = values[won & known]
    rate = len(converted) / int(known.sum())
    for words, edge, outside in (
        ("below", converted.min(), int((values < converted.min()).sum())),
        ("above", converted.max(), int((values > converted.max()).sum())),
    ):
        if outside * rate >= BARREN_EXPECTED:
            return f"{name} {words} {edge:g} ({outside} rows, {outside * rate:.0f} conversions expected)"
    return ""


@check("LS009", "Duplicates across the split")
def _duplicates(context: CheckContext) -> Finding:
    if context.X_train.shape[1] < 3:
        return not_applicable("With fewer than three features, equal rows are no surprise.")
    train, valid = (pd.util.hash_pandas_object(X, index=False) for X in (context.X_train, context.X_valid))
    times = train.value_counts()
    rare = valid.isin(times.index[times <= RARE])
    share = float(rare.mean())
    numbers = (
        f"{int(rare.sum())} of {len(valid)} validation rows ({share:.1%}) repeat a training row that is rare there."
    )
    action = "Look whether leads stand in the table under several ids; then give one of them up (data.policy)."
    if share > REPEATED_PROBLEM:
        return "problem", numbers, action
    return ("note", numbers, action) if share > REPEATED_NOTE else ("ok", numbers, "")


@check("LS010", "Conversions fall to nothing in time")
def _cohorts(context: CheckContext) -> Finding:
    y = pd.concat([context.y_train, context.y_valid])
    as_of = y.index.get_level_values("as_of")
    if not isinstance(as_of, pd.DatetimeIndex) or as_of.nunique() < COHORTS:
        return not_applicable(f"There are fewer than {COHORTS} instants.")
    part = pd.qcut(as_of.asi8, COHORTS, labels=False, duplicates="drop")
    counts = y.groupby(part).agg(["sum", "size"])
    last, before = counts.iloc[-1], counts.iloc[:-1].sum()
    rate, base = float(last["sum"] / last["size"]), float(before["sum"] / before["size"])
    expected = base * float(last["size"])
    numbers = f"In the last eighth of the rows {rate:.3f} converted, before it {base:.3f}."
    if expected < COHORT_EXPECTED:
        return not_applicable(f"{numbers} With {expected:.0f} conversions expected there, chance decides.")
    if rate < base / 4:
        return (
            "problem",
            numbers,
            "The outcome of the last leads is not all in: state data.data_end, or a longer horizon.",
        )
    if rate < base / 2:
        return (
            "note",
            numbers,
            "Ask whether conversions arrive late in the table; data.data_end says how far it is complete.",
        )
    return "ok", numbers, ""


@check("LS011", "Outcomes that have not had their time")
def _immature(context: CheckContext) -> Finding:
    if context.immature is None or not context.observations:
        return not_applicable("Nobody counted them.")
    share = context.immature / (context.immature + context.observations)
    numbers = f"{context.immature} candidates ({share:.0%}) are left out because their horizon ends after the data."
    if share > IMMATURE_NOTE:
        return "note", numbers, "A shorter window.horizon would use them; they are never counted as not converted."
    return "ok", numbers, ""


@check("LS012", "Validation rows differ from training rows")
def _drift(context: CheckContext) -> Finding:
    if context.adversarial is None:
        return not_applicable("It was not measured.")
    value, feature = context.adversarial
    numbers = f"A model tells validation from training rows with an AUC of {value:.3f}, most by {feature}."
    action = "Look at what moved; a feature that only tells the time is better left out."
    if value > DRIFT_PROBLEM:
        return "problem", numbers, action
    return ("note", numbers, action) if value > DRIFT_NOTE else ("ok", numbers, "")


@check("LS013", "Split at random although there are times")
def _shuffled(context: CheckContext) -> Finding:
    if not context.shuffled:
        return "ok", "Validation comes after training, or the rows have no times.", ""
    numbers = "Rows were split at random: the model has seen the time that it is asked about."
    return "problem", numbers, "These numbers are optimistic; validation=holdout or rolling asks about the future."
