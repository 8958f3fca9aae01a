"""Tables from the store are the tables that reading gives, and files that did not change are not read again."""

import dataclasses
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from written_tables import EVENTS, LEADS, config_of

from leadscore import eventlog
from leadscore.config.schema import ComputeConfig, FilesData
from leadscore.data import kept_tables, load_events, prepared_tables, read_tables
from leadscore.data import prepared as room
from leadscore.errors import DataError
from leadscore.eventlog import EventLog
from leadscore.eventlog_file import open_log, write_log
from leadscore.identity.asked import canonical_config, config_hash
from leadscore.pipeline import compose, walk_to_folds
from leadscore.schemas import check_raw
from leadscore.sealed import zone_rules
from leadscore.store import Store, open_store
from leadscore.tables import Tables

POLICIES = {
    "duplicate_leads": "drop_exact",
    "duplicate_events": "drop_exact",
    "null_ids": "drop",
    "early_events": "drop",
    "missing_ingested_at": "timestamp",
}
RICH_LEADS = (
    "user_id,created_at,status,converted_at,closed_at,land,size\n"
    "a,2024-03-01T09:00Z,open,,,Österreich,3\n"
    "a,2024-03-01T09:00Z,open,,,Österreich,3\n"
    "b,2024-03-02T09:00Z,won,2024-03-09T09:00Z,,NA,\n"
    "c,2024-03-02T09:00Z,lost,,2024-03-19T09:00Z,,-0.0\n"
    ",2024-03-02T09:00Z,open,,,,1\n"
    "007,2024-03-03T09:00Z,won,2024-05-01T09:00Z,,FR,1e5\n"
    "z,2024-06-03T09:00Z,open,,,FR,1\n"
)
RICH_EVENTS = (
    "user_id,timestamp,event_type,ingested_at,amount,currency,page\n"
    "a,2024-03-05T10:00Z,login,2024-03-05T10:01Z,,,/x\n"
    "a,2024-03-05T10:00Z,login,2024-03-05T10:01Z,,,/x\n"
    "b,2024-03-06T10:00Z,order,,10.5,EUR,\n"
    "b,2024-03-06T10:00Z,order,2024-03-06T10:00Z,10,USD,é\n"
    ",2024-03-06T10:00Z,order,2024-03-06T10:00Z,10,EUR,\n"
    "ghost,2024-03-06T10:00Z,login,2024-03-06T10:00Z,,,\n"
    "007,2024-03-01T10:00Z,login,2024-03-06T10:00Z,,,early\n"
    "007,2024-05-01T10:00Z,login,2024-05-06T10:00Z,,,late\n"
)
RICH = {
    "statuses": {"open": "open", "won": "converted", "lost": "closed"},
    "known_at_creation": {"size": "number", "land": "category"},
    "events_columns": {"page": "page"},
    "currency": "EUR",
    "rates": {"USD": 0.9},
    "data_end": "2024-04-01T00:00:00Z",
    "policy": POLICIES,
}


def accept(tables: Tables) -> None:
    """Everything is fine."""


def refuse(tables: Tables) -> None:
    raise DataError("not as declared")


def new_store(folder: Path) -> Store:
    return Store(folder / "cache", 10**9)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return new_store(tmp_path)


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[str]]:
    """Names of the data files that were read since it was last asked; hashing them aside."""
    from leadscore.data import csv_file, parquet_file

    names: list[str] = []

    def noting(cls: Any) -> None:
        real = cls.__init__

        def init(self: Any, path: Path, *rest: Any) -> None:
            names.append(path.name)
            real(self, path, *rest)

        monkeypatch.setattr(cls, "__init__", init)

    noting(csv_file.CsvFile)
    noting(parquet_file.ParquetFile)

    def taken() -> list[str]:
        found = names.copy()
        names.clear()
        return found

    return taken


