"""An event log read by a pool, piece by piece and share by share, is the log read at once: content, counts, words."""

import itertools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import fsspec
import pandas as pd
import pytest
from here import Here
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_data_prepared import POLICIES, RICH, as_parquet, assert_same
from written_tables import LEADS, config_of

from leadscore import eventlog
from leadscore.config.schema import FilesData
from leadscore.data import load_tables, prepared_tables, read_tables, spread
from leadscore.errors import DataError
from leadscore.store import Store

SMALL = [(1, 1), (2, 3), (3, 2), (2, 100), (100, 100)]  # rows of a piece, of a part


@pytest.fixture
def cut(monkeypatch: pytest.MonkeyPatch) -> Any:
    def set_sizes(piece_rows: int, part_rows: int) -> None:
        monkeypatch.setattr(spread, "PIECE_ROWS", piece_rows)
        monkeypatch.setattr(eventlog, "PART_ROWS", part_rows)

    return set_sizes


def files(folder: Path, name: str, frames: list[pd.DataFrame], group_rows: int = 2) -> Path:
    (folder / name).mkdir()
    for number, frame in enumerate(frames):
        frame.to_parquet(folder / name / f"{number}.parquet", row_group_size=group_rows)
    return Path(name)


def pieces(events: pd.DataFrame, *cuts: int) -> list[pd.DataFrame]:
    borders = [0, *cuts, len(events)]
    return [events.iloc[begin:end] for begin, end in itertools.pairwise(borders) if end > begin]


def rich(folder: Path, **changes: Any) -> FilesData:
    """The rich tables, their events in three files of one or two rows a group."""
    as_parquet(folder)
    events = pd.read_parquet(folder / "events.parquet")
    return config_of(folder, Path("leads.parquet"), files(folder, "log", pieces(events, 3, 4)), **(RICH | changes))


def folder_of(tmp_path: Path) -> Path:
    (tmp_path / "scratch").mkdir()
    return tmp_path / "scratch"


CHANGES: list[dict[str, Any]] = [
    {},
    {"data_end": None},
    {"policy": POLICIES | {"early_events": "keep", "duplicate_events": "keep"}},
    {"event_types": {"login": "visit", "nothing": "never"}},
    {"data_end": "2024-03-01T00:00:00Z"},
]


@pytest.mark.parametrize("changes", CHANGES)
@pytest.mark.parametrize(("piece_rows", "part_rows"), SMALL)
def test_the_log_has_the_bytes_of_one_that_is_read_at_once(tmp_path, cut, piece_rows, part_rows, changes):
    config = rich(tmp_path, **changes)
    cut(piece_rows, part_rows)
    expected, pool = read_tables(config), Here()
    found = load_tables(config, folder_of(tmp_path), pool)
    assert_same(found, expected)
    assert pool.done > 3
    assert found.log.folder is not None


BREAKS: list[dict[str, Any]] = [
    {"policy": POLICIES | {"null_ids": "error"}},
    {"policy": POLICIES | {"missing_ingested_at": "error", "orphan_events": "error", "late_events": "error"}},
    {"policy": POLICIES | {"duplicate_events": "error", "early_events": "error"}},
    {"rates": {}},
    {"currency": None, "rates": {}},
    {"data_end": "2024-04-01T00:00:00Z", "earliest": "2024-03-06T00:00:00Z"},
]


@pytest.mark.parametrize("changes", BREAKS)
@pytest.mark.parametrize(("piece_rows", "part_rows"), SMALL[1:])
def test_what_is_wrong_is_told_as_when_it_is_read_at_once(tmp_path, cut, piece_rows, part_rows, changes):
    config = rich(tmp_path, **changes)
    cut(piece_rows, part_rows)
    with pytest.raises(DataError) as here:
        read_tables(config)
    with pytest.raises(DataError) as there:
        load_tables(config, folder_of(tmp_path), Here())
    assert str(there.value) == str(here.value)


