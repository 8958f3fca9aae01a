"""Checks of the model's numbers: against the baseline, between training and validation, against the base rate."""

import pandas as pd

from leadscore.evaluate.checks import CheckContext, Finding, Gain, auc, check, not_applicable, rarer

__all__: list[str] = []  # importing it declares the checks

GAP_NOTE = 0.1  # of AUC
ALONE_PROBLEM = 0.97  # AUC of one feature
CALIBRATION_NOTE, CALIBRATION_PROBLEM = 0.2, 0.5  # of the base rate
FEW_PROBLEM, FEW_NOTE = 10, 50  # rows of the rarer class


@check("LS001", "No better than the baseline")
def _beats_baseline(context: CheckContext) -> Finding:
    if context.p_baseline is None:
        return not_applicable("No baseline was scored.")
    model, baseline = auc(context.y_valid, context.p_valid), auc(context.y_valid, context.p_baseline)
    if model is None or baseline is None:
        return not_applicable("The validation rows have one class only, so no AUC exists.")
    over = ""
    if context.gain is not None and context.gain.model is not None and context.gain.baseline is not None:
        model, baseline = context.gain.model, context.gain.baseline
        over = f" (mean of {context.gain.folds} folds)" if context.gain.folds > 1 else ""
    numbers = f"Validation AUC is {model:.3f}{over}; the baseline's is {baseline:.3f}{_how_sure(context.gain)}."
    if model <= baseline:
        return "problem", numbers, "Use the baseline, or find features that say more than it does."
    if context.gain is not None and not context.gain.sure:
        return "note", numbers, "These rows cannot tell the model from the baseline: wait for more of them."
    return "ok", numbers, ""


def _how_sure(gain: Gain | None) -> str:
    if gain is None:
        return ""
    if gain.p is None:
        return f" ({gain.reason})"
    looks = "" if gain.looks == 1 else f" after {gain.looks} looks at these rows"
    return f", {gain.difference:+.3f} [{gain.low:+.3f}, {gain.high:+.3f}], p = {gain.p:.2g}{looks}"


@check("LS002", "Gap between training and validation")
def _gap(context: CheckContext) -> Finding:
    train, valid = auc(context.y_train, context.p_train), auc(context.y_valid, context.p_valid)
    if train is None or valid is None:
        return not_applicable("Training or validation rows have one class only, so no AUC exists.")
    numbers = f"AUC is {train:.3f} on training and {valid:.3f} on validation rows, a gap of {train - valid:.3f}."
    if train - valid > GAP_NOTE:
        return "note", numbers, "Regularise more or use fewer features; or the world changed in between."
    return "ok", numbers, ""


@check("LS003", "One feature alone says it all")
def _alone(context: CheckContext) -> Finding:
    fewest = min(rarer(context.y_train), rarer(context.y_valid))
    if fewest < FEW_PROBLEM:
        return not_applicable(f"The rarer class has {fewest} rows: a single feature may separate them by chance.")
    aucs = {name: _auc_alone(context, name) for name in context.X_train.columns}
    if not aucs:
        return not_applicable("There is no feature.")
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
    found = auc(y, score)
    return 0.5 if found is None else max(found, 1 - found)


@check("LS004", "Calibration in the large")
def _calibration(context: CheckContext) -> Finding:
    if not context.y_valid.sum():
        return not_applicable("No validation row converted, so there is no base rate to compare with.")
    mean, base_rate = float(context.p_valid.mean()), float(context.y_valid.mean())
    off = mean / base_rate - 1
    numbers = f"The mean probability on validation is {mean:.3f}; {base_rate:.3f} converted ({off:+.0%})."
    action = "Do not read the probabilities as rates; look whether the base rate moved after training."
    if abs(off) > CALIBRATION_PROBLEM:
        return "problem", numbers, action
    if abs(off) > CALIBRATION_NOTE:
        return "note", numbers, action
    return "ok", numbers, ""


@check("LS005", "Too few of one class")
def _too_few(context: CheckContext) -> Finding:
    train, valid = rarer(context.y_train), rarer(context.y_valid)
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
