"""The event table read by a pool: piece by piece of its files, then lead by lead, so that no process holds it whole.

Three rounds. Pieces of the files go through the edge, and are written down by the leads' hash. Each share of the leads,
with all its events, is judged and put in order. The shares are joined into the parts that one machine would have made,
byte for byte. Everything lies in one folder that all processes see; what is lost with a worker is made again from it.
"""

import itertools
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from leadscore.config.schema import FilesData, PolicyConfig
from leadscore.data.columns import event_columns
from leadscore.data.edge import TypedTable, raw_events, say_of_all, type_piece
from leadscore.data.event_rows import Judged, judge_events, say_judged
from leadscore.data.files import RawTable, piece_of
from leadscore.data.joining import join_shares
from leadscore.data.origin import Findings, Origin
from leadscore.data.parquet_file import ParquetFile
from leadscore.data.rows import ends_of_events
from leadscore.errors import DataError, raise_all
from leadscore.eventlog import EventLog, group_rows, n_parts, part_of
from leadscore.eventlog_file import write_parts
from leadscore.pools import Pool

__all__ = ["SpreadEvents", "spread_events"]

PIECE_ROWS = 1_000_000  # read, typed and held by one process at a time
POSITION = "row of the files"
OWN = "memory://"  # files that no other process has


@dataclass(frozen=True)
class SpreadEvents:
    """The typed event table as files of a folder, a record batch for each share of the leads.

    Attributes
    ----------
    origin : Origin
    files : list of Path
        In the order of the rows.
    n_shares : int
    """

    origin: Origin
    files: list[Path]
    n_shares: int
    pool: Any
    folder: Path

    def ends(self, leads: TypedTable) -> dict[str, pd.Timestamp]:
        """Return what `ends_of_events` does of the whole table."""
        found: dict[str, pd.Timestamp] = {}
        units = ((self.files, share, ids, self.origin.label) for share, ids in enumerate(self._ids(leads)))
        for ends in self.pool.map(_ends, units):
            found |= {table: max(end, found.get(table, end)) for table, end in ends.items()}
        return found

    def settle(
        self, leads: TypedTable, kept_leads: pd.DataFrame, data_end: pd.Timestamp, config: FilesData, findings: Findings
    ) -> EventLog:
        """Return the log that `settle_events` returns, mapped from this object's folder.

        Raises
        ------
        DataError
            With all problems found so far.
        """
        kept, begins = group_rows(part_of(kept_leads["user_id"], self.n_shares), self.n_shares)
        created = kept_leads[["user_id", "created_at"]]
        units = (
            _Judging(self, share, ids, created.iloc[kept[begins[share] : begins[share + 1]]], data_end, config.policy)
            for share, ids in enumerate(self._ids(leads))
        )
        done = sorted(self.pool.map(_judged, units), key=lambda each: each.share)
        for each in done:
            findings.add(each.findings)
        say_judged([each.judged for each in done], self.origin, leads, findings)
        raise_all(DataError, findings.problems)
        return join_shares([each.folder for each in done], self.pool, self.folder / "log")

    def _ids(self, leads: TypedTable) -> Iterator[pd.Index]:
        """Yield the ids of each share's leads."""
        ids = pd.Index(leads.frame["user_id"].dropna().unique())
        rows, begins = group_rows(part_of(ids, self.n_shares), self.n_shares)
        for begin, end in itertools.pairwise(begins.tolist()):
            yield ids[rows[begin:end]]

    def __reduce__(self) -> Any:
        """Travel as the files' names."""
        return SpreadEvents, (self.origin, self.files, self.n_shares, None, self.folder)


def spread_events(
    config: FilesData, now: datetime, findings: Findings, pool: Pool, folder: Path
) -> SpreadEvents | None:
    """Read and type the event table with a pool; None where only one machine can.

    Parameters
    ----------
    config : FilesData
    now : datetime
        The wall clock.
    findings : Findings
        Gets the problems of the columns' values.
    pool : Pool
    folder : Path
        An empty one.

    Returns
    -------
    SpreadEvents or None
        None when the files are not Parquet, an event has an id of its own (which may stand at another lead again), or
        the processes do not see the files or the folder.

    Raises
    ------
    DataError
        When the files cannot be read or lack a column.
    """
    assert config.events is not None
    raw, wanted = raw_events(config), event_columns(config.events)
    if "event_id" in wanted.in_files(list(raw.columns)) or not _can_spread(raw, pool, folder):
        return None
    n_shares = _n_shares(raw.origin.n_rows)
    places: dict[int, Path] = {}
    types: set[str] = set()
    names: Sequence[str] = ()
    pieces: dict[int, Findings] = {}
    for done in pool.map(_type, _pieces(raw, config, now, n_shares, folder)):
        places[done.first], pieces[done.first] = done.file, done.findings
        types |= done.types
        names = done.names
    for first in sorted(pieces):
        findings.add(pieces[first])
    _refuse_mixed(findings)
    say_of_all(raw, names, types, config, findings)
    return SpreadEvents(raw.origin, [places[first] for first in sorted(places)], n_shares, pool, folder)


def _can_spread(raw: RawTable, pool: Pool, folder: Path) -> bool:
    if not all(isinstance(file, ParquetFile) and not str(file.path).startswith(OWN) for file in raw.files):
        return False
    seen = folder / uuid.uuid4().hex
    seen.touch()
    sources = {file.path.parent for file in raw.files if isinstance(file, ParquetFile) and isinstance(file.path, Path)}
    found = all(pool.sees(each) for each in (folder, *sorted(sources)))
    seen.unlink()
    return found


