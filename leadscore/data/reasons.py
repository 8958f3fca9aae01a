"""Rows that are wrong in a known way: which, what the policy says of them, and the words for it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from leadscore.data.edge import IDS, TypedTable
from leadscore.data.origin import Findings, Origin, plural
from leadscore.errors import examples

__all__ = ["Found", "Reason", "found_in", "repeated_rows_of", "say_found", "settle"]

FIRST = 4  # of what was found, as many as messages need: three, and whether there are more


@dataclass(frozen=True)
class Reason:
    """Why rows are wrong, which they are, and which policy says what becomes of them."""

    words: str
    mask: Any
    policy: str = "drop"
    key: str = ""


@dataclass(frozen=True)
class Found:
    """Rows that are wrong for one reason: how many, what becomes of them, and the first of them."""

    words: str
    policy: str
    key: str
    n: int
    positions: tuple[int, ...]
    ids: tuple[tuple[int, str], ...]  # different ones, each with its first position

    def joined(self, others: Sequence["Found"]) -> "Found":
        """Return what several pieces of a table have found for the same reason."""
        all_ids: dict[str, int] = {}
        for position, user_id in sorted(pair for each in (self, *others) for pair in each.ids):
            all_ids.setdefault(user_id, position)
        positions = sorted(position for each in (self, *others) for position in each.positions)
        ids = tuple((position, user_id) for user_id, position in all_ids.items())
        return replace(
            self,
            n=self.n + sum(each.n for each in others),
            positions=tuple(positions[:FIRST]),
            ids=ids[:FIRST],
        )


def settle(frame: pd.DataFrame, reasons: Sequence[Reason]) -> tuple[Any, list[Found]]:
    """Return which rows stay, and what was found; a row counts for the first reason that drops it."""
    stays = np.ones(len(frame), dtype=bool)
    told = []
    for reason in reasons:
        found = stays & np.asarray(reason.mask, dtype=bool)
        told.append(found_in(frame, reason, found))
        if reason.policy.startswith("drop"):
            stays &= ~found
    return stays, told


def found_in(frame: pd.DataFrame, reason: Reason, rows: Any) -> Found:
    """Return how many rows a reason holds for, and the first of them by their positions in the files."""
    places = np.flatnonzero(rows)
    ids = frame["user_id"].iloc[places].dropna()
    first = ids[~ids.duplicated()].head(FIRST)
    return Found(
        reason.words,
        reason.policy,
        reason.key,
        len(places),
        tuple(frame.index[places[:FIRST]].tolist()),
        tuple(zip(first.index.tolist(), first.astype("str").tolist(), strict=True)),
    )


def say_found(found: Sequence[Found], origin: Origin, noun: str, findings: Findings) -> None:
    """Put into words what was found in a table: problems where the policy wants one, else counts."""
    for each in found:
        if each.n and each.policy == "error":
            ids = [user_id for _, user_id in each.ids]
            where = origin.rows(each.positions) + (f", user_id {examples(ids)}" if ids else "")
            findings.problems.append(
                f"{origin.label}: {plural(each.n, noun)} {each.words} ({where}); data.policy.{each.key} decides"
            )
        else:
            done = "dropped" if each.policy.startswith("drop") else "kept"
            findings.count(f"{noun}s {each.words} {done}", each.n)


def repeated_rows_of(table: TypedTable, keys: Sequence[str], findings: Findings) -> Any:
    """Return which rows repeat an earlier one exactly; rows that repeat its keys and differ are always a problem."""
    frame = table.frame
    has_id = frame[[name for name in keys if name in IDS]].notna().all(axis="columns")
    suspects = frame[frame.duplicated(keys, keep=False) & has_id]
    repeats = suspects.duplicated()
    rest = suspects[~repeats]
    differ = rest[rest.duplicated(keys, keep=False)]
    if len(differ):
        shown = differ[list(keys)].drop_duplicates()
        found = examples(" ".join(str(value) for value in row) for row in shown.itertuples(index=False))
        findings.problems.append(
            f"{table.origin.label}: {plural(len(shown), ' and '.join(keys))} in several rows that differ "
            f"elsewhere ({found}; {table.origin.rows(differ.index)}); no policy chooses among them"
        )
    return repeats.reindex(frame.index, fill_value=False)