def assert_same(found: Tables, expected: Tables) -> None:
    pd.testing.assert_frame_equal(found.leads, expected.leads, check_exact=True)
    assert found.leads.dtypes.to_dict() == expected.leads.dtypes.to_dict()
    assert found.data_end == expected.data_end
    assert found.data_end.unit == expected.data_end.unit
    assert list(found.attributes.items()) == list(expected.attributes.items())
    assert list(found.counts.items()) == list(expected.counts.items())
    assert found.notes == expected.notes
    if expected.log is None:
        assert found.log is None
    else:
        assert_same_log(found.log, expected.log)


def assert_same_log(found: EventLog | None, expected: EventLog) -> None:
    assert found is not None
    assert found.content == expected.content
    pd.testing.assert_index_equal(found.user_ids, expected.user_ids)
    assert list(found.words) == list(expected.words)
    for name, words in expected.words.items():
        pd.testing.assert_index_equal(found.words[name], words)
    assert len(found.parts) == len(expected.parts)
    for part, same in zip(found.parts, expected.parts, strict=True):
        assert part.first_lead == same.first_lead
        assert list(part.columns) == list(same.columns)
        for one, other in [(part.offsets, same.offsets)] + [
            (part.columns[name], same.columns[name]) for name in part.columns
        ]:
            assert one.dtype == other.dtype
            np.testing.assert_array_equal(one, other)


def recomputed(log: EventLog | None) -> str:
    assert log is not None
    return EventLog(log.user_ids, log.parts, log.words).content


# --- the same tables -----------------------------------------------------------------------------------------


def as_csv(folder: Path) -> FilesData:
    return config_of(folder, RICH_LEADS, RICH_EVENTS, **RICH)


def as_parquet(folder: Path) -> FilesData:
    for name, text in (("leads", RICH_LEADS), ("events", RICH_EVENTS)):
        (folder / f"{name}.csv").write_text(text)
        frame = pd.read_csv(folder / f"{name}.csv", keep_default_na=False, na_values=[""], dtype={"user_id": "str"})
        for column in [each for each in frame if each.endswith("_at") or each == "timestamp"]:
            frame[column] = pd.to_datetime(frame[column], utc=True, format="ISO8601")
        frame.to_parquet(folder / f"{name}.parquet")
    return config_of(folder, Path("leads.parquet"), Path("events.parquet"), **RICH)


def as_several_files(folder: Path) -> FilesData:
    (folder / "events").mkdir()
    header, *rows = RICH_EVENTS.splitlines(keepends=True)
    for number in range(0, len(rows), 3):
        (folder / "events" / f"{number}.csv").write_text(header + "".join(rows[number : number + 3]))
    return config_of(folder, RICH_LEADS, Path("events"), **RICH)


def with_other_policies(folder: Path) -> FilesData:
    policy = POLICIES | {"early_events": "keep", "duplicate_events": "keep"}
    return config_of(folder, RICH_LEADS, RICH_EVENTS, **(RICH | {"policy": policy, "data_end": None}))


def leads_alone(folder: Path) -> FilesData:
    return config_of(folder, LEADS)


def without_any_event_kept(folder: Path) -> FilesData:
    return config_of(folder, LEADS, EVENTS, data_end="2024-03-03T00:00:00Z")


def given_observations(folder: Path) -> FilesData:
    leads = "user_id,as_of,y\na,2024-03-01T09:00Z,1\na,2024-04-01T09:00Z,0\nb,2024-03-02T09:00Z,\n"
    return config_of(folder, leads, leads_columns={"as_of": "as_of", "label": "y"}, labels={"1": 1, "0": 0})


KINDS = [
    as_csv,
    as_parquet,
    as_several_files,
    with_other_policies,
    leads_alone,
    without_any_event_kept,
    given_observations,
]


