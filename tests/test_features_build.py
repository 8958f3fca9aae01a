"""Features at each `as_of`: right at both edges, blind to the future, the same for every way of calling."""

import importlib

import numpy as np
import pandas as pd
import pytest
from conftest import event_table, lead_table, tables, utc
from hypothesis import given, settings
from hypothesis import strategies as st

from leadscore.errors import FeatureError
from leadscore.features.build import build
from leadscore.features.plan import Plan, Planned, make_plan
from leadscore.features.registry import FEATURES, Feature, feature

build_module = importlib.import_module("leadscore.features.build")  # the package exports its function by the same name


def observed(*pairs: tuple[str, str], rows: list[int] | None = None) -> pd.DataFrame:
    users, times = zip(*pairs, strict=True)
    seen = {user: position for position, user in enumerate(dict.fromkeys(users))}
    return pd.DataFrame(
        {
            "user_id": pd.Series(users, dtype="str"),
            "as_of": utc(*times),
            "lead_row": rows if rows is not None else [seen[user] for user in users],
        }
    )


def leads(*users: str) -> pd.DataFrame:
    return lead_table(dict.fromkeys(users, "2024-01-01"))


def values(table, name: str) -> list[object]:
    return [None if pd.isna(value) else value for value in table.X[name]]


def plan(*names: str, **entries: dict[str, object]) -> Plan:
    return make_plan({**{name: {} for name in names}, **entries}, {"active_user": "any_event_30d"}, {})


@pytest.fixture
def registered():
    """Register features for one test."""
    before = dict(FEATURES)
    yield
    FEATURES.clear()
    FEATURES.update(before)


@pytest.fixture(params=["true times", "shifted"])
def calling(request, monkeypatch):
    """Both ways of calling a function must give the same values."""
    monkeypatch.setattr(build_module, "MAX_TRUE_CALLS", 60 if request.param == "true times" else 0)
    return request.param


def test_a_window_includes_its_first_instant_and_excludes_as_of(calling):
    # as_of 8 March: the seven days are [1 March, 8 March).
    log = event_table(
        ("a", "2024-03-01T00:00:00Z", "session"),
        ("a", "2024-02-29T23:59:59.999999Z", "session"),
        ("b", "2024-03-08T00:00:00Z", "session"),
        ("b", "2024-03-07T23:59:59.999999Z", "session"),
    )
    table = build(
        tables(leads("a", "b"), log), observed(("a", "2024-03-08"), ("b", "2024-03-08")), plan("sessions_last_7_days")
    )
    assert values(table, "sessions_last_7_days") == [1, 1]


def test_the_future_is_never_handed_over_even_to_a_function_without_an_upper_bound(calling):
    log = event_table(
        ("a", "2024-03-05", "session"),
        ("a", "2024-03-05", "login"),
        ("a", "2024-03-20", "session"),
        ("a", "2024-03-20", "login"),
    )
    asked = observed(("a", "2024-03-08"), ("a", "2024-03-21"))
    table = build(tables(leads("a"), log), asked, plan("sessions_last_7_days", "days_since_last_login"))
    assert values(table, "sessions_last_7_days") == [1, 1]
    assert values(table, "days_since_last_login") == [3.0, 1.0]


def test_an_event_that_arrived_late_did_not_exist_yet(calling):
    log = event_table(
        ("a", "2024-03-05", "session"),
        ("a", "2024-03-06", "session"),
        ("a", "2024-03-07", "session"),
        ingested_at=["2024-03-05", "2024-03-08", "2024-03-08T00:00:00.000001Z"],
    )
    table = build(tables(leads("a"), log), observed(("a", "2024-03-08")), plan("sessions_last_7_days"))
    assert values(table, "sessions_last_7_days") == [2]


def test_each_lead_of_its_own_as_of_gets_what_it_would_get_alone():
    log = event_table(
        *(
            (user, f"2024-03-{day:02d}T{hour:02d}:30:00Z", "session")
            for user, hour in (("a", 1), ("b", 13))
            for day in range(1, 20)
        )
    )
    pairs = [(f"l{n}", f"2024-03-{n % 17 + 2:02d}T0{n % 10}:00:00Z") for n in range(100)]
    many = leads(*(user for user, _ in pairs))
    moved = pd.concat([log.assign(user_id=user) for user, _ in pairs], ignore_index=True).astype({"user_id": "str"})
    asked = observed(*pairs)
    names = ("sessions_last_7_days", "hours_since_last_session", "active_days_last_7_days", "last_event_type")
    together = build(tables(many, moved), asked, plan(*names)).X
    for position in (0, 37, 99):
        alone = build(tables(many, moved), asked.iloc[[position]].reset_index(drop=True), plan(*names)).X
        pd.testing.assert_frame_equal(alone, together.iloc[[position]])


