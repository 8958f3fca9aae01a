"""The logs of shares of the leads joined into the parts of one log, each part by one process."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from leadscore.eventlog import MISSING, EventLog, LogPart, code_type, n_parts, part_of
from leadscore.eventlog_file import open_log, write_part, write_rest
from leadscore.pools import Pool

__all__ = ["join_shares"]

Array = np.ndarray[Any, Any]


def join_shares(shares: Sequence[Path], pool: Pool, folder: Path) -> EventLog:
    """Return the log of all leads, mapped from a folder that is made.

    Parameters
    ----------
    shares : sequence of Path
        Folders of logs that have no lead in common.
    pool : Pool
    folder : Path

    Returns
    -------
    EventLog
        As `EventLog.from_codes` makes it of all events together.
    """
    folder.mkdir()
    logs = [open_log(share) for share in shares]
    words = {name: _joined([log.words[name] for log in logs]) for name in logs[0].words}
    n = n_parts(sum(map(len, logs)))
    ids = [_joined([_ids(log, part, number, n) for log in logs for part in log.parts]) for number in range(n)]
    list(pool.map(_join, (_Part(number, n, shares, words, folder) for number in range(n))))
    first_leads = [0, *np.cumsum([len(some) for some in ids]).tolist()]
    write_rest(folder, first_leads[:-1], ids[0].append(ids[1:]), words)
    return open_log(folder)


def _joined(words: Sequence[pd.Index]) -> pd.Index:
    """Return all words once, by code point."""
    return words[0].append(list(words[1:])).unique().sort_values()


def _ids(log: EventLog, part: LogPart, number: int, n: int) -> pd.Index:
    ids = log.user_ids[part.first_lead : part.first_lead + part.n_leads]
    return ids[part_of(ids, n) == number]


@dataclass(frozen=True)
class _Part:
    """One part of the log to be made."""

    number: int
    n: int
    shares: Sequence[Path]
    words: Mapping[str, pd.Index]
    folder: Path


@dataclass(frozen=True)
class _Piece:
    """What a share's log gives to a part: some leads, and the rows of their events."""

    log: EventLog
    part: LogPart
    ids: pd.Index
    n_events: Array
    rows: Array

    @classmethod
    def of(cls, log: EventLog, part: LogPart, unit: _Part) -> "_Piece":
        """Take the leads that belong to a part."""
        ids = log.user_ids[part.first_lead : part.first_lead + part.n_leads]
        leads = np.flatnonzero(part_of(ids, unit.n) == unit.number)
        n_events = np.diff(part.offsets)[leads]
        return cls(log, part, ids[leads], n_events, _ranges(part.offsets[:-1][leads], n_events))

    def values(self, name: str, words: pd.Index | None) -> Array:
        """Return a column's values for these rows; texts as codes of the whole log's words."""
        values = self.part.columns[name][self.rows]
        if words is None:
            return values
        place = np.append(words.get_indexer(self.log.words[name]), MISSING)
        codes: Array = place[values].astype(code_type(len(words)))
        return codes


def _ranges(begins: Array, lengths: Array) -> Array:
    """Return the numbers from each begin on, so many, one range after the other."""
    ends = np.cumsum(lengths)
    numbers: Array = np.arange(ends[-1] if len(ends) else 0) + np.repeat(begins - (ends - lengths), lengths)
    return numbers


def _join(unit: _Part) -> None:
    """Write one part: its leads by code point, the events of each as its share has them, column by column."""
    pieces = [_Piece.of(log, part, unit) for log in map(open_log, unit.shares) for part in log.parts]
    ids = pieces[0].ids.append([piece.ids for piece in pieces[1:]])
    n_events = np.concatenate([piece.n_events for piece in pieces])
    order = np.asarray(ids.argsort())
    rows = _ranges((np.cumsum(n_events) - n_events)[order], n_events[order])
    columns = {}
    for name in pieces[0].log.names:
        values = np.concatenate([piece.values(name, unit.words.get(name)) for piece in pieces])
        columns[name] = values[rows]
    write_part(unit.folder, unit.number, np.concatenate([[0], np.cumsum(n_events[order])]), columns)
