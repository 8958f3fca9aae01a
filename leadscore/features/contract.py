"""What a feature's function must return, checked after every call."""

from typing import Any, Protocol

import numpy as np
import pandas as pd

from leadscore.errors import FeatureError, examples
from leadscore.features.registry import Feature

__all__ = ["Asked", "checked_values", "same_values"]

Array = np.ndarray[Any, Any]


class Asked(Protocol):
    """The leads a function was asked about."""

    @property
    def user_ids(self) -> pd.Index:
        """Their ids (n,), each once."""

    @property
    def instant(self) -> pd.Timestamp:
        """The `now` of the call."""

    def __len__(self) -> int: ...

    def find(self, index: pd.Index) -> Array:
        """Return where each label stands among the leads, -1 for none of them."""

    def named(self, index: pd.Index) -> list[Any]:
        """Return labels as people know them: the ids of leads."""


def checked_values(each: Feature, result: Any, asked: Asked) -> Array:
    """Return one value for every lead asked for, or say how the result breaks the contract.

    Parameters
    ----------
    each : Feature
    result : Any
        What its function returned; must be a Series with a unique index of asked `user_id`s, in any order.
    asked : Asked

    Returns
    -------
    array (n,)
        In the order of `asked`: float64, or object with text and NaN. Leads that the function left out
        have the declared `no_events` value.

    Raises
    ------
    FeatureError
        Not a Series, doubled or foreign index, wrong dtype, infinite, outside the declared bounds, or missing where
        no meaning of a missing value is declared.
    """
    where = f"feature '{each.name}' (now = {asked.instant})"
    if not isinstance(result, pd.Series):
        raise FeatureError(f"{where} returned a {type(result).__name__}; it must return a Series indexed by user_id")
    if not result.index.is_unique:
        doubled = asked.named(result.index[result.index.duplicated()].unique())
        raise FeatureError(
            f"{where} returned {len(doubled)} leads more than once ({examples(doubled)}); one value a lead"
        )
    found = asked.find(result.index)
    if (found < 0).any():
        foreign = asked.named(result.index[found < 0])
        raise FeatureError(
            f"{where} returned {len(foreign)} index values that are none of the {len(asked)} leads asked for "
            f"({examples(foreign)}); the index must be user_id"
        )
    given = _typed(each, result, where, asked)
    values = np.full(len(asked), np.nan, dtype=given.dtype)
    if each.no_events is not None:
        values[:] = each.no_events
    values[found] = given
    missing = pd.isna(values)
    if missing.any() and each.missing is None:
        raise FeatureError(
            f"{where} is missing for {int(missing.sum())} of {len(asked)} leads "
            f"({examples(asked.user_ids[missing])}), and does "
            f"not declare what a missing value means: return a value, or declare missing='...'"
        )
    _refuse_outside(each, values, asked, where)
    return values


def _typed(each: Feature, result: pd.Series, where: str, asked: Asked) -> Array:
    if each.dtype == "category":
        if pd.api.types.is_numeric_dtype(result) and not result.isna().all():
            raise FeatureError(f"{where} returned {result.dtype}, and is declared a category: return text")
        texts: Array = result.astype("str").astype(object).to_numpy()
        return texts
    if pd.api.types.is_numeric_dtype(result) or pd.api.types.is_bool_dtype(result):
        values: Array = result.to_numpy(dtype="float64", na_value=np.nan)
    elif result.isna().all():
        return np.full(len(result), np.nan)
    else:
        raise FeatureError(f"{where} returned {result.dtype}, and is declared a number (dtype='category' for text)")
    infinite = np.isinf(values)
    if infinite.any():
        named = asked.named(result.index[infinite])
        raise FeatureError(f"{where} is infinite for {len(named)} leads ({examples(named)})")
    return values


def _refuse_outside(each: Feature, values: Array, asked: Asked, where: str) -> None:
    least, greatest = each.bounds
    if each.dtype != "number" or (least is None and greatest is None):
        return
    outside = (values < (-np.inf if least is None else least)) | (values > (np.inf if greatest is None else greatest))
    if outside.any():
        shown = examples(
            f"{user_id}: {value:g}" for user_id, value in zip(asked.user_ids[outside], values[outside], strict=True)
        )
        raise FeatureError(
            f"{where} is outside its declared bounds {each.bounds} for {int(outside.sum())} leads ({shown})"
        )


def same_values(first: Array, second: Array) -> Array:
    """Return where two columns agree: to 1e-9 for numbers, missing values with each other."""
    if first.dtype == "float64" and second.dtype == "float64":
        return np.isclose(first, second, rtol=1e-9, atol=1e-9, equal_nan=True)
    return np.asarray((first == second) | (pd.isna(first) & pd.isna(second)))
