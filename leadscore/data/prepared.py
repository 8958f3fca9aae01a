"""Tables that were read and accepted once are kept, and mapped into memory from then on."""

import json
import os
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from leadscore.config.schema import DataConfig, FilesData
from leadscore.data.files import find_files
from leadscore.data.load import load_tables
from leadscore.data.remote import RemoteFile, is_url, stamp_of
from leadscore.errors import DataError
from leadscore.eventlog_file import open_log, write_content, write_log
from leadscore.pools import Pool
from leadscore.sealed import digest_of, file_hash, source_hash, zone_rules
from leadscore.store import Store
from leadscore.tables import Tables

__all__ = ["kept_tables", "prepared_tables"]

KIND, FILE = "tables", "file"
READING = ("data", "eventlog.py", "eventlog_file.py", "schemas.py", "tables.py", "times.py", "config/schema.py")
PACKAGES = ("numpy", "pandas", "pandera", "pyarrow")
LEADS, CODES, ABOUT, HASH = "leads.arrow", "lead_codes.arrow", "tables.json", "sha256"
SETTLED_NS = 2_000_000_000  # a file written just now may be written again without a new time, on coarse clocks

Files = Mapping[str, Sequence[tuple[Path | RemoteFile, tuple[int, ...]]]]  # table -> its files, each with its stamp


def prepared_tables(
    config: DataConfig, store: Store | None, check: Callable[[Tables], None], pool: Pool | None = None
) -> Tables:
    """Return the tables that a data config names, read from files once and from the store from then on.

    Parameters
    ----------
    config : DataConfig
        A simulation is simulated each time, which is faster than reading it.
    store : Store or None
        None reads the files.
    check : callable
        Raises when the tables cannot be accepted; may depend on `config` and nothing else. Tables in the store have
        passed it.
    pool : Pool, optional
        Reads the event table, where it can and there is a store.

    Returns
    -------
    Tables
        Equal either way; from the store, `log` is mapped from its entry and read-only.

    Raises
    ------
    DataError
        As `load_tables` and `check`; then nothing is kept.
    """
    asked = _asked(config, store)
    if store is None or asked is None:
        return _accepted(config, check)
    files, key = asked
    found = _from_store(store, key)
    if found is not None:
        return found
    with store.making(KIND, key):
        found = _from_store(store, key)  # made while we waited
        return found or _prepared(config, store, key, files, check, pool)


def kept_tables(config: DataConfig, store: Store | None) -> Tables | None:
    """Return the tables if the store has them; None where they would have to be read."""
    asked = _asked(config, store)
    return None if store is None or asked is None else _from_store(store, asked[1])


def _prepared(
    config: DataConfig, store: Store, key: str, files: Files, check: Callable[[Tables], None], pool: Pool | None
) -> Tables:
    """Read the tables and keep them; in memory, where they cannot be kept."""
    try:
        with store.scratch() as folder:
            tables = _accepted(config, check, folder, pool)
            kept = None
            if _is_unchanged(config, files):  # else what was read may not be what was hashed
                kept = store.keep(KIND, key, lambda folder: _write(tables, folder), _described(config, tables))
    except OSError as error:
        store.give_up(error)
        return _accepted(config, check)
    opened = None if kept is None else _opened(store, kept)
    if opened is None and tables.log is not None:  # mapped files stay readable when they are removed, not by name
        return replace(tables, log=replace(tables.log, folder=None))
    return opened or tables


def _accepted(
    config: DataConfig, check: Callable[[Tables], None], folder: Path | None = None, pool: Pool | None = None
) -> Tables:
    tables = load_tables(config, folder, pool)
    check(tables)
    return tables


def _is_unchanged(config: DataConfig, files: Files) -> bool:
    try:
        return _files(config) == files
    except (DataError, OSError):
        return False


def _asked(config: DataConfig, store: Store | None) -> tuple[Files, str] | None:
    """Return the files and the key of their tables; None where there is nothing to keep, or something is wrong."""
    if store is None or not isinstance(config, FilesData):
        return None
    try:
        files = _files(config)
        return files, _key(config, files, store)
    except (DataError, OSError):  # loading says what is wrong, with all else that is
        return None


def _files(config: DataConfig) -> Files:
    assert isinstance(config, FilesData)
    tables = {"data.leads": config.leads, "data.events": config.events}
    return {
        key: [(path, stamp_of(path)) for path in find_files(table, config.dir, key)]
        for key, table in tables.items()
        if table is not None
    }


