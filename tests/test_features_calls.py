"""Functions written the plain pandas way: what they are handed, in which groups, and what is said when they fail."""

import importlib

import numpy as np
import pandas as pd
import pytest
from conftest import event_table, lead_table, tables

from leadscore.errors import FeatureError
from leadscore.features import build
from leadscore.features.plan import Plan, Planned
from leadscore.features.registry import Feature

calls_module = importlib.import_module("leadscore.features.calls")
build_module = importlib.import_module("leadscore.features.build")

N = 150
DAYS = pd.date_range("2024-01-01T06:00", periods=N, freq="57h", tz="UTC")
NAMES = [f"lead {number}" if number % 3 else f"{number:03d}" for number in range(N)]
LEADS = lead_table(dict(zip(NAMES, map(str, DAYS), strict=True)))
ROWS = [
    (NAMES[number], str(DAYS[number] + pd.Timedelta(hours=7 * k + number % 24)), "xyz"[(number + k) % 3])
    for number in range(N - 10)
    for k in range(number % 9)
]
LOG = event_table(*ROWS, amount=[float(k % 7) for k in range(len(ROWS))])


def observed(*, floor: str | None = None, snapshots: bool = False) -> pd.DataFrame:
    if snapshots:
        instants = pd.date_range("2024-03-01", periods=5, freq="7D", tz="UTC")
        pairs = [(row, instant) for instant in instants for row in range(N) if DAYS[row] <= instant]
        rows = [row for row, _ in pairs]
        as_of = pd.Series([instant for _, instant in pairs])
    else:
        rows = list(range(N))
        as_of = LEADS["created_at"] + pd.Timedelta(days=3)
        as_of = as_of.dt.floor(floor) if floor else as_of
    made = pd.DataFrame({"user_id": [NAMES[row] for row in rows], "as_of": as_of, "lead_row": rows})
    return made.astype({"user_id": "str", "as_of": "datetime64[us, UTC]"})


def planned(function, **declaration) -> Planned:
    declaration = {"source": "events", "no_events": 0.0, "meaning": "it", **declaration}
    return Planned(Feature(function.__name__, function, **declaration))


def built(*steps: Planned, observations: pd.DataFrame | None = None, **how):
    asked = observed() if observations is None else observations
    return build(tables(LEADS, LOG, end="2025-06-01"), asked, Plan(steps), **how)


def n_events(events, now):
    return events.groupby("user_id").size()


def mean_amount(events, now):
    return events.groupby("user_id")["amount"].mean()


def weekend_share(events, now):
    past = events[events["timestamp"] < now]
    return (past["timestamp"].dt.day_of_week >= 5).groupby(past["user_id"]).mean()


def later_third(events, now):
    return events.groupby("user_id")["event_type"].last()


FOUR = (
    planned(n_events),
    planned(mean_amount, columns=("amount",), missing="none", no_events=None),
    planned(weekend_share, calendar=True),
    planned(
        later_third, dtype="category", missing="none", no_events=None, lookback=pd.Timedelta(days=2).to_pytimedelta()
    ),
)


@pytest.mark.parametrize("shape", [{}, {"floor": "1D"}, {"snapshots": True}])
def test_every_way_number_of_processes_and_cut_gives_the_same_values(shape, monkeypatch):
    asked = observed(**shape)
    expected = built(*FOUR, observations=asked, way="true").X
    assert expected["n_events"].sum() > N
    for how in ({}, {"way": "shifted"}, {"way": "text"}, {"workers": 2}):
        pd.testing.assert_frame_equal(built(*FOUR, observations=asked, **how).X, expected)
    monkeypatch.setattr(calls_module, "CHUNK_ROWS", 50)
    monkeypatch.setattr(calls_module, "LEAST_ROWS", 1)
    for how in ({}, {"workers": 2}, {"workers": 3, "way": "shifted"}):
        pd.testing.assert_frame_equal(built(*FOUR, observations=asked, **how).X, expected)


