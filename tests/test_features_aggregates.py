"""Declared aggregates: the compiled walk against plain numpy and a loop over leads, on random logs."""

import math

import numpy as np
import oracle
import pandas as pd
import pytest
from conftest import event_table, lead_table, tables, utc
from hypothesis import given, settings
from hypothesis import strategies as st

import leadscore.eventlog as eventlog_module
import leadscore.features.compiled as compiled_module
from leadscore.errors import FeatureError
from leadscore.eventlog import EventLog
from leadscore.features import build, make_plan
from leadscore.features.kinds import KINDS
from leadscore.tables import Tables

START = pd.Timestamp("2024-03-01", tz="UTC").as_unit("us")
USERS = ["", "a", "ä", "z z", "007"]  # any text is an id
SPECS = {
    "n": {"aggregate": "count"},
    "n_week": {"aggregate": "count", "event_type": "x", "lookback": "7d"},
    "n_either": {"aggregate": "count", "event_type": ["x", "y"], "where": {"plan": ["p", "q"]}, "lookback": "3d"},
    "n_of_two": {"aggregate": "count", "where": {"amount": ["1"]}},
    "total": {"aggregate": "sum", "column": "amount", "lookback": "5d"},
    "mean": {"aggregate": "mean", "column": "amount", "event_type": "x"},
    "std": {"aggregate": "std", "column": "amount", "lookback": "9d"},
    "least": {"aggregate": "min", "column": "amount", "lookback": "4d"},
    "most": {"aggregate": "max", "column": "amount", "lookback": "4d"},
    "plans": {"aggregate": "distinct", "column": "plan", "lookback": "6d"},
    "amounts": {"aggregate": "distinct", "column": "amount"},
    "types": {"aggregate": "distinct", "column": "event_type"},
    "first_amount": {"aggregate": "first", "column": "amount", "lookback": "8d"},
    "last_plan": {"aggregate": "last", "column": "plan"},
    "first": {"aggregate": "days_since_first", "lookback": "11d"},
    "last": {"aggregate": "days_since_last", "event_type": "y"},
    "active": {"aggregate": "active_days", "lookback": "5d"},
    "gap": {"aggregate": "mean_gap", "event_type": "x", "lookback": "10d"},
    "share": {"aggregate": "share", "of": {"event_type": "y"}, "lookback": "10d"},
    "weekend": {"aggregate": "share", "of": {"when": "weekend"}},
    "nights": {"aggregate": "count", "when": "night", "zone": "Europe/Berlin"},
    "trend": {"aggregate": "trend", "lookback": "7d", "recent": "2d"},
    "spending": {"aggregate": "trend", "column": "amount", "lookback": "7d", "recent": "36h"},
    "each": {
        "aggregate": "ratio",
        "numerator": {"aggregate": "sum", "column": "amount", "lookback": "9d"},
        "denominator": {"aggregate": "count", "event_type": "x"},
    },
}

LOOPED = ("n", "n_week", "total", "mean", "least", "most", "amounts", "first", "last", "active", "gap")

EVENT = st.fixed_dictionaries(
    {
        "user_id": st.sampled_from(USERS),
        # Whole hours beside odd microseconds: ties, and events exactly on the edges of windows.
        "at": st.one_of(
            st.integers(0, 24 * 12).map(lambda hour: hour * 3_600_000_000), st.integers(0, 12 * 86_400_000_000)
        ),
        "event_type": st.sampled_from(["x", "y", "z"]),
        "plan": st.sampled_from(["p", "q", None]),
        "amount": st.sampled_from([1.0, 0.01, 1e9, -3.5, math.nan]),
        "late": st.sampled_from([0, 0, 0, 3_600_000_000, 5 * 86_400_000_000]),
    }
)
ALL = [  # every word and number that a spec names occurs, for a lead that nobody asks about
    {"user_id": "other", "at": 0, "event_type": kind, "plan": plan, "amount": 1.0, "late": 0}
    for kind, plan in (("x", "p"), ("y", "q"), ("z", "p"))
]
ASKED = st.lists(
    st.tuples(st.sampled_from(USERS), st.one_of(st.integers(0, 14).map(lambda d: d * 24), st.integers(0, 24 * 14))),
    min_size=1,
    max_size=12,
    unique=True,
)


