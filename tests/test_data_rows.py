"""Rows that are wrong in a known way: refused, kept or dropped as the policy says, and always counted."""

import io
import random
import shutil
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import utc
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from written_tables import EVENTS, LEADS, read, refused

from leadscore.identity.content import data_hash

WHEN = "2024-03-05T10:00Z"
HEADER = "user_id,timestamp,event_type"


def events_of(*rows: str, header: str = HEADER) -> str:
    return "\n".join([header, *rows, ""])


def test_missing_ids_are_refused_or_dropped(tmp_path: Path) -> None:
    leads = f"{LEADS} ,{WHEN}\n"
    events = events_of(f"a,{WHEN},login", f",{WHEN},login")

    message = refused(tmp_path, leads, events)
    assert "leads.csv: 1 lead without user_id (row 4); data.policy.null_ids decides" in message
    assert "events.csv: 1 event without user_id (row 3); data.policy.null_ids decides" in message
    counts = read(tmp_path, leads, events, policy={"null_ids": "drop"}).counts
    assert counts["leads without user_id dropped"] == 1
    assert counts["events without user_id dropped"] == 1


def test_a_lead_has_one_row(tmp_path: Path) -> None:
    twice = f"{LEADS}a,2024-03-01T10:00+01:00\n"  # the same instant, so the same row
    differs = f"{LEADS}a,2024-03-01T11:00Z\n"

    assert "1 lead repeated exactly (row 4, user_id 'a'); data.policy.duplicate_leads decides" in refused(
        tmp_path, twice
    )
    tables = read(tmp_path, twice, policy={"duplicate_leads": "drop_exact"})
    assert tables.leads["user_id"].tolist() == ["a", "b"]
    assert tables.counts["leads repeated exactly dropped"] == 1
    for policy in ("error", "drop_exact"):
        message = refused(tmp_path, differs, policy={"duplicate_leads": policy})
        assert "1 user_id in several rows that differ elsewhere ('a'; rows 2, 4); no policy chooses" in message


def test_with_as_of_a_lead_may_have_several_rows_but_one_label_each(tmp_path: Path) -> None:
    leads = "user_id,as_of,label\na,2024-03-01T09:00Z,0\na,2024-04-01T09:00Z,1\n"

    columns = {"as_of": "as_of", "label": "label"}
    tables = read(tmp_path, leads, leads_columns=columns)
    assert tables.leads["created_at"].equals(tables.leads["as_of"])
    assert any("no created_at" in note for note in tables.notes)
    message = refused(tmp_path, f"{leads}a,2024-04-01T09:00Z,0\n", leads_columns=columns)
    assert "1 user_id and as_of in several rows that differ" in message


def test_repeated_events_are_kept_dropped_or_refused(tmp_path: Path) -> None:
    events = events_of(f"a,{WHEN},login", f"a,{WHEN},login", f"a,{WHEN},logout")

    assert read(tmp_path, LEADS, events).counts["events repeated exactly kept"] == 1
    dropped = read(tmp_path, LEADS, events, policy={"duplicate_events": "drop_exact"})
    assert dropped.counts["events repeated exactly dropped"] == 1
    assert dropped.events["event_type"].tolist() == ["login", "logout"]
    assert "data.policy.duplicate_events decides" in refused(
        tmp_path, LEADS, events, policy={"duplicate_events": "error"}
    )


def test_an_event_id_names_one_event(tmp_path: Path) -> None:
    header = f"{HEADER},event_id"
    same = events_of(f"a,{WHEN},login,1", f"a,{WHEN},login,1", f"a,{WHEN},login,2", header=header)
    differs = events_of(f"a,{WHEN},login,1", f"b,{WHEN},login,1", header=header)

    assert read(tmp_path, LEADS, same).counts["events repeated exactly dropped"] == 1
    for policy in ("keep", "drop_exact", "error"):
        message = refused(tmp_path, LEADS, differs, policy={"duplicate_events": policy})
        assert "1 event_id in several rows that differ elsewhere ('1'; rows 2, 3)" in message


