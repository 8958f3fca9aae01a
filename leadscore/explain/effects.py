"""Partial dependence: how the mean score moves when one feature moves and everything else stays."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd

__all__ = ["effects", "evenly"]

ROWS = 2_000
LEVELS = 10


def effects(
    predict: Callable[[pd.DataFrame], pd.Series], X: pd.DataFrame, training: pd.DataFrame, features: Sequence[str]
) -> list[dict[str, Any]]:
    """Return each feature's partial dependence (Friedman 2001, Annals of Statistics 29(5), section 8.2).

    Each value is given to all rows in turn and the predictions are averaged. Values that do not occur together are
    put together that way: where features go along with each other, an effect is a property of the model, not of leads.

    Parameters
    ----------
    predict : callable
        A model's `predict_proba`.
    X : DataFrame
        Validation rows; at most 2,000 of them are used, evenly spread.
    training : DataFrame
        The rows fitted on: a number is tried at its deciles there, a category at its ten most frequent levels, and
        both as missing where training has missing values.
    features : sequence of str

    Returns
    -------
    list of dict
        A feature each: `feature`, `kind`, `rows`, `values` (rising, or the most frequent first; None is missing) and
        `probability`, the mean at each value.
    """
    some = evenly(X, ROWS)
    told = []
    for name in features:
        values = _values(training[name])
        means = [float(predict(_with(some, name, value)).mean()) for value in values]
        kind = "number" if training[name].dtype == np.float64 else "category"
        told.append(
            {"feature": name, "kind": kind, "rows": len(some), "values": values, "probability": means},
        )
    return told


def evenly(X: pd.DataFrame, rows: int) -> pd.DataFrame:
    """Return all rows, or so many of them evenly spread.

    Examples
    --------
    >>> evenly(pd.DataFrame({"a": range(9)}), 3)["a"].tolist()
    [0, 4, 8]
    """
    return X if len(X) <= rows else X.iloc[np.linspace(0, len(X) - 1, rows).round().astype("int64")]


def _values(column: pd.Series) -> list[float | str | None]:
    known = column.dropna()
    values: list[float | str | None] = []
    if column.dtype == np.float64 and len(known):
        deciles = np.unique(np.quantile(known, np.arange(1, 10) / 10, method="inverted_cdf"))
        if len(deciles) == 1:  # nearly all leads have one value
            deciles = np.unique([known.min(), *deciles, known.max()])
        values += deciles.tolist()
    elif len(known):
        counts = known.value_counts()
        order = sorted(range(len(counts)), key=lambda at: (-counts.iloc[at], str(counts.index[at])))
        values += [str(counts.index[at]) for at in order[:LEVELS]]
    return [*values, None] if len(known) < len(column) else values


def _with(X: pd.DataFrame, name: str, value: float | str | None) -> pd.DataFrame:
    column = pd.Series([np.nan if value is None else value], dtype=X[name].dtype).repeat(len(X)).set_axis(X.index)
    return X.assign(**{name: column})