def log_of(events, *, late):
    frame = pd.DataFrame([*events, *ALL])
    timestamp = (START + pd.to_timedelta(frame["at"], unit="us")).astype("datetime64[us, UTC]")
    made = pd.DataFrame(
        {
            "user_id": frame["user_id"].astype("str"),
            "timestamp": timestamp,
            "event_type": frame["event_type"].astype("str"),
            "plan": frame["plan"].astype("str"),
            "amount": frame["amount"],
        }
    )
    if late:
        arrival = timestamp + pd.to_timedelta(frame["late"], unit="us")
        made["ingested_at"] = arrival.astype("datetime64[us, UTC]")
    return made


def observations_of(asked):
    rows = [
        (user, START + pd.Timedelta(hours=hour), USERS.index(user)) for user, hour in sorted(asked, key=lambda a: a[1])
    ]
    frame = pd.DataFrame(rows, columns=["user_id", "as_of", "lead_row"]).astype({"user_id": "str"})
    return frame.assign(as_of=frame["as_of"].astype("datetime64[us, UTC]"))


def leads():
    return lead_table(dict.fromkeys(USERS, "2024-01-01"))


PLAN = make_plan(SPECS, {}, {})


def built(log, observations, **how):
    return build(Tables(leads(), EventLog.from_frame(log), START), observations, PLAN, **how).X


@settings(max_examples=60, deadline=None)
@given(events=st.lists(EVENT, max_size=30), asked=ASKED, late=st.booleans())
def test_the_compiled_walk_agrees_with_numpy_and_with_a_loop_over_leads(events, asked, late):
    observations, log = observations_of(asked), log_of(events, late=late)
    X = built(log, observations)
    ordered = EventLog.from_frame(log).to_frame()
    for position, (user_id, as_of) in enumerate(observations[["user_id", "as_of"]].itertuples(index=False)):
        rows = oracle.visible(ordered, user_id, as_of)
        for name, spec in SPECS.items():
            got = X[name].iloc[position]
            wanted = oracle.by_numpy(rows, spec, as_of)
            if isinstance(wanted, str):
                assert got == wanted, name
                continue
            np.testing.assert_allclose(got, wanted, rtol=1e-9, atol=1e-12, err_msg=name)
            if name in LOOPED:
                again = oracle.by_loop(rows, spec, as_of)
                np.testing.assert_allclose(again, wanted, rtol=1e-9, atol=1e-6, err_msg=name)


@settings(max_examples=25, deadline=None)
@given(events=st.lists(EVENT, max_size=25), asked=ASKED, seed=st.integers(0, 9), late=st.booleans())
def test_row_order_later_events_and_other_leads_change_nothing(events, asked, seed, late):
    observations, log = observations_of(asked), log_of(events, late=late)
    X = built(log, observations)
    pd.testing.assert_frame_equal(built(log.sample(frac=1, random_state=seed), observations), X)
    future = log.assign(timestamp=log["timestamp"] + pd.Timedelta(days=30), amount=7.0)
    if late:
        future["ingested_at"] = future["timestamp"]
    pd.testing.assert_frame_equal(built(pd.concat([log, future], ignore_index=True), observations), X)
    some = observations[observations["user_id"] == observations["user_id"].iloc[0]].reset_index(drop=True)
    alone = log[log["user_id"].isin([some["user_id"].iloc[0], "other"])]
    pd.testing.assert_frame_equal(
        built(alone, some), X.loc[[some["user_id"].iloc[0]]].reindex(built(alone, some).index)
    )


@settings(max_examples=15, deadline=None)
@given(events=st.lists(EVENT, max_size=30), asked=ASKED, late=st.booleans(), workers=st.sampled_from([1, 2, 3]))
def test_blocks_parts_and_threads_change_nothing(events, asked, late, workers):
    observations, log = observations_of(asked), log_of(events, late=late)
    X = built(log, observations)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compiled_module, "BLOCK_ROWS", 3)
        patch.setattr(compiled_module, "MOST_COPIED", 2)
        patch.setattr(eventlog_module, "PART_ROWS", 10)
        pd.testing.assert_frame_equal(built(log, observations, workers=workers), X)


