"""Times: to one instant in UTC, or refused with the key that decides."""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import utc
from written_tables import EVENTS, LEADS, config_of, read, refused

from leadscore.config.schema import RowOrderConfig
from leadscore.data import load_events
from leadscore.errors import DataError

NEW_YORK = {"timezone": "America/New_York"}


def leads_at(*times: str) -> str:
    """A lead table with these creation times."""
    return "user_id,created_at\n" + "".join(f"{number},{time}\n" for number, time in enumerate(times))


def created(folder: Path, *times: str, **settings: Any) -> list[str]:
    found = read(folder, leads_at(*times), **settings).leads["created_at"]
    return [time.isoformat().replace("+00:00", "Z") for time in found]


def from_parquet(folder: Path, array: pa.Array) -> Path:
    ids = pa.array([f"{number}" for number in range(len(array))])
    pq.write_table(pa.table({"user_id": ids, "created_at": array}), folder / "leads.parquet")
    return Path("leads.parquet")


def test_mixed_offsets_are_the_instants_they_name_also_across_a_clock_change(tmp_path: Path) -> None:
    times = (
        "2011-10-30T02:30:00.5+02:00",
        "2011-10-30T02:30:00.5+01:00",
        "2011-10-30 02:30Z",
        "2011-10-30T02:30:00+0530",
    )

    assert created(tmp_path, *times) == [
        "2011-10-30T00:30:00.500000Z",
        "2011-10-30T01:30:00.500000Z",
        "2011-10-30T02:30:00Z",
        "2011-10-29T21:00:00Z",
    ]


def test_times_without_a_zone_need_one(tmp_path: Path) -> None:
    assert created(tmp_path, "2024-03-10 09:00", "2024-01-10", **NEW_YORK) == [
        "2024-03-10T13:00:00Z",
        "2024-01-10T05:00:00Z",
    ]
    assert refused(tmp_path, leads_at("2024-03-10 09:00", "2024-03-11 09:00", "2024-03-12")) == (
        "leads.csv, column 'created_at': 3 times without a zone (rows 2, 3, 4, e.g. '2024-03-10 09:00'); "
        "state data.timezone or write offsets"
    )


def test_zoned_and_naive_times_in_one_column_are_refused_with_both(tmp_path: Path) -> None:
    message = refused(tmp_path, leads_at("2024-03-10T09:00Z", "2024-03-10 09:00"), **NEW_YORK)

    assert (
        "1 times have a zone (row 2, e.g. '2024-03-10T09:00Z') and 1 have none (row 3, e.g. '2024-03-10 09:00')"
        in message
    )


def test_skipped_and_repeated_clock_times_follow_the_policy(tmp_path: Path) -> None:
    skipped, repeated = "2024-03-10 02:30", "2024-11-03 01:30"

    message = refused(tmp_path, leads_at(skipped, repeated), **NEW_YORK)
    assert f"1 time that a clock change of America/New_York skips (row 2, e.g. '{skipped}')" in message
    assert "data.policy.nonexistent_times" in message
    assert f"1 time that a clock change of America/New_York passes twice (row 3, e.g. '{repeated}')" in message
    assert "data.policy.ambiguous_times" in message

    policy = {"nonexistent_times": "shift_forward", "ambiguous_times": "earlier"}
    times = (skipped, repeated)
    assert created(tmp_path, *times, policy=policy, **NEW_YORK) == ["2024-03-10T07:00:00Z", "2024-11-03T05:30:00Z"]
    policy["ambiguous_times"] = "later"
    assert created(tmp_path, *times, policy=policy, **NEW_YORK) == ["2024-03-10T07:00:00Z", "2024-11-03T06:30:00Z"]