def _key(config: FilesData, files: Files, store: Store) -> str:
    """Hash all that decides what the tables are: contents, names, config, code and versions; no folder's name."""
    asked = asdict(config)
    for unread in ("name", "dir"):
        del asked[unread]
    for table in (asked["leads"], asked["events"]):
        if table is not None:
            table["path"] = _called(table["path"])
    return digest_of(
        {
            "files": [[key, path.name, _content(path, stamp, store)] for key in files for path, stamp in files[key]],
            "config": asked,
            "code": source_hash(*READING),
            "python": platform.python_version(),
            "packages": {name: version(name) for name in PACKAGES},
            "zone": None if config.timezone is None else zone_rules(config.timezone),
        }
    )


def _called(path: str) -> str:
    """Return how messages and notes call a table of several files; a single file goes by its own name."""
    return path if not (is_url(path) or Path(path).expanduser().is_absolute()) else Path(path).name


def _content(path: Path | RemoteFile, stamp: tuple[int, ...], store: Store) -> str:
    """Return a file's sha256, from the store where the very file was hashed before."""
    key = digest_of([str(path.absolute()), *stamp])
    found = store.find(FILE, key)
    if found is not None:
        return (found / HASH).read_text(encoding="ascii")
    digest = file_hash(path)
    if stamp_of(path) == stamp and time.time_ns() - stamp[1] > SETTLED_NS:
        store.keep(FILE, key, lambda folder: _write_text(folder / HASH, digest), f"sha256 of {path.name}")
    return digest


def _write_text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def _described(config: DataConfig, tables: Tables) -> str:
    events = "no events" if tables.log is None else f"{len(tables.log):,} events"
    return f"{config.name}: {len(tables.leads):,} leads, {events}"


def _write(tables: Tables, folder: Path) -> None:
    leads = pa.Table.from_pandas(tables.leads, preserve_index=False)
    with pa.OSFile(str(folder / LEADS), "wb") as sink, pa.ipc.new_file(sink, leads.schema) as writer:
        writer.write_table(leads)
    if tables.log is not None:
        codes = pa.record_batch({"code": pa.array(tables.lead_codes)})
        with pa.OSFile(str(folder / CODES), "wb") as sink, pa.ipc.new_file(sink, codes.schema) as writer:
            writer.write_batch(codes)
        if tables.log.folder is not None:  # written while it was made
            os.rename(tables.log.folder, folder / "log")
            write_content(folder / "log", tables.log.content)
        else:
            (folder / "log").mkdir()
            write_log(tables.log, folder / "log")
    about = {
        "dtypes": {name: str(dtype) for name, dtype in tables.leads.dtypes.items()},
        "data_end": tables.data_end.isoformat(),
        "attributes": dict(tables.attributes),
        "counts": dict(tables.counts),
        "notes": list(tables.notes),
        "has_log": tables.log is not None,
    }
    _write_text(folder / ABOUT, json.dumps(about, ensure_ascii=False))


def _from_store(store: Store, key: str) -> Tables | None:
    folder = store.find(KIND, key)
    return None if folder is None else _opened(store, folder)


def _opened(store: Store, folder: Path) -> Tables | None:
    """Return an entry's tables; None, with a note, where another process has just thrown it away."""
    try:
        about = json.loads((folder / ABOUT).read_bytes())
        with pa.memory_map(str(folder / LEADS)) as source:  # texts stay there: of millions of leads they are the most
            leads = pa.ipc.open_file(source).read_all().to_pandas().astype(about["dtypes"])
        log = open_log(folder / "log") if about["has_log"] else None
        codes = None if log is None else _codes(folder)
    except OSError as error:
        store.note(f"the cache entry {folder} cannot be opened ({error.strerror or error}); its tables are read again")
        return None
    tables = Tables(
        leads=leads,
        log=log,
        data_end=pd.Timestamp(about["data_end"]).as_unit("us"),
        attributes=about["attributes"],
        counts=about["counts"],
        notes=tuple(about["notes"]),
    )
    if codes is not None:
        vars(tables)["lead_codes"] = codes  # a cached property: looked up once, when the log was kept
    return tables


def _codes(folder: Path) -> np.ndarray[Any, Any]:
    with pa.OSFile(str(folder / CODES)) as source:
        codes: np.ndarray[Any, Any] = pa.ipc.open_file(source).get_batch(0).column("code").to_numpy()
    return codes
