"""Which leads moved between two runs: in rank, into and out of the top, and which of their features differ."""

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from leadscore.errors import RecordError
from leadscore.record import Run

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["NO_COLUMN", "Movers", "movers", "ranked", "top_of"]

ROW = ["user_id", "as_of", "fold"]
TOP_SHARE = 0.1
LISTED = 10
NO_COLUMN = "absent"  # the value of a feature that a run does not have


@dataclass(frozen=True)
class Movers:
    """The validation rows that both runs scored, first fit of each.

    Attributes
    ----------
    n_a, n_b, n : int
        Rows of A, of B, and of both.
    rank_correlation : float or None
        Spearman's, of the two scores.
    top : int
        Rows in the top 10% of each (rounded up), of the rows of both.
    overlap : int
        Rows that are in the top of both.
    entered, left : list of str
        The first of the leads that B has in its top and A has not, and the other way round, highest in the list first.
    entered_converted, left_converted : int
        How many of all that entered, and of all that left, converted.
    rows : list of dict
        Those whose rank moved most: `user_id`, `as_of`, `label`, `rank_a`, `rank_b` (1 is the highest), `a`, `b` (the
        probabilities) and `features`: name to [old, new] of those that differ, where the runs kept them.
    """

    n_a: int
    n_b: int
    n: int
    rank_correlation: float | None
    top: int
    overlap: int
    entered: list[str]
    left: list[str]
    entered_converted: int
    left_converted: int
    rows: list[dict[str, Any]]

    def to_json(self) -> dict[str, Any]:
        """Return JSON values."""
        return asdict(self)


def movers(a: Run, b: Run, listed: int = LISTED) -> Movers:
    """Compare the scores of two runs on the rows that both have."""
    both = ranked(a, b)
    n, top = len(both), top_of(len(both))
    in_a, in_b = both["rank_a"] <= top, both["rank_b"] <= top
    entered, left = both[in_b & ~in_a].sort_values("rank_b"), both[in_a & ~in_b].sort_values("rank_a")
    both["moved"] = (both["rank_a"] - both["rank_b"]).abs()
    most = (
        both[both["moved"] > 0].sort_values(["moved", "user_id", "as_of"], ascending=[False, True, True]).head(listed)
    )
    spread = n > 1 and all(len(both[f"probability_{side}"].unique()) > 1 for side in "ab")
    ranks = both[["probability_a", "probability_b"]].rank()
    return Movers(
        len(_first_fit(a)),
        len(_first_fit(b)),
        n,
        float(ranks.corr().iloc[0, 1]) if spread else None,
        top,
        int((in_a & in_b).sum()),
        entered["user_id"].head(listed).tolist(),
        left["user_id"].head(listed).tolist(),
        int(entered["label_b"].sum()),
        int(left["label_b"].sum()),
        _rows(most, _values(a, most), _values(b, most)),
    )


def ranked(a: Run, b: Run) -> "pd.DataFrame":
    """Return the rows that both runs scored: user_id, as_of, fold, and label, probability and rank, `_a` and `_b`.

    Rank 1 is the highest score. Ties keep the order of the ids, so that the same runs give the same ranks.
    """
    import numpy as np

    both = _first_fit(a).merge(_first_fit(b), on=ROW, suffixes=("_a", "_b"))
    for side in "ab":
        order = both.sort_values([f"probability_{side}", "user_id", "as_of"], ascending=[False, True, True]).index
        both.loc[order, f"rank_{side}"] = np.arange(1, len(both) + 1)
    return both


def top_of(n: int) -> int:
    """Return how many of `n` rows are the top.

    Examples
    --------
    >>> top_of(1216)
    122
    """
    return math.ceil(n * TOP_SHARE)


def _first_fit(run: Run) -> "pd.DataFrame":
    predictions = run.predictions
    first = predictions[predictions["seed"] == predictions["seed"].min()]
    return first[[*ROW, "label", "probability"]]


def _values(run: Run, rows: "pd.DataFrame") -> dict[tuple[str, Any], dict[str, Any]]:
    """Return the features of some rows, by (`user_id`, `as_of`); nothing where the run kept none."""
    try:
        values = run.features
    except RecordError:
        return {}
    wanted = values.merge(rows[["user_id", "as_of"]].drop_duplicates(), on=["user_id", "as_of"])
    names = [name for name in wanted.columns if name not in ("user_id", "as_of")]
    return {(row["user_id"], row["as_of"]): {name: _plain(row[name]) for name in names} for _, row in wanted.iterrows()}


def _plain(value: Any) -> Any:
    if value is None or value != value:  # noqa: PLR0124  (NaN differs from itself)
        return None
    return value if isinstance(value, str) else float(value)


def _rows(most: "pd.DataFrame", a: dict[Any, dict[str, Any]], b: dict[Any, dict[str, Any]]) -> list[dict[str, Any]]:
    found = []
    for _, row in most.iterrows():
        key = row["user_id"], row["as_of"]
        before, after = a.get(key, {}), b.get(key, {})
        found.append(
            {
                "user_id": row["user_id"],
                "as_of": row["as_of"].isoformat(),
                "label": int(row["label_b"]),
                "rank_a": int(row["rank_a"]),
                "rank_b": int(row["rank_b"]),
                "a": float(row["probability_a"]),
                "b": float(row["probability_b"]),
                "features": {
                    name: [before.get(name, NO_COLUMN), after.get(name, NO_COLUMN)]
                    for name in sorted({*before, *after})
                    if before.get(name, NO_COLUMN) != after.get(name, NO_COLUMN)
                },
            }
        )
    return found