@pytest.mark.parametrize("written", KINDS)
def test_tables_from_the_store_are_those_that_reading_gives(tmp_path, store, opened, written):
    config = written(tmp_path)
    expected = read_tables(config)
    opened()
    checked: list[Tables] = []

    first = prepared_tables(config, store, checked.append)
    assert set(opened()) == {path.name for files in room._files(config).values() for path, _ in files}
    again = new_store(tmp_path)
    second = prepared_tables(config, again, refuse)  # what was accepted is accepted
    assert opened() == []

    for found in (first, second, kept_tables(config, again)):
        assert found is not None
        assert_same(found, expected)
        if found.log is not None:
            assert recomputed(found.log) == found.log.content
            assert found.log.folder is not None
    assert len(checked) == 1
    assert store.told("tables") == {"tables": "kept", "notes": []}
    assert again.told("tables") == {"tables": "found", "notes": []}


def test_a_log_in_several_parts_comes_back_in_its_parts(tmp_path, monkeypatch):
    monkeypatch.setattr(eventlog, "PART_ROWS", 3)
    ids = [f"u{number % 7}" for number in range(20)]
    times = pd.date_range("2024-03-01", periods=20, freq="h", tz="UTC", unit="us")
    frame = pd.DataFrame({"user_id": ids, "timestamp": times, "event_type": "x", "a/b": ["é", None] * 10, "n": np.nan})
    log = EventLog.from_frame(frame)
    assert len(log.parts) == 7
    write_log(log, tmp_path)
    found = open_log(tmp_path)
    assert_same_log(found, log)
    pd.testing.assert_frame_equal(found.to_frame(), log.to_frame())


def test_a_log_from_the_store_is_mapped_read_only_and_pickled_by_its_name(tmp_path, store):
    log = prepared_tables(as_csv(tmp_path), store, accept).log
    assert log is not None
    for values in log.parts[0].columns.values():
        assert not values.flags.owndata
        with pytest.raises(ValueError, match="read-only"):
            values[0] = 0
    sent = pickle.dumps(log)
    assert len(sent) < 500
    assert_same_log(pickle.loads(sent), log)
    memory = EventLog.from_frame(log.to_frame())
    assert_same_log(pickle.loads(pickle.dumps(memory)), memory)


# --- when tables are read again ----------------------------------------------------------------------------------


def changed(config: FilesData, **changes: Any) -> FilesData:
    for name, value in changes.items():
        setattr(config, name, value)
    return config


def test_files_and_questions_that_differ_are_read(tmp_path, store, opened):
    def read_again(config: FilesData) -> bool:
        opened()
        prepared_tables(config, new_store(tmp_path), accept)
        return bool(opened())

    config = as_csv(tmp_path)
    assert read_again(config)
    assert not read_again(config)
    assert not read_again(changed(as_csv(tmp_path), name="another name"))
    assert read_again(changed(as_csv(tmp_path), data_end="2024-04-02T00:00:00Z"))
    assert read_again(changed(as_csv(tmp_path), known_at_creation={"land": "category", "size": "number"}))
    assert read_again(changed(as_csv(tmp_path), rates={"USD": 0.8}))
    (tmp_path / "events.csv").write_text(RICH_EVENTS.replace("/x", "/y"))
    assert read_again(config)
    (tmp_path / "events.csv").write_text(RICH_EVENTS)
    assert not read_again(config)


def test_the_same_files_in_another_folder_are_the_same_tables(tmp_path, store, opened):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    prepared_tables(as_csv(tmp_path / "one"), store, accept)
    opened()
    prepared_tables(as_csv(tmp_path / "two"), store, accept)
    assert opened() == []


@pytest.mark.parametrize("what", ["source_hash", "version", "platform.python_version", "zone_rules"])
def test_other_code_and_versions_read_again(tmp_path, store, opened, monkeypatch, what):
    config = dataclasses.replace(as_csv(tmp_path), timezone="Europe/Berlin")
    prepared_tables(config, store, accept)
    opened()
    monkeypatch.setattr(f"leadscore.data.prepared.{what}", lambda *names: "another")
    prepared_tables(config, store, accept)
    assert opened()


