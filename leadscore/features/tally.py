"""One value for each observation that was asked about: results that come from elsewhere are counted."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from leadscore.errors import ComputeError
from leadscore.features.observed import Observed

__all__ = ["once_each"]

Array = np.ndarray[Any, Any]
Result = TypeVar("Result")


def once_each(
    results: Iterable[Result], positions: Callable[[Result], Array], observed: Observed, asked: Array
) -> Iterator[Result]:
    """Yield results, and count the observations that they are about.

    Parameters
    ----------
    results : iterable
    positions : callable
        `positions(result)`: of its observations, in the model table.
    observed : Observed
    asked : array of int
        The positions of all observations asked about.

    Raises
    ------
    ComputeError
        After the last one, when an observation got no value, two, or one without having been asked about.
    """
    missing = np.zeros(len(observed), dtype="int16")
    missing[asked] = 1
    for result in results:
        np.subtract.at(missing, positions(result), 1)
        yield result
    wrong = np.flatnonzero(missing)
    if len(wrong):
        first = wrong[0]
        user_id = observed.tables.leads["user_id"].iloc[observed.lead_row[first]]
        at = pd.Timestamp(observed.as_of[first], unit="us", tz="UTC")
        none, more = int((missing > 0).sum()), int((missing < 0).sum())
        raise ComputeError(
            f"the cluster gave {none:,} of {len(asked):,} observations no value and {more:,} more than one, the first "
            f"of user_id {user_id!r} at {at}: nothing of it is used"
        )