def test_bare_numbers_are_refused_with_a_guess_and_read_with_a_unit(tmp_path: Path) -> None:
    for number, unit in (
        ("1710061200", "s"),
        ("1710061200000", "ms"),
        ("1710061200000000", "us"),
        ("1710061200000000000", "ns"),
    ):
        message = refused(tmp_path, leads_at(number))
        assert f"1 number without a unit (row 2, e.g. '{number}')" in message
        assert "2024-03-10 09:00:00Z" in message
        assert f"state data.leads.time_format: epoch_{unit}" in message
        assert created(tmp_path, number, leads_time_format=f"epoch_{unit}") == ["2024-03-10T09:00:00Z"]
    assert created(tmp_path, "1710061200.25", leads_time_format="epoch_s") == ["2024-03-10T09:00:00.250000Z"]
    assert "1 value not a number" in refused(tmp_path, leads_at("soon"), leads_time_format="epoch_s")


def test_a_number_in_the_wrong_unit_lands_far_away_and_the_unit_is_named(tmp_path: Path) -> None:
    seconds_as_ns = refused(tmp_path, leads_at("1710061200"), leads_time_format="epoch_ns")
    assert "1 time before data.earliest 2000-01-01 (row 2, e.g. '1710061200')" in seconds_as_ns
    assert "epoch seconds read as nanoseconds? As seconds the first is 2024-03-10 09:00:00Z" in seconds_as_ns

    ms_as_seconds = refused(tmp_path, leads_at("1710061200000"), leads_time_format="epoch_s")
    assert "more than a day after now" in ms_as_seconds
    assert "epoch milliseconds read as seconds?" in ms_as_seconds

    written = refused(tmp_path, leads_at("1970-01-01T00:00:01.710061Z"))
    assert "epoch seconds read as nanoseconds?" in written

    typed = from_parquet(tmp_path, pa.array([1710061200], pa.timestamp("ns", tz="UTC")))
    assert "epoch seconds read as nanoseconds?" in refused(tmp_path, typed)
    typed = from_parquet(tmp_path, pa.array([1710061200 * 10**9], pa.timestamp("ms", tz="UTC")))
    assert "epoch nanoseconds read as milliseconds?" in refused(tmp_path, typed)


@pytest.mark.parametrize(
    "time", ["1970-01-02T00:00Z", "1999-12-31T23:59Z", "2262-01-01T00:00Z", "9999-12-31T00:00:00.1234567Z"]
)
def test_times_outside_the_plausible_range_are_refused(tmp_path: Path, time: str) -> None:
    message = refused(tmp_path, leads_at(time))
    assert ("before data.earliest 2000-01-01" if time < "2000" else "more than a day after now") in message
    assert f"'{time}'" in message


def test_a_clock_that_is_minutes_ahead_is_fine_and_one_that_is_days_ahead_is_not(tmp_path: Path) -> None:
    now = datetime.now(UTC)

    assert len(created(tmp_path, (now + timedelta(minutes=5)).isoformat())) == 1
    assert "more than a day after now" in refused(tmp_path, leads_at((now + timedelta(days=2)).isoformat()))
    assert created(tmp_path, "1985-01-01T00:00Z", earliest="1980-01-01") == ["1985-01-01T00:00:00Z"]


def test_a_stated_text_for_missing_is_missing(tmp_path: Path) -> None:
    leads = "user_id,created_at,closed_at\na,2024-03-01T00:00Z,9999-12-31T00:00Z\n"

    assert "more than a day after now" in refused(tmp_path, leads)
    tables = read(tmp_path, leads, leads_null_values={"closed_at": ["9999-12-31T00:00Z"]})
    assert tables.leads["closed_at"].isna().all()


def test_day_and_month_are_never_guessed(tmp_path: Path) -> None:
    times = ("01/02/2024 09:00", "13/02/2024 09:00")

    message = refused(tmp_path, leads_at(*times), **NEW_YORK)
    assert (
        "1 time whose day and month could be either (row 2, e.g. '01/02/2024 09:00'); "
        "state data.leads.time_format, such as '%d/%m/%Y' or '%m/%d/%Y'"
    ) in message

    pattern = "%d/%m/%Y %H:%M"
    assert created(tmp_path, *times, leads_time_format=pattern, **NEW_YORK)[0] == "2024-02-01T14:00:00Z"
    assert "without a zone" in refused(tmp_path, leads_at(*times), leads_time_format=pattern)
    american = refused(tmp_path, leads_at(*times), leads_time_format="%m/%d/%Y %H:%M", **NEW_YORK)
    assert (
        "1 time not written as data.leads.time_format '%m/%d/%Y %H:%M' says (row 3, e.g. '13/02/2024 09:00')"
        in american
    )
    assert created(tmp_path, "01/02/2024 09:00 +0100", leads_time_format=f"{pattern} %z") == ["2024-02-01T08:00:00Z"]
    assert "is not a strptime pattern" in refused(tmp_path, leads_at(*times), leads_time_format="%Q")


