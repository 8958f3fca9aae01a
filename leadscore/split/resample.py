"""A bootstrap of training leads: what another sample of leads would have taught."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

__all__ = ["resample_leads"]

Array = np.ndarray[Any, Any]
TRIES = 1_000


def resample_leads(user_id: pd.Series, label: pd.Series, seed: tuple[int, ...], parts: Sequence[Array] = ()) -> Array:
    """Draw as many leads as there are, with replacement, and return the positions of their rows.

    Parameters
    ----------
    user_id : Series of str (n_rows,)
    label : Series of int (n_rows,)
        0 and 1, both present. A draw without one of them is drawn again: no model could be fitted on it.
    seed : tuple of int
    parts : sequence of array of bool (n_rows,)
        Rows that must have both classes by themselves, such as an inner fold.

    Returns
    -------
    array of int
        In the order of the rows; a lead drawn twice has each of its rows twice, and all of them.

    Examples
    --------
    >>> rows = resample_leads(pd.Series(["a", "a", "b", "c"]), pd.Series([0, 1, 0, 0]), seed=(5,))
    >>> rows.tolist()
    [0, 1, 3, 3]
    """
    lead, leads = pd.factorize(user_id)
    rng = np.random.default_rng(seed)
    labels = label.to_numpy()
    for _ in range(TRIES):
        times = np.bincount(rng.integers(len(leads), size=len(leads)), minlength=len(leads))
        rows = np.repeat(np.arange(len(lead)), times[lead])
        drawn = [labels[rows], *(labels[rows[part[rows]]] for part in parts)]
        if all(len(each) and each.min() != each.max() for each in drawn):
            return rows
    raise AssertionError(f"{TRIES} resamples of {len(leads)} leads have one class only")
