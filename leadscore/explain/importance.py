"""From one score's contributions to what matters in a whole run."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    from leadscore.model.base import Explanation

__all__ = ["global_importance", "importance_over_folds", "scale_over_folds"]

CLEAR = 0.5  # rank correlation of value and contribution from which a direction is named


def global_importance(explanation: "Explanation", X: pd.DataFrame) -> pd.DataFrame:
    """Return how much each feature moves the scores, and which way.

    Parameters
    ----------
    explanation : Explanation
        Of the rows in `X`.
    X : DataFrame
        The values explained: same index and columns as the contributions.

    Returns
    -------
    DataFrame
        One row a feature, the strongest first, ties by name, RangeIndex. Columns: `feature` (str),
        `importance` (float64, mean absolute contribution, on the explanation's scale), `direction` (str): `rises`
        when more of it goes with a higher score (rank correlation of value and contribution of 0.5 and more),
        `falls` when with a lower one, `-` when neither, or for a category.

    Examples
    --------
    >>> from leadscore.model.base import Explanation
    >>> X = pd.DataFrame({"sessions": [0.0, 1.0, 2.0], "country": ["DE", "FR", "DE"]})
    >>> moved = pd.DataFrame({"sessions": [-1.0, 0.0, 1.5], "country": [0.1, -0.2, 0.1]})
    >>> global_importance(Explanation(moved, base=0.0), X).round(3).to_dict("records")[0]
    {'feature': 'sessions', 'importance': 0.833, 'direction': 'rises'}
    """
    contributions = explanation.contributions
    table = pd.DataFrame(
        {
            "feature": pd.Series(list(contributions.columns), dtype="str"),
            "importance": contributions.abs().mean().to_numpy(),
            "direction": pd.Series([_direction(X[name], contributions[name]) for name in contributions], dtype="str"),
        }
    )
    return table.sort_values(["importance", "feature"], ascending=[False, True], ignore_index=True)


def importance_over_folds(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Return each feature's importance as the mean over folds, with the spread between them.

    Parameters
    ----------
    tables : sequence of DataFrame
        Each fold's `global_importance`.

    Returns
    -------
    DataFrame
        As `global_importance` returns, with `least` and `most`, the smallest and the largest importance in a fold.
        `direction` is that of all folds; `-` where they disagree.

    Examples
    --------
    >>> first = pd.DataFrame({"feature": ["sessions"], "importance": [0.25], "direction": ["rises"]})
    >>> folds = [first, first.assign(importance=0.75)]
    >>> importance_over_folds(folds).to_dict("records")
    [{'feature': 'sessions', 'importance': 0.5, 'least': 0.25, 'most': 0.75, 'direction': 'rises'}]
    """
    by_feature = pd.concat(tables, ignore_index=True).groupby("feature", sort=False)
    table = by_feature["importance"].agg(importance="mean", least="min", most="max")
    ways = by_feature["direction"].agg(["first", "nunique"])
    table["direction"] = ways["first"].where(ways["nunique"] == 1, "-").astype("str")
    return table.reset_index().sort_values(["importance", "feature"], ascending=[False, True], ignore_index=True)


def scale_over_folds(scales: Sequence[str]) -> str:
    """Return on which scale the means over folds are: `model.calibration=auto` may choose another map in each.

    Parameters
    ----------
    scales : sequence of str
        Each fold's `Explanation.scale`.

    Examples
    --------
    >>> scale_over_folds(["log-odds", "log-odds"])
    'log-odds'
    >>> scale_over_folds(["log-odds", "log-odds before calibration", "log-odds"])
    'log-odds, before calibration in 1 of 3 folds'
    """
    plain = min(scales, key=len)
    before = sum(scale != plain for scale in scales)
    return f"{plain}, before calibration in {before} of {len(scales)} folds" if before else plain


def _direction(values: pd.Series, contribution: pd.Series) -> str:
    present = values.notna()
    values, contribution = values[present], contribution[present]
    if not pd.api.types.is_float_dtype(values.dtype) or values.nunique() < 2 or contribution.nunique() < 2:
        return "-"
    correlation = values.rank().corr(contribution.rank())
    if abs(correlation) < CLEAR:
        return "-"
    return "rises" if correlation > 0 else "falls"
