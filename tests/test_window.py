"""Who is observed when, and what came of it."""

import pandas as pd
import pytest
from conftest import lead_table, tables, utc

from leadscore.config.schema import DelayWindow, GivenWindow, SnapshotsWindow
from leadscore.errors import WindowError
from leadscore.window import observe

STATUSES = {"trial": "open", "paid": "converted", "lost": "closed"}


def labels(observations) -> dict[str, int]:
    return dict(zip(observations.frame["user_id"], observations.frame["label"], strict=True))


def excluded(observations) -> dict[str, int]:
    return {
        reason: n for reason, n in observations.counts.items() if n and reason not in ("candidates", "observations")
    }


def test_the_outcome_window_includes_its_start_and_excludes_its_end():
    # as_of is 8 March; the window is [8 March, 7 April).
    leads = lead_table(
        {"at_start": "2024-03-01", "last_instant": "2024-03-01", "at_end": "2024-03-01"},
        converted_at=["2024-03-08", "2024-04-06T23:59:59.999999Z", "2024-04-07"],
    )
    seen = observe(tables(leads), DelayWindow(delay="7d", horizon="30d"), {}, {})
    assert labels(seen) == {"at_start": 1, "last_instant": 1, "at_end": 0}


def test_leads_no_longer_at_risk_are_excluded_and_counted_by_reason():
    leads = lead_table(
        {"open": "2024-03-01", "converted": "2024-03-01", "closed": "2024-03-01", "both": "2024-03-01"},
        converted_at=[None, "2024-03-02", None, "2024-03-03"],
        closed_at=[None, None, "2024-03-05", "2024-03-04"],
    )
    seen = observe(tables(leads), DelayWindow(delay="7d", horizon="30d"), {}, {})
    assert labels(seen) == {"open": 0}
    assert excluded(seen) == {"converted before as_of": 2, "closed before as_of": 1}
    assert sum(excluded(seen).values()) + seen.counts["observations"] == seen.counts["candidates"] == 4


def test_a_lead_converted_or_closed_at_the_very_as_of_is_still_observed():
    leads = lead_table(
        {"converted": "2024-03-01", "closed": "2024-03-01", "closed_before": "2024-03-01"},
        converted_at=["2024-03-08", None, None],
        closed_at=[None, "2024-03-08", "2024-03-07T23:59:59.999999Z"],
    )
    seen = observe(tables(leads), DelayWindow(delay="7d", horizon="30d"), {}, {})
    assert labels(seen) == {"converted": 1, "closed": 0}
    assert excluded(seen) == {"closed before as_of": 1}


def test_a_delay_observes_a_lead_once_so_its_id_may_not_repeat():
    leads = pd.concat([lead_table({"a": "2024-03-01"}, converted_at=[None])] * 2, ignore_index=True)
    with pytest.raises(WindowError, match="user_id repeats in the lead table: choose window=given"):
        observe(tables(leads), DelayWindow(delay="7d", horizon="30d"), {}, {})


def test_an_immature_lead_is_excluded_never_labelled_0():
    # as_of 8 March, horizon 30 days: known on 7 April, not a microsecond earlier.
    leads = lead_table({"a": "2024-03-01"}, converted_at=[None])
    window = DelayWindow(delay="7d", horizon="30d")
    assert labels(observe(tables(leads, end="2024-04-07"), window, {}, {})) == {"a": 0}
    with pytest.raises(WindowError, match=r"no observation is left: 0 of 1; left out: 1 immature"):
        observe(tables(leads, end="2024-04-06T23:59:59.999999"), window, {}, {})


def test_window_borders_are_half_open_in_as_of():
    leads = lead_table({"a": "2024-03-01", "b": "2024-03-02", "c": "2024-03-03"}, converted_at=[None, None, None])
    window = DelayWindow(delay="7d", horizon="30d", start="2024-03-09T00:00:00Z", end="2024-03-10T00:00:00Z")
    seen = observe(tables(leads), window, {}, {})
    assert list(labels(seen)) == ["b"]
    assert excluded(seen) == {"before window.start": 1, "at or after window.end": 1}


def test_snapshots_see_each_lead_at_risk_and_younger_than_max_age():
    leads = lead_table({"early": "2024-03-01", "late": "2024-03-10"}, converted_at=["2024-03-16", None])
    window = SnapshotsWindow(every="7d", max_age="15d", horizon="7d")
    seen = observe(tables(leads, end="2024-04-01"), window, {}, {})
    pairs = [
        (user, f"{as_of:%m-%d}", label) for user, as_of, label in seen.frame[["user_id", "as_of", "label"]].to_numpy()
    ]
    assert pairs == [
        ("early", "03-01", 0),
        ("early", "03-08", 0),
        ("early", "03-15", 1),
        ("late", "03-15", 0),
        ("late", "03-22", 0),
    ]