def test_without_events_the_declared_value_stands_and_a_missing_one_stays_missing(calling):
    log = event_table(("a", "2024-03-05", "session"), ("a", "2024-03-05", "login"))
    asked = observed(("a", "2024-03-08"), ("b", "2024-03-08"))
    table = build(
        tables(leads("a", "b"), log), asked, plan("sessions_last_7_days", "days_since_last_login", "last_event_type")
    )
    assert values(table, "sessions_last_7_days") == [1, 0]
    assert values(table, "days_since_last_login") == [3.0, None]
    assert table.X["last_event_type"].dtype == "str"


def test_calendar_features_get_true_times(registered, calling):
    @feature(source="events", no_events=0, unit="share", calendar=True)
    def weekend_share_of_events(events_df, now):
        """Share of events on a Saturday or Sunday (UTC)."""
        return (events_df["timestamp"].dt.day_of_week >= 5).groupby(events_df["user_id"]).mean()

    log = event_table(
        ("a", "2024-03-02", "x"), ("a", "2024-03-04", "x"), ("b", "2024-03-03", "x"), ("b", "2024-03-05", "x")
    )
    asked = observed(("a", "2024-03-08"), ("b", "2024-03-05T12:00:00Z"))
    table = build(tables(leads("a", "b"), log), asked, plan("weekend_share_of_events", "events_last_7_days"))
    assert values(table, "weekend_share_of_events") == [0.5, 0.5]
    assert values(table, "events_last_7_days") == [2, 2]


def test_who_reads_a_calendar_feature_at_any_remove_gets_its_true_value(registered, calling):
    @feature(source="events", no_events=0, unit="events")
    def a_count(events_df, now):
        """All events."""
        return events_df.groupby("user_id").size()

    @feature(source="events", no_events=0, unit="events")
    def b_count_doubled(events_df, now, *, a_count):
        """Twice that."""
        return 2 * a_count

    @feature(source="events", no_events=0, unit="events", calendar=True)
    def c_weekend_events(events_df, now, *, b_count_doubled):
        """Weekend events, and a hundred for each of the doubled ones."""
        return (events_df["timestamp"].dt.day_of_week >= 5).groupby(events_df["user_id"]).sum() + 100 * b_count_doubled

    @feature(source="events", no_events=0, unit="events")
    def d_reader(events_df, now, *, c_weekend_events):
        """Reads the calendar's reader."""
        return c_weekend_events + 0.5

    @feature(source="events", no_events=0, unit="events")
    def e_reader_of_a_reader(events_df, now, *, d_reader):
        """Reads the calendar at two removes."""
        return d_reader + 0.25

    # a: Saturday 2 March and Monday 4 March; b: Sunday 3 March. Shifted to one instant, b's falls on a Wednesday.
    log = event_table(("a", "2024-03-02", "x"), ("a", "2024-03-04", "x"), ("b", "2024-03-03", "x"))
    asked = observed(("a", "2024-03-08"), ("b", "2024-03-05"))
    table = build(tables(leads("a", "b"), log), asked, plan("e_reader_of_a_reader", "a_count"))
    assert values(table, "e_reader_of_a_reader") == [401.75, 201.75]
    assert values(table, "a_count") == [2, 1]


def test_the_time_of_arrival_moves_with_its_event(registered, calling):
    @feature(source="events", columns=["ingested_at"], missing="no event", unit="h")
    def hours_since_arrival(events_df, now):
        """Hours from the last arrival to the score."""
        return (now - events_df.groupby("user_id")["ingested_at"].max()) / pd.Timedelta(hours=1)

    @feature(source="events", columns=["ingested_at"], missing="no event", unit="h")
    def hours_under_way(events_df, now):
        """Longest time that an event took to arrive."""
        hours = (events_df["ingested_at"] - events_df["timestamp"]) / pd.Timedelta(hours=1)
        return hours.groupby(events_df["user_id"]).max()

    log = event_table(
        ("a", "2024-03-02", "x"), ("b", "2024-03-04", "x"), ingested_at=["2024-03-02T05:00Z", "2024-03-04T01:00Z"]
    )
    asked = observed(("a", "2024-03-08"), ("b", "2024-03-05"))
    table = build(tables(leads("a", "b"), log), asked, plan("hours_since_arrival", "hours_under_way"))
    assert values(table, "hours_since_arrival") == [139, 23]
    assert values(table, "hours_under_way") == [5, 1]