@pytest.mark.parametrize(
    ("time", "said"),
    [
        (
            "20/09/2023",
            "written day first (row 2, e.g. '20/09/2023'); state data.leads.time_format, such as '%d/%m/%Y'",
        ),
        (
            "9.20.2023",
            "written month first (row 2, e.g. '9.20.2023'); state data.leads.time_format, such as '%m/%d/%Y'",
        ),
        ("09-10-2023", "whose day and month could be either (row 2, e.g. '09-10-2023')"),
        ("20/09/23", "whose day and month could be either (row 2, e.g. '20/09/23')"),  # or the year 2020
    ],
)
def test_a_day_above_twelve_tells_which_comes_first(tmp_path: Path, time: str, said: str) -> None:
    message = refused(tmp_path, leads_at(time))

    assert f"1 time {said}" in message
    assert ("or '%m/%d/%Y'" in message) is ("either" in said)


@pytest.mark.parametrize(
    ("time", "said"),
    [
        ("2016-12-31T23:59:60Z", "1 time in a leap second"),
        ("2023-02-29T00:00Z", "1 time that no calendar has"),
        ("2024-03-10T24:00Z", "1 time that no calendar has"),
        ("yesterday", "1 value not in ISO 8601"),
        ("2024-03-10T09:00 CET", "1 value not in ISO 8601"),
        ("20240310", "1 number without a unit"),
    ],
)
def test_what_is_no_instant_is_refused(tmp_path: Path, time: str, said: str) -> None:
    message = refused(tmp_path, leads_at("2024-02-29T00:00Z", time))

    assert message.startswith(f"leads.csv, column 'created_at': {said}")
    assert f"(row 3, e.g. '{time}')" in message


def test_a_required_time_may_not_be_missing(tmp_path: Path) -> None:
    message = refused(tmp_path, leads_at("2024-02-29T00:00Z", ""))

    assert "column 'created_at': 1 value missing (row 3); every lead has its created_at" in message


def test_parquet_types_reach_the_same_instants(tmp_path: Path) -> None:
    instant = datetime(2024, 3, 10, 9, tzinfo=UTC)
    naive = instant.replace(tzinfo=None)
    for unit in ("s", "ms", "us", "ns"):
        for zone in ("UTC", "Asia/Kathmandu"):
            path = from_parquet(tmp_path, pa.array([instant], pa.timestamp(unit, tz=zone)))
            assert read(tmp_path, path).leads["created_at"].equals(utc("2024-03-10T09:00Z"))
        path = from_parquet(tmp_path, pa.array([naive], pa.timestamp(unit)))
        assert "1 time without a zone" in refused(tmp_path, path)
        assert read(tmp_path, path, timezone="Asia/Kathmandu").leads["created_at"].equals(utc("2024-03-10T03:15Z"))
    path = from_parquet(tmp_path, pa.array([naive.date()]))
    assert read(tmp_path, path, **NEW_YORK).leads["created_at"].equals(utc("2024-03-10T05:00Z"))
    path = from_parquet(tmp_path, pa.array([1710061200]))
    assert "state data.leads.time_format: epoch_s" in refused(tmp_path, path)
    assert read(tmp_path, path, leads_time_format="epoch_s").leads["created_at"].equals(utc("2024-03-10T09:00Z"))
    path = from_parquet(tmp_path, pa.array([1710061200.5]))
    assert "holds double, which is no time" in refused(tmp_path, path)