def snapshot_days(observations) -> list[str]:
    return [f"{as_of:%m-%d %H:%M}" for as_of in observations.frame["as_of"]]


def test_a_lead_as_old_as_max_age_is_no_longer_observed():
    leads = lead_table({"a": "2024-03-01"}, converted_at=[None])
    window = SnapshotsWindow(every="7d", max_age="14d", horizon="7d")
    assert snapshot_days(observe(tables(leads), window, {}, {})) == ["03-01 00:00", "03-08 00:00"]


def test_snapshots_are_taken_at_midnight_whenever_the_first_lead_came():
    leads = lead_table({"a": "2024-03-01T09:30Z"}, converted_at=[None])
    window = SnapshotsWindow(every="7d", max_age="15d", horizon="7d")
    assert snapshot_days(observe(tables(leads), window, {}, {})) == ["03-08 00:00", "03-15 00:00"]


def test_no_snapshot_is_taken_after_the_windows_end():
    leads = lead_table({"a": "2024-03-01"}, converted_at=[None])
    window = SnapshotsWindow(every="7d", max_age="90d", horizon="7d", end="2024-03-16")
    seen = observe(tables(leads), window, {}, {})
    assert snapshot_days(seen) == ["03-01 00:00", "03-08 00:00", "03-15 00:00"]
    assert seen.counts["candidates"] == 3


def test_given_rows_may_repeat_a_lead_and_carry_the_label():
    leads = pd.DataFrame(
        {
            "user_id": pd.Series(["a", "a", "b"], dtype="str"),
            "created_at": utc("2024-03-01", "2024-03-01", "2024-03-01"),
            "as_of": utc("2024-03-05", "2024-04-05", "2024-03-05"),
            "label": pd.Series(["won", "lost", None], dtype="str"),
        }
    )
    seen = observe(tables(leads), GivenWindow(horizon="0d"), {}, {"won": 1, "lost": 0})
    assert seen.frame[["user_id", "label", "lead_row"]].to_numpy().tolist() == [["a", 1, 0], ["a", 0, 1]]
    assert excluded(seen) == {"undecided (no label yet)": 1}


def test_a_status_without_a_time_is_an_outcome_once_it_is_decided():
    leads = lead_table({"a": "2024-03-01", "b": "2024-03-01", "c": "2024-03-01"}, status=["paid", "lost", "trial"])
    leads["as_of"] = leads["created_at"]
    seen = observe(tables(leads), GivenWindow(horizon="0d"), STATUSES, {})
    assert labels(seen) == {"a": 1, "b": 0}
    assert excluded(seen) == {"undecided (no label yet)": 1}


def test_a_time_of_converting_without_a_horizon_is_refused_not_labelled_0():
    leads = lead_table({"a": "2024-03-01"}, status=["paid"], converted_at=["2024-03-20"])
    leads["as_of"] = leads["created_at"]
    with pytest.raises(WindowError, match=r"window\.horizon 0d with converted_at mapped: .*window\.horizon=30d"):
        observe(tables(leads), GivenWindow(horizon="0d"), STATUSES, {})


def test_a_given_as_of_before_the_leads_creation_is_no_observation():
    leads = lead_table(
        {"early": "2024-03-01", "at_once": "2024-03-01"}, as_of=["2024-02-28", "2024-03-01"], status=["paid", "paid"]
    )
    seen = observe(tables(leads), GivenWindow(horizon="0d"), STATUSES, {})
    assert labels(seen) == {"at_once": 1}
    assert excluded(seen) == {"created after as_of": 1}


def test_a_delay_needs_to_know_when_leads_converted():
    leads = lead_table({"a": "2024-03-01"}, status=["paid"])
    with pytest.raises(WindowError, match=r"needs converted_at.*data.leads.columns"):
        observe(tables(leads), DelayWindow(delay="7d", horizon="30d"), STATUSES, {})


def test_a_given_window_needs_as_of():
    with pytest.raises(WindowError, match="needs the lead table to carry as_of"):
        observe(tables(lead_table({"a": "2024-03-01"})), GivenWindow(horizon="0d"), {}, {})