def test_every_aggregate_is_tried_above():
    assert {spec["aggregate"] for spec in SPECS.values()} == set(KINDS)


def asked_at(as_of, user="a"):
    return pd.DataFrame({"user_id": pd.Series([user], dtype="str"), "as_of": utc(as_of), "lead_row": [0]})


def value(spec, *rows, as_of="2024-03-08", attributes=None, zone=None, **columns):
    lead = lead_table({"a": "2024-01-01"}, **({"zone": [zone]} if zone else {}))
    chosen = make_plan({"it": spec}, {}, attributes or {})
    made = tables(lead, event_table(*rows, **columns), **(attributes or {}))
    return build(made, asked_at(as_of), chosen).X["it"].iloc[0]


def test_a_cent_after_a_billion_stays_a_cent():
    rows = [("a", "2024-03-01", "x"), ("a", "2024-03-07", "x")]
    assert value({"aggregate": "sum", "column": "amount", "lookback": "2d"}, *rows, amount=[1e15, 0.01]) == 0.01


def test_the_spread_of_large_numbers_keeps_its_digits():
    # 1e9 away from zero, the squares are 1e18 and their difference would drown in a double's rounding.
    rows = [("a", f"2024-03-0{day}", "x") for day in range(1, 6)]
    amounts = [1e9 + each for each in (0.1, 0.2, 0.3, 0.4, 0.5)]
    got = value({"aggregate": "std", "column": "amount"}, *rows, amount=amounts)
    np.testing.assert_allclose(got, np.std(amounts, ddof=1), rtol=1e-12)


def test_a_weekend_begins_at_the_leads_own_midnight():
    # Friday 1 March 2024, 15:30 UTC is Saturday 00:30 in Tokyo; Sunday 3 March, 22:30 UTC is Monday 07:30 there.
    rows = [("a", "2024-03-01T15:30Z", "x"), ("a", "2024-03-03T22:30Z", "x"), ("a", "2024-03-04T01:00Z", "x")]
    spec = {"aggregate": "share", "of": {"when": "weekend", "zone": "lead.zone"}}
    known = {"zone": "category"}
    assert value(spec, *rows, zone="Asia/Tokyo", attributes=known) == pytest.approx(1 / 3)
    assert value({**spec, "of": {"when": "weekend", "zone": "Asia/Tokyo"}}, *rows) == pytest.approx(1 / 3)
    assert value(spec, *rows, zone="America/New_York", attributes=known) == pytest.approx(2 / 3)
    assert value({**spec, "of": {"when": "weekend"}}, *rows) == pytest.approx(1 / 3)
    with pytest.raises(FeatureError, match=r"zone: lead.zone: 1 of its values are no zone .*'Mars/Olympus'"):
        value(spec, *rows, zone="Mars/Olympus", attributes=known)