def test_orphan_early_and_late_events_follow_the_policy(tmp_path: Path) -> None:
    events = events_of(f"a,{WHEN},login", f"x,{WHEN},login", "a,2024-03-01T08:59:59Z,ad", "a,2024-03-09T00:00Z,login")
    end = {"data_end": "2024-03-09T00:00:00Z"}

    tables = read(tmp_path, LEADS, events, **end)
    assert tables.counts == {
        "leads read": 2,
        "events read": 4,
        "leads": 2,
        "events at or after data_end dropped": 1,
        "events of unknown leads dropped": 1,
        "events before their lead was created kept": 1,
        "events": 2,
    }
    policy = {"orphan_events": "error", "early_events": "error", "late_events": "error"}
    message = refused(tmp_path, LEADS, events, policy=policy, **end)
    assert "1 event of unknown leads (row 3, user_id 'x'); data.policy.orphan_events decides" in message
    assert "1 event before their lead was created (row 4, user_id 'a'); data.policy.early_events decides" in message
    assert "1 event at or after data_end (row 5, user_id 'a'); data.policy.late_events decides" in message
    assert (
        "events before their lead was created dropped"
        in read(tmp_path, LEADS, events, policy={"early_events": "drop"}).counts
    )


def test_an_event_at_the_instant_of_creation_is_not_early(tmp_path: Path) -> None:
    tables = read(tmp_path, LEADS, events_of("a,2024-03-01T09:00Z,signup"), policy={"early_events": "error"})

    assert len(tables.events) == 1


def test_data_end_is_just_after_the_latest_time_unless_stated(tmp_path: Path) -> None:
    derived = read(tmp_path, LEADS, EVENTS)
    assert derived.data_end == pd.Timestamp("2024-03-06T10:00:00.000001Z")
    assert any(note.startswith("data.data_end is not stated") for note in derived.notes)

    stated = read(tmp_path, LEADS, EVENTS, data_end="2024-03-31")
    assert stated.data_end == pd.Timestamp("2024-03-31", tz="UTC")
    assert any("24 days after the latest time in the tables" in note for note in stated.notes)
    assert "data.data_end 2999-01-01 is in the future" in refused(tmp_path, LEADS, EVENTS, data_end="2999-01-01")


def test_rows_that_do_not_stay_never_move_data_end(tmp_path: Path) -> None:
    leads = f"{LEADS},2024-12-01T09:00Z\n"
    header = f"{HEADER},event_id"
    events = events_of(
        f"a,{WHEN},login,1",
        "b,2024-03-06T10:00Z,login,2",
        "x,2024-12-02T00:00Z,login,3",
        ",2024-12-03T00:00Z,login,4",
        "a,2024-12-04T00:00Z,login,",
        header=header,
    )

    tables = read(tmp_path, leads, events, policy={"null_ids": "drop"})

    assert tables.data_end == pd.Timestamp("2024-03-06T10:00:00.000001Z")
    assert len(tables.events) == 2
    stated = read(tmp_path, leads, events, policy={"null_ids": "drop"}, data_end="2024-03-31")
    assert any("24 days after the latest time in the tables" in note for note in stated.notes)
    nobody = refused(tmp_path, f"user_id,created_at\n,{WHEN}\n", events, policy={"null_ids": "drop"})
    assert nobody == "leads.csv: none of its 1 lead has a user_id"


def test_tables_that_end_far_apart_are_said_with_both_ends(tmp_path: Path) -> None:
    leads = "user_id,created_at,converted_at\na,2024-07-01T00:00Z,2024-07-19T00:00Z\n"
    late, near = events_of("a,2024-09-30T00:00Z,login"), events_of("a,2024-07-26T00:00Z,login")

    tables = read(tmp_path, leads, late)
    assert tables.data_end == pd.Timestamp("2024-09-30T00:00:00.000001Z")
    assert any(
        "The tables end 73 days apart (leads (leads.csv) at 2024-07-19 00:00:00Z, events (events.csv) at 2024-09-30"
        in note
        for note in tables.notes
    )
    assert not any("days apart" in note for note in read(tmp_path, leads, late, data_end="2024-07-19").notes)
    assert not any("days apart" in note for note in read(tmp_path, leads, near).notes)
    stranger = read(tmp_path, leads, events_of("x,2024-09-30T00:00Z,login"))
    assert stranger.data_end == pd.Timestamp("2024-07-19T00:00:00.000001Z")  # an unknown lead's event does not count