def test_floored_to_the_day_a_reader_of_weekdays_is_called_once_a_weekday(monkeypatch):
    seen = []

    def weekends(events, now):
        seen.append(now)
        return weekend_share(events, now)

    step = planned(weekends, calendar=True)
    asked = observed(floor="1D")
    assert asked["as_of"].nunique() > 100
    truth = built(step, observations=asked, way="true").X
    seen.clear()
    monkeypatch.setattr(build_module, "need_text", lambda *_: set())  # its calls on a few leads are not counted here
    monkeypatch.setattr(build_module, "check_moved", lambda *_: None)
    pd.testing.assert_frame_equal(built(step, observations=asked).X, truth)
    assert len(seen) == 7
    assert {now.day_of_week for now in seen} == set(range(7))


def test_a_reader_of_months_that_says_weekdays_only_is_found_out():
    def in_march(events, now):
        past = events[events["timestamp"] < now]
        return (past["timestamp"].dt.month == 3).groupby(past["user_id"]).sum()

    asked = observed(floor="1D")
    with pytest.raises(FeatureError, match=r"'in_march' gives lead .*it reads months, dates.*Declare calendar='date'"):
        built(planned(in_march, calendar=True), observations=asked)
    by_date = built(planned(in_march, calendar="date"), observations=asked).X["in_march"]
    month = LOG[LOG["timestamp"].dt.month == 3].merge(asked, on="user_id")
    assert by_date.sum() == (month["timestamp"] < month["as_of"]).sum() > 0


def test_a_rank_among_leads_sees_all_leads_of_an_instant():
    def rank(events, now):
        return events.groupby("user_id").size().rank(pct=True)

    asked = observed(snapshots=True)
    step = planned(rank, across_leads=True, bounds=(0, 1))
    X = built(step, observations=asked).X["rank"]
    last = asked["as_of"].max()
    seen = LOG[LOG["timestamp"] < last].groupby("user_id").size()
    expected = seen.rank(pct=True)
    pd.testing.assert_series_equal(X.xs(last, level="as_of")[expected.index], expected, check_names=False)
    pd.testing.assert_series_equal(built(step, observations=asked, workers=2).X["rank"], X)


def test_a_hash_of_the_id_is_handed_the_id():
    def hashed(events, now):
        ids = events["user_id"].drop_duplicates()
        return pd.Series(pd.util.hash_array(ids.to_numpy().astype(object)) % 1000, index=ids)

    X = built(planned(hashed)).X["hashed"]
    expected = pd.util.hash_array(np.array(["lead 40"], dtype=object))[0] % 1000
    assert X.xs("lead 40", level="user_id").iloc[0] == expected


def test_what_only_texts_can_do_works():
    def initials(events, now):
        return (events["user_id"].str[0] == "l").groupby(events["user_id"]).any().astype(float)

    def greatest(events, now):
        return events.groupby("user_id")["event_type"].max()

    def types_seen(events, now):  # counts of categories that do not occur must not show
        return events.groupby("user_id")["event_type"].apply(lambda each: len(each.value_counts()))

    names = built(
        planned(initials),
        planned(greatest, dtype="category", missing="none", no_events=None),
        planned(types_seen),
    ).X
    by_hand = LOG.merge(observed(), on="user_id").query("timestamp < as_of").groupby("user_id")["event_type"]
    assert names["initials"].xs("lead 40", level="user_id").iloc[0] == 1
    assert names["greatest"].xs("lead 40", level="user_id").iloc[0] == by_hand.max()["lead 40"]
    assert (
        names["types_seen"].droplevel("as_of").reindex(by_hand.nunique().index).tolist() == by_hand.nunique().tolist()
    )


def test_the_one_lead_for_which_a_function_raises_is_named():
    def fragile(events, now):
        if "lead 77" in set(events["user_id"]):
            raise ValueError("no such thing")
        return events.groupby("user_id").size()

    with pytest.raises(
        FeatureError, match=r"feature 'fragile' raised ValueError: no such thing for lead 'lead 77' alone"
    ):
        built(planned(fragile))