def _n_shares(n_rows: int) -> int:
    """Return a multiple of the parts that so many rows make, each share about as large as a piece."""
    parts = n_parts(n_rows)
    return parts * max(1, -(-n_rows // (parts * PIECE_ROWS)))


def _refuse_mixed(findings: Findings) -> None:
    """Add a problem for a column of times of which some pieces carry a zone and others none."""
    for label, ways in findings.spelled.items():
        told = any(problem.startswith(f"{label}: ") and "times have a zone" in problem for problem in findings.problems)
        if ways["zoned"] and ways["naive"] and not told:
            findings.problems.append(
                f"{label}: {ways['zoned']:,} times have a zone and {ways['naive']:,} have none; one column is written "
                f"one way"
            )


@dataclass(frozen=True)
class _Piece:
    """Some row groups of a file, and what is to be made of them."""

    file: ParquetFile
    groups: tuple[int, int]
    head: pa.Table
    origin: Origin
    config: FilesData
    now: datetime
    n_shares: int
    folder: Path


@dataclass(frozen=True)
class _Typed:
    """What a piece has become."""

    first: int
    file: Path
    findings: Findings
    types: set[str]
    names: list[str]


def _pieces(raw: RawTable, config: FilesData, now: datetime, n_shares: int, folder: Path) -> Iterator[_Piece]:
    first = 0
    for file in raw.files:
        assert isinstance(file, ParquetFile)
        rows = np.cumsum([0, *file.group_rows])
        start = 0
        while start < file.n_groups:
            stop = max(start + 1, int(np.searchsorted(rows, rows[start] + PIECE_ROWS, side="right")) - 1)
            within = (first + int(rows[start]), first + int(rows[stop]))
            origin = Origin(raw.origin.name, raw.origin.parts, within)
            yield _Piece(file, (start, stop), raw.head, origin, config, now, n_shares, folder)
            start = stop
        first += file.n_rows


def _type(piece: _Piece) -> _Typed:
    """Type a piece and write it down, the rows of each share of the leads together."""
    findings = Findings()
    raw = piece_of(piece.file, piece.groups, piece.head, "data.events", piece.origin)
    frame, types = type_piece(raw, piece.config, piece.now, findings)
    assert piece.origin.within is not None
    first, last = piece.origin.within
    ids = frame["user_id"].array
    share = np.append(part_of(ids.categories, piece.n_shares), 0)[ids.codes]  # without an id: the first
    rows, begins = group_rows(share, piece.n_shares)
    cells = {name: _written(frame[name]) for name in frame} | {POSITION: pa.array(np.arange(first, last))}
    batch = pa.record_batch(cells).take(pa.array(rows))
    file = piece.folder / f"piece-{first:012}-{uuid.uuid4().hex}.arrow"
    options = pa.ipc.IpcWriteOptions(compression="lz4")
    with pa.OSFile(str(file), "wb") as sink, pa.ipc.new_file(sink, batch.schema, options=options) as writer:
        for begin, end in itertools.pairwise(begins.tolist()):
            writer.write_batch(batch.slice(begin, end - begin))
    return _Typed(first, file, findings, types, list(frame))


def _written(values: pd.Series) -> pa.Array:
    cells = pa.array(values)
    return cells.cast(pa.large_string()) if pa.types.is_dictionary(cells.type) else cells


def _share(files: Sequence[Path], share: int, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """Return the events of a share of the leads, by their positions in the files; texts are categories."""
    batches = []
    for path in files:
        with pa.memory_map(str(path)) as source:
            names = pa.ipc.open_file(source).schema.names
            fields = None if columns is None else [place for place, name in enumerate(names) if name in columns]
            options = pa.ipc.IpcReadOptions(included_fields=fields)
            batches.append(pa.ipc.open_file(source, options=options).get_batch(share))
    table = pa.Table.from_batches(batches)
    frame = pd.DataFrame({name: _read(table.column(name)) for name in table.column_names})
    return frame if columns is not None else frame.set_index(POSITION).rename_axis(None)


def _read(cells: pa.ChunkedArray) -> Any:
    if not pa.types.is_large_string(cells.type):
        return cells.to_pandas()
    coded = cells.combine_chunks().dictionary_encode()
    words = pd.Index(coded.dictionary.to_pandas(), dtype="str")
    codes = coded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    return pd.Categorical.from_codes(codes, categories=words, validate=False)


def _ends(unit: tuple[Sequence[Path], int, pd.Index, str]) -> dict[str, pd.Timestamp]:
    files, share, ids, label = unit
    return ends_of_events(_share(files, share, ["user_id", "timestamp", "ingested_at"]), ids, label)


@dataclass(frozen=True)
class _Judging:
    """A share of the leads, and by what its events are judged."""

    events: SpreadEvents
    share: int
    ids: pd.Index
    kept: pd.DataFrame
    data_end: pd.Timestamp
    policy: PolicyConfig


@dataclass(frozen=True)
class _Settled:
    share: int
    folder: Path
    judged: Judged
    findings: Findings


def _judged(unit: _Judging) -> _Settled:
    """Judge a share's events, put them in order, and write them down as a log of their own."""
    events, findings = unit.events, Findings()
    table = TypedTable(_share(events.files, unit.share), events.origin, "event")
    judged = judge_events(table, unit.ids, unit.kept, unit.data_end, unit.policy, findings)
    folder = events.folder / f"share-{unit.share:06}-{uuid.uuid4().hex}"
    folder.mkdir()
    log = judged.laid_out()
    write_parts(log.parts, log.user_ids, log.words, folder)
    return _Settled(unit.share, folder, judged.told(), findings)
