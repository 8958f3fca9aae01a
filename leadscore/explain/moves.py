"""Why a lead's score moved between two batches: parts on the log-odds scale that add up to the move.

Three things may have changed, each old or new: the lead's data, the model, its calibration. What one of them
contributes depends on what the others are by then, so each gets its mean over all six orders in which they can change
(Shapley 1953): no order is preferred, what did not change gets exactly 0, and the parts add up.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

__all__ = ["split_columns", "split_move"]

Array = np.ndarray[Any, Any]
ORDERS = np.array([[1 / 3, 1 / 6], [1 / 6, 1 / 3]])  # of the orders in which the two others are old or new by then
FLAT = 1e-9  # log-odds: a move of the model's sum too small to divide by


def split_move(log_odds: Array) -> tuple[Array, Array, Array]:
    """Return what the data, the model and the calibration each contributed, every one of shape (n,).

    Parameters
    ----------
    log_odds : float64 (2, 2, 2, n)
        Of each lead with old or new data, model and calibration, in this order of the axes; 0 is old.

    Examples
    --------
    >>> log_odds = np.zeros((2, 2, 2, 1))
    >>> log_odds[1] += 0.5  # new data, whatever the rest
    >>> log_odds[:, 1] -= 0.2
    >>> [float(part[0]) for part in split_move(log_odds)]
    [0.5, -0.2, 0.0]
    """
    parts = (np.tensordot(ORDERS, np.diff(np.moveaxis(log_odds, axis, 0), axis=0)[0], 2) for axis in range(3))
    data, model, calibration = parts
    return data, model, calibration


def split_columns(log_odds: Array, contributions: Sequence[tuple[pd.DataFrame, pd.DataFrame]]) -> pd.DataFrame:
    """Return what each column added to the data's part (n, columns of both models); a row's sum is that part.

    A calibration that is no straight line is taken for the straight line between the lead's old and new score.

    Parameters
    ----------
    log_odds : float64 (2, 2, 2, n)
        As for `split_move`.
    contributions : sequence of two (old, new)
        Of the old and of the new model, before calibration: with the lead's old and its new data, one row a lead.
    """
    parts: dict[str, Array] = {}
    for model, (old, new) in enumerate(contributions):
        moved = new.to_numpy() - old.to_numpy()
        whole = moved.sum(axis=1)
        factor = np.zeros(len(moved))
        for calibration in range(2):
            after = log_odds[1, model, calibration] - log_odds[0, model, calibration]
            slope = np.divide(after, whole, out=np.ones(len(whole)), where=np.abs(whole) > FLAT)
            factor += ORDERS[model, calibration] * slope
        for at, name in enumerate(new.columns):
            parts[name] = parts.get(name, 0.0) + factor * moved[:, at]
    index = contributions[0][0].index
    return pd.DataFrame(parts, index=index)