def test_a_change_of_the_zones_rules_reads_again(tmp_path, monkeypatch):
    import zoneinfo

    (tmp_path / "Europe").mkdir()
    monkeypatch.setattr(zoneinfo, "TZPATH", (str(tmp_path),))
    assert str(zone_rules("Europe/Berlin")).startswith("tzdata 20")
    (tmp_path / "Europe" / "Berlin").write_text("old rules")
    old = zone_rules("Europe/Berlin")
    (tmp_path / "Europe" / "Berlin").write_text("new rules")
    assert old != zone_rules("Europe/Berlin")


def test_a_file_is_hashed_once_until_it_changes(tmp_path, monkeypatch):
    config = as_csv(tmp_path)
    hashed: list[str] = []
    real = room.file_hash
    monkeypatch.setattr(room, "file_hash", lambda path: hashed.append(path.name) or real(path))
    paths = [tmp_path / "leads.csv", tmp_path / "events.csv"]

    def hashed_now() -> list[str]:
        hashed.clear()
        prepared_tables(config, new_store(tmp_path), accept)
        return sorted(hashed)

    assert hashed_now() == hashed_now() == ["events.csv", "leads.csv"]  # written just now: it may be written again
    for path in paths:
        os.utime(path, (10**9, 10**9))
    assert hashed_now() == ["events.csv", "leads.csv"]
    assert hashed_now() == []
    same_size_and_time = RICH_EVENTS.replace("/x", "/y")
    paths[1].write_text(same_size_and_time)
    os.utime(paths[1], (10**9, 10**9))
    assert hashed_now() == ["events.csv"]


# --- what is not kept -------------------------------------------------------------------------------------------


def test_tables_that_are_not_accepted_are_not_kept(tmp_path, store):
    config = as_csv(tmp_path)
    with pytest.raises(DataError, match="not as declared"):
        prepared_tables(config, store, refuse)
    with pytest.raises(DataError, match="1 event without user_id"):
        prepared_tables(
            config_of(
                tmp_path,
                LEADS,
                RICH_EVENTS,
                currency="EUR",
                rates={"USD": 1.0},
                policy={"missing_ingested_at": "timestamp"},
            ),
            store,
            accept,
        )
    assert [entry for entry in store.entries() if entry.kind == "tables"] == []


def test_a_file_that_is_not_there_is_told_as_reading_tells_it(tmp_path, store):
    config = config_of(tmp_path, Path("lead.csv"), Path("event.csv"))
    (tmp_path / "leads.csv").write_text(LEADS)
    with pytest.raises(DataError) as plain:
        read_tables(config)
    with pytest.raises(DataError) as prepared:
        prepared_tables(config, store, accept)
    assert str(prepared.value) == str(plain.value)
    assert "Did you mean 'leads.csv'?" in str(plain.value)


def test_a_file_that_changes_while_it_is_read_is_not_kept(tmp_path, store):
    config = as_csv(tmp_path)

    def check(tables: Tables) -> None:
        (tmp_path / "events.csv").write_text(RICH_EVENTS + "a,2024-03-05T10:00Z,login,2024-03-05T10:01Z,,,/x\n")

    assert prepared_tables(config, store, check).log is not None
    assert store.told("tables") == {"tables": "neither", "notes": []}


def test_without_a_store_or_with_a_broken_one_tables_are_read(tmp_path):
    config = as_csv(tmp_path)
    (tmp_path / "file").touch()
    broken = Store(tmp_path / "file" / "cache", 10**9)
    expected = read_tables(config)
    for store in (None, broken, Store(None, 1)):
        assert_same(prepared_tables(config, store, accept), expected)
        with pytest.raises(DataError, match="not as declared"):
            prepared_tables(config, store, refuse)
    assert len(broken.notes) == 1


