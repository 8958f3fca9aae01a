"""Whether a way gives what leadscore's declared aggregates give: cell by cell on a short log, sums on a long one."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from feature_ways import COLUMNS

__all__ = ["differing_cells", "differing_sums"]

TOLERANCE = 1e-9


def differing_cells(found: Path, expected: Path, *, partial: bool = False) -> str | None:
    """Return in what two results differ, None where they agree.

    Parameters
    ----------
    found, expected : Path
        Parquet files with `user_id`, `as_of` and the columns.
    partial : bool
        Rows may be missing from `found`.
    """
    keys = ["user_id", "as_of"]
    mine, theirs = (pd.read_parquet(path).set_index(keys).sort_index() for path in (found, expected))
    if not mine.index.is_unique:
        return f"{int(mine.index.duplicated().sum())} rows stand twice"
    if partial:
        theirs = theirs.loc[theirs.index.isin(mine.index)]
    if not mine.index.equals(theirs.index):
        return f"{len(mine)} rows, not these {len(theirs)}"
    for name in COLUMNS:
        a, b = mine[name].to_numpy(), theirs[name].to_numpy()
        wrong = np.flatnonzero(~np.isclose(a, b, rtol=TOLERANCE, atol=TOLERANCE, equal_nan=True))
        if len(wrong):
            at = wrong[0]
            return f"{name} differs in {len(wrong)} of {len(a)} rows, for {mine.index[at][0]} {a[at]} is not {b[at]}"
    return None


def differing_sums(found: dict[str, Any], expected: dict[str, Any]) -> str | None:
    """Return in what two measurements' row counts, missing values or sums differ, None where they agree."""
    if found["rows"] != expected["rows"]:
        return f"{found['rows']} rows, not {expected['rows']}"
    for name in COLUMNS:
        (total, missing), (right, n_missing) = found["sums"][name], expected["sums"][name]
        if missing != n_missing:
            return f"{name} is missing {missing} times, not {n_missing}"
        if not np.isclose(total, right, rtol=TOLERANCE, atol=TOLERANCE):
            return f"{name} adds up to {total}, not {right}"
    return None