def test_events_of_no_lead_at_all_are_refused_with_both_spellings_of_ids(tmp_path: Path) -> None:
    strangers = events_of(*(f"A{n},{WHEN},login" for n in range(12)))
    message = refused(tmp_path, LEADS, strangers)
    assert (
        "12 of 12 events belong to no lead of the lead table (ids such as 'A0', 'A1', ...; the leads' are such as 'a'"
        in message
    )
    mixed = events_of(*(f"{'A' if n % 2 else 'a'},{WHEN},login" for n in range(12)))
    assert any("6 of 12 events belong to no lead" in note for note in read(tmp_path, LEADS, mixed).notes)


def test_a_column_that_happens_to_be_called_as_of_changes_nothing(tmp_path: Path) -> None:
    leads = "user_id,created_at,as_of,label\na,2024-03-01T09:00Z,2024-04-01T09:00Z,1\n"
    tables = read(tmp_path, leads)
    assert {"as_of", "label"}.isdisjoint(tables.leads)
    assert any("not used: as_of, label" in note for note in tables.notes)


def test_the_outcome_does_not_become_a_feature_under_another_name(tmp_path: Path) -> None:
    leads = "user_id,created_at,state\na,2024-03-01T09:00Z,paid\n"
    message = refused(
        tmp_path, leads, leads_columns={"status": "state", "mood": "state"}, known_at_creation={"mood": "category"}
    )
    assert "lists 'mood', the file's column 'state', leadscore's own status and never a feature" in message


@pytest.mark.parametrize("pattern", ["mixed", "ISO8601", "%d.%m.%Y %H:%M %Z"])
def test_a_time_format_that_guesses_is_refused(tmp_path: Path, pattern: str) -> None:
    assert "is not a strptime pattern such as" in refused(tmp_path, LEADS, leads_time_format=pattern)


def test_an_event_without_its_arrival_is_refused_or_known_when_it_happened(tmp_path: Path) -> None:
    events = events_of(
        f"a,{WHEN},login,2024-03-06T00:00Z", f"b,{WHEN},login,", f"x,{WHEN},login,", header=f"{HEADER},ingested_at"
    )

    assert refused(tmp_path, LEADS, events) == (
        "events.csv: 1 event without ingested_at (row 3, user_id 'b'); data.policy.missing_ingested_at decides"
    )
    tables = read(tmp_path, LEADS, events, policy={"missing_ingested_at": "timestamp"})
    assert tables.events["ingested_at"].equals(utc("2024-03-06T00:00Z", WHEN))
    assert tables.counts["events without ingested_at kept"] == 1


def test_nothing_from_data_end_on_is_known(tmp_path: Path) -> None:
    leads = (
        "user_id,created_at,status,converted_at,closed_at\n"
        "a,2024-03-01T00:00Z,paid,2024-03-20T00:00Z,\n"
        "b,2024-03-02T00:00Z,paid,2024-03-09T00:00Z,\n"
        "c,2024-03-03T00:00Z,lost,,2024-03-10T00:00Z\n"
        "d,2024-03-10T00:00Z,paid,2024-03-11T00:00Z,\n"
    )
    events = events_of(f"a,{WHEN},login", f"d,{WHEN},visit")

    tables = read(tmp_path, leads, events, data_end="2024-03-10", policy={"orphan_events": "error"})

    assert tables.leads["user_id"].tolist() == ["a", "b", "c"]
    assert tables.leads["converted_at"].equals(utc(None, "2024-03-09T00:00Z", None))
    assert tables.leads["closed_at"].isna().all()
    assert tables.leads["status"].tolist() == ["paid", "paid", "lost"]
    assert tables.events["user_id"].tolist() == ["a"]
    assert tables.counts["leads created at or after data_end dropped"] == 1
    assert tables.counts["conversions at or after data_end, not yet known"] == 1
    assert tables.counts["closings at or after data_end, not yet known"] == 1
    assert tables.counts["events of leads created at or after data_end dropped"] == 1


