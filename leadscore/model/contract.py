"""What every model may expect and must keep: the checks of the model room, each written once."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from leadscore.errors import ModelError, examples, raise_all
from leadscore.model.base import Explanation
from leadscore.model.log_odds import LARGEST_LOG_ODDS, log_odds_of

__all__ = ["align", "check_explanation", "check_probabilities", "check_training", "kinds_of"]

TOLERANCE = 1e-6


def kinds_of(X: pd.DataFrame) -> dict[str, str]:
    """Return each column's kind, `number` (float64) or `category` (str), in the frame's order.

    Raises
    ------
    ModelError
        Lists every column that is neither, is named twice or not by a str, or holds an infinite number.

    Examples
    --------
    >>> kinds_of(pd.DataFrame({"sessions": [1.0], "country": ["DE"]}))
    {'sessions': 'number', 'country': 'category'}
    """
    problems = [f"X has the column {name!r} twice" for name in X.columns[X.columns.duplicated()].unique()]
    raise_all(ModelError, problems)
    kinds = {}
    for name in X.columns:
        column = X[name]
        if not isinstance(name, str):
            problems.append(f"X has a column named {name!r}; names are text")
        elif column.dtype == np.float64:
            kinds[name] = "number"
            infinite = np.isinf(column.to_numpy())
            if infinite.any():
                rows = examples(X.index[infinite])
                problems.append(f"column {name!r} of X is infinite in {infinite.sum()} of {len(X)} rows ({rows})")
        elif isinstance(column.dtype, pd.StringDtype):
            kinds[name] = "category"
        else:
            problems.append(
                f"column {name!r} of X is {column.dtype}; a number is float64 and a category is str (NaN is missing)"
            )
    raise_all(ModelError, problems)
    return kinds


def check_training(X: pd.DataFrame, y: pd.Series, rows: str = "training rows") -> dict[str, str]:
    """Return the kinds of the columns that a model is to be fitted on; `rows` is what messages call them.

    Raises
    ------
    ModelError
        When there is no row or column, the indexes differ, y is not an int Series of 0 and 1, or y has one
        class only.
    """
    problems = []
    if not len(X):
        problems.append(f"there are no {rows}: see windows.json for what was excluded and why")
    if not len(X.columns):
        problems.append("X has no column: choose at least one feature set (features=...)")
    if not X.index.equals(y.index):
        problems.append(f"X ({len(X)} rows) and y ({len(y)} rows) do not have the same index in the same order")
    if not pd.api.types.is_integer_dtype(y.dtype):
        problems.append(f"y is {y.dtype}; labels are integers, 0 and 1")
    elif not y.isin([0, 1]).all():
        odd = y[~y.isin([0, 1])]
        problems.append(f"y is neither 0 nor 1 in {len(odd)} of {len(y)} rows: {examples(odd.unique().tolist())}")
    elif len(y) and y.min() == y.max():
        problems.append(
            f"y has one class only: {int((y == 1).sum())} of {len(y)} {rows} converted, "
            "and a model needs both; widen the training period (window, validation)"
        )
    raise_all(ModelError, problems)
    return kinds_of(X)


def align(X: pd.DataFrame, columns: Mapping[str, str], name: str) -> pd.DataFrame:
    """Return the columns that the model `name` was fitted on, in that order, in a new frame.

    Raises
    ------
    ModelError
        Names every column that is missing, extra, or of another kind than in training.
    """
    found = kinds_of(X)
    problems = []
    missing = [column for column in columns if column not in found]
    extra = [column for column in found if column not in columns]
    if missing:
        problems.append(f"X lacks {len(missing)} of the {len(columns)} columns {name} was fitted on: {missing}")
    if extra:
        problems.append(f"X has {len(extra)} columns that {name} was not fitted on: {extra}")
    problems += [
        f"column {column!r} of X is a {found[column]}; {name} was fitted on a {kind}"
        for column, kind in columns.items()
        if column in found and found[column] != kind
    ]
    raise_all(ModelError, problems)
    return X[list(columns)]


def check_probabilities(p: pd.Series, X: pd.DataFrame, name: str) -> None:
    """Raise a ModelError unless `p` is a finite float64 Series in [0, 1] with the index of `X`."""
    if not isinstance(p, pd.Series) or p.dtype != np.float64:
        found = f"a Series of {p.dtype}" if isinstance(p, pd.Series) else f"a {type(p).__name__}"
        raise ModelError(f"predict_proba of {name} returned {found}; a float64 Series of P(convert) is due")
    if not p.index.equals(X.index):
        raise ModelError(f"predict_proba of {name} returned another index than that of X ({len(p)} for {len(X)} rows)")
    wrong = ~p.between(0, 1)  # NaN is not between
    if wrong.any():
        rows = examples(zip(p.index[wrong], p[wrong].tolist(), strict=True))
        msg = f"predict_proba of {name} is not in [0, 1] in {wrong.sum()} of {len(p)} rows: {rows}"
        raise ModelError(msg)


def check_explanation(explanation: Explanation, p: pd.Series, X: pd.DataFrame, name: str) -> None:
    """Raise a ModelError unless contributions have X's rows and columns and add up to p's log-odds."""
    contributions = explanation.contributions
    if not contributions.index.equals(X.index) or not contributions.columns.equals(X.columns):
        raise ModelError(f"explain of {name} returned contributions whose rows or columns are not those of X")
    total = explanation.log_odds().to_numpy()
    # beyond the bound only the side is compared
    gap = np.abs(np.clip(total, -LARGEST_LOG_ODDS, LARGEST_LOG_ODDS) - log_odds_of(p).to_numpy())
    wrong = ~(gap <= TOLERANCE)  # NaN is not within
    if wrong.any():
        msg = (
            f"explain of {name} does not add up to the log-odds of predict_proba within {TOLERANCE:g} in "
            f"{wrong.sum()} of {len(X)} rows ({examples(X.index[wrong])}); the gap reaches {np.max(gap):.3g}"
        )
        raise ModelError(msg)