def test_what_is_finer_than_a_microsecond_is_cut_and_counted(tmp_path: Path) -> None:
    path = from_parquet(tmp_path, pa.array([1710061200000001999, 1710061200000002000], pa.timestamp("ns", tz="UTC")))
    for leads in (path, leads_at("2024-03-10T09:00:00.000001999Z", "2024-03-10T09:00:00.000002000Z")):
        tables = read(tmp_path, leads)
        assert tables.leads["created_at"].equals(utc("2024-03-10T09:00:00.000001Z", "2024-03-10T09:00:00.000002Z"))
        assert tables.counts["leads times cut to whole microseconds"] == 1


def test_the_zone_of_the_machine_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    times = ("2024-03-10 09:00", "2024-07-10 09:00")
    seen = []
    for zone in ("America/New_York", "Asia/Kolkata", "Asia/Kathmandu"):
        with monkeypatch.context() as patch:
            patch.setenv("TZ", zone)
            time.tzset()
            seen.append(created(tmp_path, *times, timezone="Europe/Berlin"))
    time.tzset()

    assert seen == [["2024-03-10T08:00:00Z", "2024-07-10T07:00:00Z"]] * 3


# --- row order, load_events ---------------------------------------------------------------------------


def test_the_rows_order_can_stand_for_times_and_their_number_for_ids(tmp_path: Path) -> None:
    columns = {"user_id": "row_number", "created_at": "row_order", "as_of": "row_order", "status": "y"}
    order = RowOrderConfig(start="2008-05-01", step="12h")
    tables = read(tmp_path, "y\nno\nyes\nno\n", leads_columns=columns, row_order=order)

    expected = utc("2008-05-01T00:00Z", "2008-05-01T12:00Z", "2008-05-02T00:00Z")
    assert tables.leads["user_id"].tolist() == ["1", "2", "3"]
    assert tables.leads["created_at"].equals(expected)
    assert tables.leads["as_of"].equals(expected)
    assert any("an order, not dates" in note for note in tables.notes)


def test_a_table_may_give_nothing_but_its_number_of_rows(tmp_path: Path) -> None:
    columns = {"user_id": "row_number", "created_at": "row_order"}
    order = RowOrderConfig(start="2008-05-01", step="1d")

    assert len(read(tmp_path, "y,z\n1,2\n3,4\n", leads_columns=columns, row_order=order).leads) == 2


def test_words_for_the_rows_position_are_refused_where_they_mean_nothing(tmp_path: Path) -> None:
    message = refused(tmp_path, LEADS, leads_columns={"status": "row_order", "created_at": "row_number"})
    assert "status: row_order stands for a time only" in message
    assert "created_at: row_number stands for user_id only" in message
    assert "row_number is for the lead table only" in refused(
        tmp_path, LEADS, EVENTS, events_columns={"user_id": "row_number"}
    )
    named = refused(tmp_path, "row_number,created_at\n7,2024-03-01T09:00Z\n", leads_columns={"user_id": "row_number"})
    assert "has a column 'row_number'" in named


def test_load_events_is_half_open(tmp_path: Path) -> None:
    config = config_of(tmp_path, LEADS, EVENTS)
    first, second = "2024-03-05T10:00Z", "2024-03-06T10:00Z"

    assert len(load_events(config)) == 2
    assert load_events(config, first, second)["timestamp"].equals(utc(first))
    assert load_events(config, start=datetime(2024, 3, 6, tzinfo=UTC))["timestamp"].equals(utc(second))
    assert load_events(config, end=pd.Timestamp(first)).empty


def test_load_events_wants_zones_and_events(tmp_path: Path) -> None:
    config = config_of(tmp_path, LEADS, EVENTS)

    for naive in (datetime(2024, 3, 6), "2024-03-06T09:00"):  # noqa: DTZ001
        with pytest.raises(DataError, match="has no zone"):
            load_events(config, start=naive)
    with pytest.raises(DataError, match="give a datetime with a zone"):
        load_events(config, end=3)  # type: ignore[arg-type]
    with pytest.raises(DataError, match=r"data\.events is not set"):
        load_events(config_of(tmp_path, LEADS))