def test_event_types_are_renamed_and_other_columns_kept_as_text(tmp_path: Path) -> None:
    events = events_of(f"a,{WHEN},LOGIN,007", f"a,{WHEN},buy,", header=f"{HEADER},device")
    names = {"LOGIN": "login", "LOGON": "login"}

    tables = read(tmp_path, LEADS, events, events_columns={"device": "device"}, event_types=names)

    assert tables.events["event_type"].tolist() == ["buy", "login"]
    assert tables.events["device"].fillna("-").tolist() == ["-", "007"]
    assert any("data.event_types names LOGON, which no event has" in note for note in tables.notes)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    minutes=st.lists(st.tuples(st.sampled_from("abx"), st.integers(0, 59)), min_size=1, unique=True),
    seed=st.integers(0, 99),
)
def test_the_order_of_the_rows_never_matters(tmp_path: Path, minutes: list[tuple[str, int]], seed: int) -> None:
    rows = [f"{user},2024-03-05T10:{minute:02}Z,login" for user, minute in minutes]
    shuffled = random.Random(seed).sample(rows, len(rows))

    one, other = read(tmp_path, LEADS, events_of(*rows)), read(tmp_path, LEADS, events_of(*shuffled))

    pd.testing.assert_frame_equal(one.events, other.events)
    assert one.counts == other.counts
    assert one.data_end == other.data_end


TIED = (
    f"b,{WHEN},y,,2.5,z",
    f"a,{WHEN},y,,2.5,z",
    f"a,{WHEN},y,,10,a",
    f"a,{WHEN},x,{WHEN},10,b",
    f"a,{WHEN},x,2024-03-06T00:00Z,,a",
    f"a,{WHEN},x,{WHEN},9,b",
    f"a,{WHEN},x,{WHEN},9,a",
    f"a,{WHEN},x,{WHEN},9,a",
    f"a,{WHEN},x,{WHEN},,",
    "a,2024-03-05T09:59Z,z,,,",
)


def write_parquet(text: str, path: Path) -> None:
    frame = pd.read_csv(io.StringIO(text), dtype="str")
    columns = {name: pa.array(frame[name], pa.string()) for name in frame}
    columns |= {name: pa.array(utc(*frame[name])) for name in ("timestamp", "ingested_at")}
    columns["amount"] = columns["amount"].cast(pa.decimal128(10, 2))
    pq.write_table(pa.table(columns), path)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.permutations(TIED), cut=st.integers(1, len(TIED) - 1), parquet=st.booleans())
def test_events_of_one_instant_are_ordered_by_content(tmp_path: Path, rows: list[str], cut: int, parquet: bool) -> None:
    header = f"{HEADER},ingested_at,amount,device"
    parts = tmp_path / "parts"
    shutil.rmtree(parts, ignore_errors=True)
    parts.mkdir()
    for number, piece in enumerate((rows[:cut], rows[cut:])):
        text = events_of(*piece, header=header)
        if parquet:
            write_parquet(text, parts / f"{number}.parquet")
        else:
            (parts / f"{number}.csv").write_text(text)
    config = {"events_columns": {"device": "device"}, "policy": {"missing_ingested_at": "timestamp"}}

    tables = read(tmp_path, LEADS, Path("parts"), **config)

    events = tables.events
    assert events["event_type"].tolist() == ["z", *"xxxxxx", "y", "y", "y"]
    assert events["amount"].fillna(-1).tolist() == [-1, -1, -1, 9, 9, 9, 10, 2.5, 10, 2.5]
    assert events["device"].fillna("-").tolist() == ["-", "-", *"aaabbzaz"]
    one_file = read(tmp_path, LEADS, events_of(*TIED, header=header), **config)
    pd.testing.assert_frame_equal(events, one_file.events)
    assert data_hash(tables) == data_hash(one_file)


@pytest.mark.parametrize("policy", ["keep", "drop_exact"])
def test_rows_in_are_rows_out_and_rows_dropped(tmp_path: Path, policy: str) -> None:
    events = events_of(f"a,{WHEN},x", f"a,{WHEN},x", f",{WHEN},x", f"z,{WHEN},x", "b,2025-01-01T00:00Z,x")

    tables = read(
        tmp_path, LEADS, events, data_end="2024-06-01", policy={"duplicate_events": policy, "null_ids": "drop"}
    )

    dropped = sum(n for what, n in tables.counts.items() if what.startswith("events") and what.endswith("dropped"))
    assert tables.counts["events read"] == tables.counts["events"] + dropped == 5
    assert tables.counts["events"] == len(tables.events)