def test_a_night_is_from_ten_to_six_by_the_zones_clock_across_its_change():
    # Berlin changes its clock on 31 March 2024: 04:30 UTC is 05:30 before and 06:30 after.
    rows = [("a", "2024-03-30T04:30Z", "x"), ("a", "2024-03-31T04:30Z", "x"), ("a", "2024-03-31T20:00Z", "x")]
    spec = {"aggregate": "count", "when": "night", "zone": "Europe/Berlin"}
    assert value(spec, *rows, as_of="2024-04-02") == 2


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"aggregate": "share"}, "features.it: the aggregate share needs of"),
        ({"aggregate": "share", "of": {}}, "features.it.of: {} is not a mapping, as in {event_type: session}"),
        ({"aggregate": "share", "of": {"typ": "x"}}, "features.it.of: unknown key 'typ'. "),
        ({"aggregate": "count", "of": {"event_type": "x"}}, "the aggregate count takes no of"),
        ({"aggregate": "trend", "recent": "2d"}, "the aggregate trend needs lookback"),
        ({"aggregate": "trend", "recent": "7d", "lookback": "7d"}, "recent: 7d is not shorter than the lookback 7d"),
        ({"aggregate": "count", "when": "weekends"}, "'weekends' is no time that is known. Did you mean 'weekend'?"),
        ({"aggregate": "count", "zone": "UTC"}, "'UTC' says whose clock `when` goes by, and there is no `when`"),
        ({"aggregate": "count", "when": "night", "zone": "Berlin"}, "zone: 'Berlin' is no zone of the IANA database"),
        ({"aggregate": "count", "when": "night", "zone": "lead.tz"}, "'tz' is no category of data.known_at_creation"),
        ({"aggregate": "ratio", "numerator": {"aggregate": "count"}}, "the aggregate ratio needs denominator"),
        (
            {"aggregate": "share", "when": "weekend", "of": {"when": "night"}},
            "`when` stands in the share's events and in `of`: say it once",
        ),
        (
            {"aggregate": "share", "event_type": "x", "of": {"event_type": "y"}},
            "features.it.of.event_type: y is none of the event types it is a share of",
        ),
        ({"aggregate": "distinct", "column": "user_id"}, "features.it: user_id is no column to count or filter by"),
        ({"aggregate": "count", "where": {"timestamp": ["x"]}}, "timestamp is no column to count or filter by"),
        (
            {"aggregate": "ratio", "numerator": {"aggregate": "cont"}, "denominator": {"aggregate": "count"}},
            "features.it.numerator.aggregate: unknown aggregate 'cont'. Did you mean 'count'?",
        ),
        (
            {
                "aggregate": "ratio",
                "numerator": {"aggregate": "last", "column": "x"},
                "denominator": {"aggregate": "count"},
            },
            "features.it.numerator: the aggregate last is no number that a ratio can take",
        ),
        (
            {
                "aggregate": "ratio",
                "lookback": "7d",
                "numerator": {"aggregate": "count"},
                "denominator": {"aggregate": "count"},
            },
            "the events of a ratio are said in its numerator and its denominator",
        ),
    ],
)
def test_a_spec_that_means_nothing_is_refused_in_words(spec, said):
    with pytest.raises(FeatureError) as refused:
        make_plan({"it": spec}, {}, {})
    assert said in str(refused.value)


def test_a_sum_of_words_is_refused_with_the_key_that_makes_them_numbers():
    with pytest.raises(
        FeatureError, match=r"sum needs a number, and the event column 'plan' is a text; data.events.numb"
    ):
        value({"aggregate": "sum", "column": "plan"}, ("a", "2024-03-01", "x"), plan=["p"])


@pytest.mark.parametrize(
    ("spec", "meaning"),
    [
        (
            {"aggregate": "count", "event_type": "login", "lookback": "7d"},
            "number of login events in the 7d before the score",
        ),
        (
            {"aggregate": "share", "of": {"when": "weekend", "zone": "Europe/Berlin"}, "lookback": "30d"},
            "share of events on Saturdays and Sundays (Europe/Berlin) among events in the 30d before the score",
        ),
        (
            {"aggregate": "trend", "column": "amount", "recent": "2d", "lookback": "7d"},
            "amount a day over events in the last 2d, minus the same in the time before that, in the 7d before",
        ),
        (
            SPECS["each"],
            "sum of amount over events in the 9d before the score, divided by number of x events before the score",
        ),
    ],
)
def test_an_aggregate_says_what_it_means(spec, meaning):
    (made,) = make_plan({"it": spec}, {}, {}).columns
    assert made.meaning.startswith(meaning)


def test_a_lead_with_rows_in_two_zones_has_none():
    lead = lead_table({"a": "2024-01-01"}, zone=["Asia/Tokyo"])
    twice = pd.concat([lead, lead.assign(zone="UTC")], ignore_index=True).astype({"user_id": "str", "zone": "str"})
    chosen = make_plan({"it": {"aggregate": "count", "when": "night", "zone": "lead.zone"}}, {}, {"zone": "category"})
    made = tables(twice, event_table(("a", "2024-03-01", "x")), zone="category")
    with pytest.raises(FeatureError, match=r"zone: lead.zone: 1 leads have rows with different zones \('a'\)"):
        build(made, asked_at("2024-03-08"), chosen)