@given(
    rows=st.lists(
        st.tuples(
            st.sampled_from(["a", "b", "c", "d", "ghost", None]),
            st.integers(1, 4),
            st.sampled_from(["x", "y"]),
            st.sampled_from([None, "p", "q"]),
        ),
        min_size=1,
        max_size=25,
    ),
    sizes=st.tuples(st.integers(1, 8), st.integers(1, 8)),
    keep=st.booleans(),
)
@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_log_is_the_same(tmp_path_factory, cut, rows, sizes, keep):
    folder = tmp_path_factory.mktemp("any")
    cut(*sizes)
    frame = pd.DataFrame(rows, columns=["user_id", "day", "event_type", "page"])
    days = pd.to_datetime(frame.pop("day").map("2024-03-0{}".format), utc=True).astype("datetime64[us, UTC]")
    events = frame.astype({"user_id": "str", "event_type": "str", "page": "str"}).assign(timestamp=days)
    leads = LEADS + "c,2024-03-02T09:00Z\nd,2024-03-09T09:00Z\n"
    log = files(folder, "log", pieces(events, len(events) // 3))
    policy = {"null_ids": "drop", "duplicate_events": "keep" if keep else "drop_exact"}
    config = config_of(folder, leads, log, events_columns={"page": "page"}, policy=policy)
    assert_same(load_tables(config, folder_of(folder), Here()), read_tables(config))


def test_text_times_with_a_zone_in_one_file_and_without_in_another_are_refused(tmp_path, cut):
    cut(1, 100)
    frames = [
        pd.DataFrame({"user_id": ["a"], "timestamp": [time], "event_type": ["x"]})
        for time in ("2024-03-05T10:00:00Z", "2024-03-06T10:00:00")
    ]
    config = config_of(tmp_path, LEADS, files(tmp_path, "log", frames), timezone="Europe/Berlin")
    with pytest.raises(DataError, match="1 times have a zone and 1 have none; one column is written one way"):
        load_tables(config, folder_of(tmp_path), Here())


def test_types_that_files_do_not_share_become_the_type_of_all(tmp_path, cut):
    cut(1, 100)
    row = {"timestamp": pd.Timestamp("2024-03-05T10:00Z"), "event_type": ["x"]}
    frames = [pd.DataFrame({"user_id": [7], "amount": [amount], **row}) for amount in (1, 2.5)]
    config = config_of(tmp_path, "user_id,created_at\n7,2024-03-01T09:00Z\n", files(tmp_path, "log", frames))
    assert_same(load_tables(config, folder_of(tmp_path), Here()), read_tables(config))


@pytest.mark.parametrize("why", ["csv", "event ids", "unseen"])
def test_what_only_one_machine_can_read_is_read_by_it(tmp_path, why):
    config = rich(tmp_path)
    if why == "csv":
        config = config_of(tmp_path, LEADS, "user_id,timestamp,event_type\na,2024-03-05T10:00Z,login\n")
    if why == "event ids":
        events = pd.read_parquet(tmp_path / "log").reset_index(drop=True).assign(event_id=list("abcdefgh"))
        config = config_of(tmp_path, Path("leads.parquet"), files(tmp_path, "ids", [events]), **RICH)
    pool = Here(sees=why != "unseen")
    assert_same(load_tables(config, folder_of(tmp_path), pool), read_tables(config))
    assert not pool.done


def test_the_store_keeps_what_a_pool_has_read_under_the_same_key(tmp_path):
    config, store = rich(tmp_path), Store(tmp_path / "cache", 10**9)
    found = prepared_tables(config, store, lambda tables: None, Here())
    again = prepared_tables(config, store, lambda tables: pytest.fail("it was read again"))
    assert_same(found, read_tables(config))
    assert_same(again, found)
    assert found.log.folder == again.log.folder
    assert not [path for path in found.log.folder.iterdir() if path.name.startswith((".", "piece", "share"))]


@pytest.fixture
def memory() -> Iterator[Any]:
    """A file system that lives in this process."""
    file_system = fsspec.filesystem("memory")
    yield file_system
    file_system.rm("/", recursive=True)


def behind(url: str, config: FilesData) -> FilesData:
    return replace(config, dir=url)


@pytest.mark.parametrize("pool", [None, Here()])
def test_tables_behind_a_url_are_those_of_the_folder(tmp_path, memory, cut, pool):
    config = rich(tmp_path)
    cut(2, 3)
    expected = read_tables(config)
    found = load_tables(behind(f"file://{tmp_path}", config), folder_of(tmp_path), pool)
    assert_same(found, expected)
    memory.put(str(tmp_path), "/bucket", recursive=True)
    (tmp_path / "other").mkdir()
    assert_same(load_tables(behind("memory://bucket", config), tmp_path / "other", pool), expected)
    glob = replace(config, events=replace(config.events, path=f"file://{tmp_path}/log/[0-9].parquet"))
    assert read_tables(glob).log.content == expected.log.content


def test_what_a_url_named_is_kept_until_its_files_change(tmp_path, memory):
    config = rich(tmp_path)
    memory.put(str(tmp_path), "/bucket", recursive=True)
    remote, store = behind("memory://bucket", config), Store(tmp_path / "cache", 10**9)
    first = prepared_tables(remote, store, lambda tables: None)
    again = prepared_tables(remote, store, lambda tables: pytest.fail("it was read again"))
    assert_same(again, first)
    memory.rm("/bucket/log/2.parquet")
    changed = prepared_tables(remote, store, lambda tables: None)
    assert (first.counts["events read"], changed.counts["events read"]) == (8, 4)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("memory://nowhere", "data.leads.path memory://nowhere/leads.parquet: nothing is there"),
        (
            "nothing://bucket",
            r"data.leads.path nothing://bucket/leads.parquet cannot be looked at \(ValueError: Protocol",
        ),
        (
            "memory://csv",
            "events.csv is no Parquet file, and behind a URL only Parquet is read; name the files by a glob",
        ),
        ("memory://broken", "0.parquet is truncated or not a Parquet file"),
    ],
)
def test_a_url_that_cannot_be_read_is_told(tmp_path, memory, url, said):
    config = rich(tmp_path)
    memory.put(str(tmp_path), "/csv", recursive=True)
    memory.pipe("/csv/log/events.csv", b"user_id\n")
    memory.put(str(tmp_path), "/broken", recursive=True)
    memory.pipe("/broken/log/0.parquet", b"PAR1 and no more")
    with pytest.raises(DataError, match=said):
        read_tables(behind(url, config))