def test_a_default_index_is_none_of_the_leads():
    def forgot_the_index(events, now):
        return events.groupby("user_id").size().reset_index(drop=True)

    with pytest.raises(FeatureError, match=r"index values that are none of the \d+ leads asked for \(0, 1, 2, ...\)"):
        built(planned(forgot_the_index))


def test_doubled_and_infinite_leads_are_named_by_their_ids():
    def doubled(events, now):
        size = events.groupby("user_id").size()
        return pd.concat([size, size])

    def infinite(events, now):
        return events.groupby("user_id").size() / 0

    with pytest.raises(FeatureError, match=r"returned \d+ leads more than once \('\d\d\d', '\d\d\d', "):
        built(planned(doubled))
    with pytest.raises(FeatureError, match=r"is infinite for \d+ leads \('"):
        built(planned(infinite))


def test_values_outside_declared_bounds_are_refused():
    with pytest.raises(
        FeatureError, match=r"'n_events' .* outside its declared bounds \(0, 3\) for \d+ leads \('006: 6"
    ):
        built(planned(n_events, bounds=(0, 3)))


def test_an_empty_log_and_leads_without_events_have_their_declared_values():
    empty = LOG.iloc[:0]
    for how in ({}, {"way": "true"}, {"workers": 2}):
        table = build(tables(LEADS, empty, end="2025-06-01"), observed(), Plan((FOUR[0], FOUR[3])), **how)
        assert table.X["n_events"].eq(0).all()
        assert table.X["later_third"].isna().all()


def test_each_function_has_its_seconds():
    assert set(built(*FOUR).seconds) == {"n_events", "mean_amount", "weekend_share", "later_third"}


def test_whether_texts_are_needed_is_asked_where_something_has_happened():
    # At the first instant nobody has done anything yet: nothing can differ there.
    def kinds(events, now):
        return events.groupby("user_id")["event_type"].apply(lambda each: len(each.value_counts()))

    log = event_table(("a", "2024-03-02", "x"), ("b", "2024-03-02", "y"), ("b", "2024-03-03", "x"))
    pairs = [(user, day) for day in ("2024-03-01", "2024-03-08") for user in "ab"]
    asked = pd.DataFrame({"user_id": [user for user, _ in pairs], "as_of": [day for _, day in pairs]})
    asked = asked.astype({"user_id": "str"}).assign(lead_row=[0, 1, 0, 1])
    asked["as_of"] = pd.to_datetime(asked["as_of"], utc=True).astype("datetime64[us, UTC]")
    two = lead_table({"a": "2024-01-01", "b": "2024-01-01"})
    table = build(tables(two, log), asked, Plan((planned(kinds),)))
    assert table.X["kinds"].tolist() == [0, 0, 1, 2]


def test_a_function_that_fails_halfway_is_called_again_over_fresh_rows():
    def doubles_in_place(events, now):
        events["amount"] = events["amount"] * 2
        events["event_type"] = events["event_type"].fillna("none")  # raises over categories
        return events.groupby("user_id")["amount"].sum() + 0 * events["event_type"].eq("none").sum()

    X = built(planned(doubles_in_place, columns=("amount",)), observations=observed(snapshots=True)).X
    expected = LOG[LOG["timestamp"] < "2024-03-29"].groupby("user_id")["amount"].sum() * 2
    last = X["doubles_in_place"].xs(pd.Timestamp("2024-03-29", tz="UTC"), level="as_of")
    pd.testing.assert_series_equal(last[expected.index], expected, check_names=False)


def test_groups_of_nothing_are_nothing():
    def spread(events, now):
        return events.groupby("user_id").apply(lambda rows: float(len(rows)))

    early = observed(snapshots=True)
    early["as_of"] = early["as_of"] - pd.Timedelta(days=70)
    early = early.drop_duplicates("user_id", ignore_index=True)
    assert built(planned(spread), observations=early, way="true").X["spread"].eq(0).any()