def test_reading_the_calendar_without_saying_so_is_an_error(registered, monkeypatch):
    @feature(source="events", no_events=0, unit="share")
    def weekend_share_in_secret(events_df, now):
        """Share of events on a Saturday or Sunday."""
        past = events_df[events_df["timestamp"] < now]  # it looks at now, and so its events are moved in time
        return (past["timestamp"].dt.day_of_week >= 5).groupby(past["user_id"]).mean()

    monkeypatch.setattr(build_module, "MAX_TRUE_CALLS", 0)
    log = event_table(("a", "2024-03-02", "x"), ("b", "2024-03-03", "x"))
    asked = observed(("a", "2024-03-08"), ("b", "2024-03-05T12:00:00Z"))
    with pytest.raises(FeatureError, match=r"weekend_share_in_secret.*Declare calendar=True"):
        build(tables(leads("a", "b"), log), asked, plan("weekend_share_in_secret"))


def test_a_definition_is_handed_to_the_feature_that_names_it(calling):
    log = event_table(("a", "2024-03-05", "login"), ("b", "2024-03-05", "invoice"))
    asked = observed(("a", "2024-03-08"), ("b", "2024-03-08"), ("c", "2024-03-08"))
    for meant, active in (("any_event_30d", [1, 1, 0]), ("paid_invoice_30d", [0, 1, 0])):
        chosen = make_plan({"is_active_user": {}}, {"active_user": meant}, {})
        table = build(tables(leads("a", "b", "c"), log), asked, chosen)
        assert values(table, "is_active_user") == active
        assert list(table.X) == ["is_active_user"]


def test_lead_features_read_the_row_of_their_own_observation(calling):
    frame = lead_table({"a": "2024-03-01", "b": "2024-03-02"}, country=["DE", "NA"])
    frame = pd.concat([frame, frame.iloc[[0]].assign(country="FR")], ignore_index=True)
    chosen = make_plan(
        {"country": {"aggregate": "attribute", "column": "country"}, "lead_age_days": {}}, {}, {"country": "category"}
    )
    asked = observed(("a", "2024-03-08"), ("b", "2024-03-09"), ("a", "2024-03-10"), rows=[0, 1, 2])
    table = build(tables(frame, country="category"), asked, chosen)
    assert values(table, "country") == ["DE", "NA", "FR"]
    assert values(table, "lead_age_days") == [7, 7, 9]


def test_features_that_read_events_need_a_log():
    with pytest.raises(
        FeatureError, match=r"1 features read events \('sessions_last_7_days'\), and the data have none"
    ):
        build(tables(leads("a")), observed(("a", "2024-03-08")), plan("sessions_last_7_days"))


def test_an_event_type_that_never_occurs_is_an_error_not_a_column_of_zeros():
    log = event_table(("a", "2024-03-05", "sesion"))
    with pytest.raises(FeatureError, match=r"'session'; no event has it. Did you mean 'sesion'.*data.event_types"):
        build(tables(leads("a"), log), observed(("a", "2024-03-08")), plan("sessions_last_7_days"))


