"""An event log in a folder: plain Arrow files that are mapped into memory, not read.

A part is one file with one record batch, so that a column on disk is an array in use: processes on one machine share
its pages, and a log larger than memory can be walked part by part.
"""

import json
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa

from leadscore.eventlog import EventLog, LogPart

if TYPE_CHECKING:
    import numpy as np

__all__ = ["open_log", "write_content", "write_log", "write_part", "write_parts", "write_rest"]

ABOUT, USER_IDS = "log.json", "user_ids.arrow"


def write_log(log: EventLog, folder: Path) -> None:
    """Write a log into a folder, which is there.

    Raises
    ------
    OSError
        When it cannot be written.
    """
    write_parts(log.parts, log.user_ids, log.words, folder)
    write_content(folder, log.content)


def write_parts(parts: Iterable[LogPart], user_ids: pd.Index, words: Mapping[str, pd.Index], folder: Path) -> None:
    """Write a log as `write_log` does, each part as soon as it is made; of its content only `write_content` knows."""
    first_leads = []
    for number, part in enumerate(parts):
        write_part(folder, number, part.offsets, part.columns)
        first_leads.append(int(part.first_lead))
    write_rest(folder, first_leads, user_ids, words)


def write_part(folder: Path, number: int, offsets: Any, columns: Mapping[str, Any]) -> None:
    """Write one part's arrays; each file appears whole, whoever else writes the same."""
    for path, arrays in ((_part(folder, number), columns), (_offsets(folder, number), {"offsets": offsets})):
        unfinished = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
        _write(unfinished, arrays)
        unfinished.replace(path)


def write_rest(folder: Path, first_leads: list[int], user_ids: pd.Index, words: Mapping[str, pd.Index]) -> None:
    """Write what the parts share."""
    for number, name in enumerate(words):
        _write(_words(folder, number), {"words": words[name]})
    _write(folder / USER_IDS, {"user_ids": user_ids})
    _write_about(folder, {"first_leads": first_leads, "words": list(words)})


def write_content(folder: Path, content: str) -> None:
    """Write a log's `content` beside it, so that nobody who opens it has to compute it."""
    _write_about(folder, {**_about(folder), "content": content})


def open_log(folder: Path | str, some: tuple[int, int, int] | None = None) -> EventLog:
    """Return the log in a folder, its columns mapped and read-only; pickled, it is only the folder's name.

    Parameters
    ----------
    folder : Path or str
    some : tuple of int, optional
        A part and the places of its first and last lead, as `EventLog.piece` has them: only these are opened.

    Raises
    ------
    OSError
        When it is not there.
    """
    folder = Path(folder)
    about = _about(folder)
    if some is not None:
        return _piece(folder, about, some)
    parts = tuple(
        LogPart(first_lead, _read(_offsets(folder, number))["offsets"], _read(_part(folder, number)))
        for number, first_lead in enumerate(about["first_leads"])
    )
    words = {name: _read_texts(_words(folder, number)) for number, name in enumerate(about["words"])}
    log = EventLog(_read_texts(folder / USER_IDS), parts, words, folder)
    if "content" in about:
        log.__dict__["content"] = about["content"]  # where the cached property looks first
    return log


def _piece(folder: Path, about: Any, some: tuple[int, int, int]) -> EventLog:
    number, first, last = some
    words = {name: _read_texts(_words(folder, place)) for place, name in enumerate(about["words"])}
    offsets = _read(_offsets(folder, number))["offsets"]
    part = LogPart(about["first_leads"][number], offsets, _read(_part(folder, number)))
    begin = part.first_lead + first
    whole = EventLog(pd.Index([], dtype="str"), (part,), words)
    return replace(
        whole.piece(part, first, last),
        user_ids=_texts(_batch(folder / USER_IDS).column(0).slice(begin, last - first)),
        folder=folder,
        some=some,
    )


def _about(folder: Path) -> Any:
    return json.loads((folder / ABOUT).read_bytes())


def _write_about(folder: Path, about: Mapping[str, Any]) -> None:
    (folder / ABOUT).write_text(json.dumps(about), encoding="utf-8")


def _part(folder: Path, number: int) -> Path:
    return folder / f"part-{number:04}.arrow"


def _offsets(folder: Path, number: int) -> Path:
    return folder / f"offsets-{number:04}.arrow"


def _words(folder: Path, number: int) -> Path:
    return folder / f"words-{number:04}.arrow"


def _write(path: Path, columns: Mapping[str, Any]) -> None:
    """Write arrays of one length as one record batch; a NaN stays a NaN."""
    batch = pa.record_batch({name: _array(values) for name, values in columns.items()})
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, batch.schema) as writer:
        writer.write_batch(batch)


def _array(values: Any) -> pa.Array:
    if not isinstance(values, pd.Index):
        return pa.array(values)
    texts = pa.array(values, pa.large_string())
    return texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts


def _batch(path: Path) -> pa.RecordBatch:
    return pa.ipc.open_file(pa.memory_map(str(path))).get_batch(0)


def _read(path: Path) -> dict[str, "np.ndarray[Any, Any]"]:
    batch = _batch(path)
    return {name: batch.column(name).to_numpy(zero_copy_only=True) for name in batch.schema.names}


def _read_texts(path: Path) -> pd.Index:
    return _texts(_batch(path).column(0))


def _texts(column: pa.Array) -> pd.Index:
    return pd.Index(column.to_pandas(), dtype="str").rename(None)
