"""A long log is laid out part by part, and is the same log, with the same counts and messages."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_data_prepared import KINDS, POLICIES, RICH, RICH_EVENTS, RICH_LEADS, as_csv, assert_same, assert_same_log
from written_tables import LEADS, config_of, refused

from leadscore import eventlog
from leadscore.data import load_tables, prepared_tables, read_tables
from leadscore.eventlog import EventLog
from leadscore.store import Store

SMALL_PARTS = [1, 2, 3, 5]


def in_one_piece(config: Any, part_rows: int, patch: pytest.MonkeyPatch) -> Any:
    """The tables as they are read at once, their log then cut into parts of `part_rows`."""
    with patch.context() as whole:
        whole.setattr(eventlog, "PART_ROWS", 10**6)
        tables = read_tables(config)
    patch.setattr(eventlog, "PART_ROWS", part_rows)
    return tables, None if tables.log is None else EventLog.from_frame(tables.events)


@pytest.mark.parametrize("part_rows", SMALL_PARTS)
@pytest.mark.parametrize("written", KINDS)
def test_a_log_read_in_parts_is_the_log_read_at_once(tmp_path, monkeypatch, written, part_rows):
    config = written(tmp_path)
    tables, log = in_one_piece(config, part_rows, monkeypatch)
    (tmp_path / "parts").mkdir()
    for folder in (None, tmp_path / "parts"):
        found = load_tables(config, folder)
        if log is None:
            assert found.log is None
            continue
        assert_same_log(found.log, log)
        pd.testing.assert_frame_equal(found.leads, tables.leads)
        assert list(found.counts.items()) == list(tables.counts.items())
        assert found.notes == tables.notes
        assert (found.log.folder is None) == (folder is None or len(log.parts) == 1)


@given(
    rows=st.lists(
        st.tuples(
            st.sampled_from(["a", "b", "c", "d", "ghost", ""]),
            st.integers(1, 4),
            st.sampled_from(["x", "y"]),
            st.sampled_from(["", "p", "q"]),
        ),
        min_size=1,
        max_size=25,
    ),
    part_rows=st.integers(1, 8),
    repeated=st.sampled_from(["keep", "drop_exact"]),
)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_log_is_the_same_in_parts(tmp_path, rows, part_rows, repeated):
    lines = [f"{who},2024-03-0{day}T10:00Z,{kind},{page}" for who, day, kind, page in rows]
    events = "\n".join(["user_id,timestamp,event_type,page", *lines])
    leads = "user_id,created_at\n" + "".join(f"{who},2024-02-01T09:00Z\n" for who in "abcd")
    policy = {"null_ids": "drop", "duplicate_events": repeated}
    config = config_of(
        tmp_path, leads, events, events_columns={"page": "page"}, policy=policy, data_end="2024-03-04T00:00:00Z"
    )
    with pytest.MonkeyPatch.context() as patch:
        tables, log = in_one_piece(config, part_rows, patch)
        found = read_tables(config)
        assert_same_log(found.log, log)
        assert found.counts == tables.counts
        assert found.notes == tables.notes


def test_messages_count_over_all_parts(tmp_path, monkeypatch):
    policy = dict.fromkeys(("duplicate_events", "null_ids", "orphan_events", "early_events"), "error")

    def told() -> str:
        settled = RICH | {"policy": POLICIES | policy | {"late_events": "error"}}
        return refused(tmp_path, RICH_LEADS.replace(",2024-03-02T09:00Z,open,,,,1\n", ""), RICH_EVENTS, **settled)

    whole = told()
    assert "5 problems" in whole
    for part_rows in SMALL_PARTS:
        monkeypatch.setattr(eventlog, "PART_ROWS", part_rows)
        assert told() == whole


def test_a_log_in_parts_is_kept_without_a_second_copy(tmp_path, monkeypatch):
    config = as_csv(tmp_path)
    _, log = in_one_piece(config, 1, monkeypatch)
    assert len(log.parts) > 1
    for _ in range(2):
        store = Store(tmp_path / "cache", 10**9)
        found = prepared_tables(config, store, lambda tables: None)
        assert_same_log(found.log, log)
        assert found.log.folder.parent.parent == store.root / "tables"
        assert list((store.root / ".unfinished").iterdir()) == []


def test_parts_that_cannot_be_written_stay_in_memory(tmp_path, monkeypatch):
    from leadscore import eventlog_file

    config = as_csv(tmp_path)
    _, log = in_one_piece(config, 1, monkeypatch)

    def full(path: Path, columns: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(eventlog_file, "_write", full)
    store = Store(tmp_path / "cache", 10**9)
    found = prepared_tables(config, store, lambda tables: None)
    assert_same_log(found.log, log)
    (note,) = store.notes
    assert "No space left on device" in note
    assert store.told("tables")["tables"] == "neither"


def test_a_log_that_could_not_be_kept_is_still_readable_and_sent_by_value(tmp_path, monkeypatch):
    import pickle

    config = as_csv(tmp_path)
    _, log = in_one_piece(config, 1, monkeypatch)
    monkeypatch.setattr(Store, "keep", lambda *arguments, **options: None)
    found = prepared_tables(config, Store(tmp_path / "cache", 10**9), lambda tables: None)
    assert_same(found, load_tables(config))
    assert found.log.folder is None
    assert_same_log(pickle.loads(pickle.dumps(found.log)), log)


def test_events_of_no_lead_leave_a_log_of_one_empty_part(tmp_path, monkeypatch):
    monkeypatch.setattr(eventlog, "PART_ROWS", 1)
    events = "user_id,timestamp,event_type\n" + "".join(f"g{n},2024-03-05T10:00Z,x\n" for n in range(5))
    log = read_tables(config_of(tmp_path, LEADS, events)).log
    assert len(log) == 0
    assert len(log.parts) == 1
    assert log.parts[0].columns["timestamp"].dtype == np.int64