BROKEN = {
    "a frame": (lambda e, n: e, "returned a DataFrame; it must return a Series"),
    "a doubled index": (lambda e, n: e.set_index("user_id")["timestamp"].dt.day, "returned 1 leads more than once"),
    "a foreign index": (lambda e, n: pd.Series([1.0, 2.0]), "are none of the 2 leads asked for"),
    "text": (lambda e, n: e.groupby("user_id")["event_type"].last(), "declared a number"),
    "infinity": (lambda e, n: e.groupby("user_id").size() / 0, "is infinite for 1 leads"),
    "an undeclared missing value": (
        lambda e, n: e.groupby("user_id").size().astype(float).replace(2, None),
        "is missing for 1 of 2 leads",
    ),
    "an undeclared column": (lambda e, n: e.groupby("user_id")["amount"].sum(), r"declare others with columns=\[...\]"),
    "an exception": (lambda e, n: 1 / 0, "raised ZeroDivisionError"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_function_that_breaks_its_contract_is_named(what):
    function, said = BROKEN[what]
    broken = Planned(Feature("broken", function, "events", no_events=0.0, unit="x", meaning="broken"))
    log = event_table(("a", "2024-03-05", "x"), ("a", "2024-03-06", "x"), amount=[1.0, 2.0])
    with pytest.raises(FeatureError, match=said) as refused:
        build(tables(leads("a", "b"), log), observed(("a", "2024-03-08"), ("b", "2024-03-08")), Plan((broken,)))
    assert "feature 'broken'" in str(refused.value)


def test_a_function_cannot_change_what_the_next_one_sees(registered, calling):
    @feature(source="events", no_events=0, unit="events")
    def a_vandal(events_df, now):
        """Rows after spoiling the frame it was handed."""
        events_df["timestamp"] = now
        events_df["event_type"] = "gone"
        return events_df.groupby("user_id").size()

    log = event_table(("a", "2024-03-05", "session"))
    table = build(
        tables(leads("a"), log),
        observed(("a", "2024-03-08")),
        plan("a_vandal", "last_event_type", "days_since_last_event"),
    )
    assert values(table, "last_event_type") == ["session"]
    assert values(table, "days_since_last_event") == [3.0]
    assert log["event_type"].tolist() == ["session"]


def test_a_function_cannot_change_the_values_that_others_take(registered, calling):
    @feature(source="events", no_events=0, unit="sessions")
    def a_vandal(events_df, now, *, sessions_last_7_days):
        """Sessions after spoiling the values it was handed."""
        sessions_last_7_days.iloc[:] = 99.0
        return sessions_last_7_days

    @feature(source="events", no_events=0, unit="sessions")
    def taken_after(events_df, now, *, sessions_last_7_days):
        """Sessions as the next one sees them."""
        return sessions_last_7_days

    log = event_table(("a", "2024-03-05", "session"))
    table = build(
        tables(leads("a"), log),
        observed(("a", "2024-03-08")),
        plan("a_vandal", "taken_after", "sessions_last_7_days"),
    )
    assert values(table, "a_vandal") == [99]
    assert values(table, "taken_after") == [1]
    assert values(table, "sessions_last_7_days") == [1]


def test_constant_and_missing_columns_are_told():
    log = event_table(("a", "2024-03-05", "session"), ("b", "2024-03-05", "session"))
    table = build(
        tables(leads("a", "b"), log), observed(("a", "2024-03-08"), ("b", "2024-03-08")), plan("sessions_last_7_days")
    )
    assert table.notes == ("feature 'sessions_last_7_days' has one value for every observation: 1.0",)


def test_a_column_that_repeats_another_is_told():
    log = event_table(("a", "2024-03-05", "session"), ("b", "2024-03-05", "session"), ("b", "2024-03-06", "session"))
    asked = observed(("a", "2024-03-08"), ("b", "2024-03-08"))
    twice = plan("sessions_last_7_days", visits={"aggregate": "count", "event_type": "session"})
    table = build(tables(leads("a", "b"), log), asked, twice)
    assert table.notes == ("feature 'visits' has the values of 'sessions_last_7_days' for every observation",)


def test_one_lead_with_one_event_is_enough(calling):
    log = event_table(("only", "2024-03-07", "session"))
    table = build(tables(leads("only"), log), observed(("only", "2024-03-08")), plan("sessions_last_7_days"))
    assert values(table, "sessions_last_7_days") == [1]


EVENT = st.tuples(st.sampled_from("abc"), st.integers(0, 40 * 24), st.sampled_from(["session", "login", "x"]))


@settings(max_examples=40, deadline=None)
@given(
    log=st.lists(EVENT, min_size=1, max_size=40),
    asked=st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 41)), min_size=1, unique=True),
)
def test_every_way_of_calling_agrees_with_a_loop_over_leads(log, asked):
    rows = [
        (user, str(pd.Timestamp("2024-03-01", tz="UTC") + pd.Timedelta(hours=hour)), kind) for user, hour, kind in log
    ]
    rows += [
        ("zz", "2024-03-01", kind) for kind in ("session", "login")
    ]  # every type occurs, for a lead that is not asked for
    events = event_table(*rows)
    pairs = [(user, str(pd.Timestamp("2024-03-01", tz="UTC") + pd.Timedelta(days=day))) for user, day in asked]
    observations = observed(*pairs, rows=["abc".index(user) for user, _ in pairs])
    chosen = plan(
        "sessions_last_7_days",
        "days_since_last_login",
        logins={"aggregate": "count", "event_type": "login", "lookback": "10d"},
    )
    expected = []
    for user, as_of in observations[["user_id", "as_of"]].itertuples(index=False):
        own = events[(events["user_id"] == user) & (events["timestamp"] < as_of)]
        week = own[(own["event_type"] == "session") & (own["timestamp"] >= as_of - pd.Timedelta(days=7))]
        logins = own[own["event_type"] == "login"]
        since = (as_of - logins["timestamp"].max()) / pd.Timedelta(days=1) if len(logins) else float("nan")
        expected.append([len(week), since, int((logins["timestamp"] >= as_of - pd.Timedelta(days=10)).sum())])
    for limit in (0, 1_000):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(build_module, "MAX_TRUE_CALLS", limit)
            table = build(tables(leads("a", "b", "c"), events), observations, chosen)
        got = table.X[["sessions_last_7_days", "days_since_last_login", "logins"]].to_numpy()
        np.testing.assert_allclose(got, expected, rtol=1e-9)