def test_a_damaged_entry_is_read_anew(tmp_path, store):
    config = as_csv(tmp_path)
    first = prepared_tables(config, store, accept)
    expected = read_tables(config)
    assert first.log is not None
    assert first.log.folder is not None
    part = first.log.folder / "part-0000.arrow"
    data = bytearray(part.read_bytes())
    data[len(data) // 2] ^= 1
    part.write_bytes(data)
    again = new_store(tmp_path)
    assert_same(prepared_tables(config, again, accept), expected)
    assert "part-0000.arrow has changed" in again.notes[0]
    assert again.told("tables")["tables"] == "kept"


def test_an_entry_thrown_away_while_it_is_opened_is_read_anew(tmp_path, store, monkeypatch):
    config = as_csv(tmp_path)
    prepared_tables(config, store, accept)
    real = Store.find

    def find(self: Store, kind: str, key: str) -> Path | None:
        folder = real(self, kind, key)
        if kind == "tables":
            self.prune(kind="tables")
        return folder

    monkeypatch.setattr(Store, "find", find)
    again = new_store(tmp_path)
    assert_same(prepared_tables(config, again, accept), read_tables(config))
    assert "cannot be opened (No such file or directory); its tables are read again" in again.notes[0]


def test_a_simulation_is_simulated_and_checked(store):
    checked: list[Tables] = []
    config = compose(["data.n_leads=50"]).data
    for _ in range(2):
        assert prepared_tables(config, store, checked.append).truth is not None
    assert len(checked) == 2
    assert store.entries() == []
    with pytest.raises(DataError, match="not as declared"):
        prepared_tables(config, store, refuse)


# --- who uses it ---------------------------------------------------------------------------------------------------


def test_load_events_reads_what_a_run_has_kept(tmp_path, opened, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    config = as_csv(tmp_path)
    read = load_events(config)
    assert opened()
    load_events(config)
    assert opened()  # it keeps nothing: nothing has checked these tables
    prepared_tables(config, open_store(ComputeConfig()), lambda tables: check_raw(tables, config))
    opened()
    pd.testing.assert_frame_equal(load_events(config), read)
    assert opened() == []


def test_the_walk_reads_files_once_and_records_where_tables_came_from(tmp_path, opened, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    days = pd.date_range("2024-01-01", periods=120, freq="D")
    rows = [f"u{n},{day:%Y-%m-%d}T09:00Z,{(n % 3 and 'open') or 'won'}" for n, day in enumerate(days)]
    won = [f"{day + pd.Timedelta(days=9):%Y-%m-%d}T09:00Z" if n % 3 == 0 else "" for n, day in enumerate(days)]
    lines = [f"{row},{when},3" for row, when in zip(rows, won, strict=True)]
    (tmp_path / "leads.csv").write_text("\n".join(["user_id,created_at,status,converted_at,size", *lines]))
    (tmp_path / "conf" / "data").mkdir(parents=True)
    (tmp_path / "conf" / "data" / "mine.yaml").write_text(
        "defaults: [/schema/data/files@_here_, _self_]\nname: mine\nleads: {path: leads.csv}\n"
        "statuses: {open: open, won: converted}\nknown_at_creation: {size: number}\n"
    )
    asked = ["data=mine", f"data.dir={tmp_path}", "features=attributes", "window.delay=1d", "tracking=none"]

    def walk(*more: str) -> tuple[Any, list[str]]:
        windows = walk_to_folds(compose([*asked, *more], config_dir=tmp_path / "conf"))
        return windows, opened()

    first, read = walk()
    again, read_again = walk()
    without, read_without = walk("compute.cache=false")
    assert (read, read_again, read_without) == (["leads.csv"], [], ["leads.csv"])
    assert first.store.told("tables") == {"tables": "kept", "notes": []}
    assert again.store.told("tables") == {"tables": "found", "notes": []}
    assert without.store is None
    for windows in (again, without):
        assert_same(windows.tables, first.tables)
        pd.testing.assert_frame_equal(windows.observations.frame, first.observations.frame)
    assert config_hash_of(first) == config_hash_of(without)


def config_hash_of(windows: Any) -> str:
    return config_hash(canonical_config(windows.config, windows.plan.asked))
