"""What a feature's function must return, checked after every call."""

from typing import Any

import numpy as np
import pandas as pd

from leadscore.errors import FeatureError, examples
from leadscore.features.registry import Feature

__all__ = ["checked_values"]


def checked_values(each: Feature, result: Any, asked: pd.Index, now: Any) -> pd.Series:
    """Return one value for every lead asked for, or say how the result breaks the contract.

    Parameters
    ----------
    each : Feature
    result : Any
        What its function returned; must be a Series with a unique index of asked `user_id`s, in any order.
    asked : Index of str (n,)
        The `user_id`s asked for.
    now : Timestamp
        For the message.

    Returns
    -------
    Series (n,)
        In the order of `asked`: float64, or object with text and NaN. Leads that the function left out
        have the declared `no_events` value.

    Raises
    ------
    FeatureError
        Not a Series, doubled or foreign index, wrong dtype, infinite, or missing where no meaning of a
        missing value is declared.
    """
    where = f"feature '{each.name}' (now = {now})"
    if not isinstance(result, pd.Series):
        raise FeatureError(f"{where} returned a {type(result).__name__}; it must return a Series indexed by user_id")
    if not result.index.is_unique:
        doubled = result.index[result.index.duplicated()].unique()
        raise FeatureError(
            f"{where} returned {len(doubled)} leads more than once ({examples(doubled)}); one value a lead"
        )
    values = _typed(each, result, where).to_numpy()
    found = result.index.get_indexer(asked)
    left_out = found < 0
    if (~left_out).sum() != len(result):
        foreign = result.index.difference(asked)
        raise FeatureError(
            f"{where} returned {len(foreign)} index values that are none of the {len(asked)} leads asked for "
            f"({examples(foreign)}); the index must be user_id"
        )
    values = np.append(values, np.array([np.nan], dtype=values.dtype))[found]  # -1, left out, finds the NaN
    if each.no_events is not None:
        values[left_out] = each.no_events
    missing = pd.isna(values)
    if missing.any() and each.missing is None:
        raise FeatureError(
            f"{where} is missing for {int(missing.sum())} of {len(asked)} leads ({examples(asked[missing])}), and does "
            f"not declare what a missing value means: return a value, or declare missing='...'"
        )
    return pd.Series(values, index=asked)


def _typed(each: Feature, result: pd.Series, where: str) -> pd.Series:
    if each.dtype == "category":
        if pd.api.types.is_numeric_dtype(result) and not result.isna().all():
            raise FeatureError(f"{where} returned {result.dtype}, and is declared a category: return text")
        return result.astype("str").astype(object)
    if pd.api.types.is_numeric_dtype(result) or pd.api.types.is_bool_dtype(result):
        values = result.astype("float64")
    elif result.isna().all():
        return pd.Series(np.nan, index=result.index, dtype="float64")
    else:
        raise FeatureError(f"{where} returned {result.dtype}, and is declared a number (dtype='category' for text)")
    infinite = np.isinf(values.to_numpy())
    if infinite.any():
        raise FeatureError(f"{where} is infinite for {int(infinite.sum())} leads ({examples(values.index[infinite])})")
    return values
