"""When numbers may stand for ids: only where a function's source shows that it cannot tell."""

import numpy as np
import pandas as pd
import pytest

from leadscore.features import FEATURES, build, make_plan
from leadscore.features.ids import are_only_keys, may_read
from leadscore.features.registry import is_shipped
from leadscore.pipeline import compose, walk_to_folds

TESTERS = ["qa-1", "qa-2"]
SEEN: dict[str, float] = {}
LOOKUP = pd.Series({"a": 1.0})
WEIGHTS = {"login": 2.0}


def sizes(rows):
    return rows.groupby("user_id").size()


def without_testers(rows):
    return rows[~rows["user_id"].isin(TESTERS)]


class Helper:
    def apply(self, rows):
        return rows


HELPER = Helper()


def by_name(events, now):
    """Counts events of each user_id, says this docstring."""
    recent = events[events["timestamp"] >= now - pd.Timedelta(days=7)]
    return recent.groupby("user_id").size()


def by_column(events, now):
    weight = events["event_type"].map(WEIGHTS).fillna(1.0)
    return np.log1p(weight.groupby(events["user_id"]).sum())


def by_two_keys(events, now):
    return events.groupby(["user_id", "event_type"]).size().unstack(fill_value=0)["login"]  # noqa: PD010 - as people do


def by_counting_values(events, now):
    return events["user_id"].value_counts()


def by_a_helper(events, now):
    return sizes(events)


def in_order(events, now):
    rows = events.sort_values(["user_id", "timestamp"])
    return rows.groupby("user_id")["timestamp"].diff().dt.total_seconds().groupby(rows["user_id"]).mean()


def one_series(events, now):
    return pd.Series(1.0, index=events["timestamp"]).groupby(events["user_id"].to_list()).sum()


@pytest.mark.parametrize("function", [by_name, by_column, by_two_keys, by_counting_values, by_a_helper, in_order])
def test_keys_may_be_numbers(function):
    assert are_only_keys(function)


def leaves_testers_out(events, now):
    return events[~events["user_id"].isin(["qa-1"])].groupby("user_id").size()


def leaves_them_out_in_a_helper(events, now):
    return without_testers(events).groupby("user_id").size()


def queries(events, now):
    return events.query("user_id != 'qa-1'").groupby("user_id").size()


def reads_an_attribute(events, now):
    return events[events.user_id != "qa-1"].groupby("user_id").size()


def walks_over_rows(events, now):
    seen = {}
    for row in events.itertuples():
        seen[row[1]] = seen.get(row[1], 0) + 1
    return pd.Series(seen)


def looks_it_up(events, now):
    return LOOKUP.reindex(events["user_id"].drop_duplicates())


def asks_an_object(events, now):
    return HELPER.apply(events).groupby("user_id").size()


def hashes(events, now):
    ids = events["user_id"].drop_duplicates()
    return pd.Series(pd.util.hash_array(ids.to_numpy().astype(object)), index=ids)


USER, KEYS, CLEANERS = "user_id", ["user_id"], [without_testers]


def by_a_name_from_outside(events, now):
    return events[~events[USER].isin(TESTERS)].groupby(USER).size()


def by_a_list_from_outside(events, now):
    return events.groupby(KEYS).size()


def looks_at_the_index(events, now):
    n = events.groupby("user_id").size()
    return n[~n.index.isin(TESTERS)]


def drops_labels(events, now):
    return events.groupby("user_id").size().drop(TESTERS, errors="ignore")


def loops_over_groups(events, now):
    return pd.Series({uid: len(rows) for uid, rows in events.groupby("user_id") if uid not in TESTERS})


def knows_the_groups_name(events, now):
    return events.groupby("user_id").apply(lambda rows: 0 if rows.name in TESTERS else len(rows))


def looks_everywhere(events, now):
    return events[~events.isin(TESTERS).any(axis=1)].groupby("user_id").size()


def by_position(events, now):
    return events[~events.iloc[:, 0].isin(TESTERS)].groupby("user_id").size()


def renames_columns(events, now):
    events.columns = ["uid", "at", "kind"]
    return events[~events["uid"].isin(TESTERS)].groupby("uid").size()


def takes_functions_from_a_list(events, now):
    for clean in CLEANERS:
        events = clean(events)
    return events.groupby("user_id").size()


def imports_inside(events, now):
    from test_features_ids import without_testers as clean

    return clean(events).groupby("user_id").size()


def aligns_with_texts(events, now):
    return events.groupby("user_id").size().add(pd.Series({"qa-1": 1.0}), fill_value=0)


def defines_inside(events, now):
    def clean(rows):
        return rows[rows["user_id"] != "qa-1"]

    return clean(events).groupby("user_id").size()


def compares_whole_rows(events, now):
    return events[(events != "qa-1").all(axis=1)].groupby("user_id").size()


def asks_an_inputs_index(events, now, *, active_user):
    return active_user[active_user.index != "qa-1"]


@pytest.mark.parametrize(
    "function",
    [
        by_a_name_from_outside,
        by_a_list_from_outside,
        looks_at_the_index,
        drops_labels,
        loops_over_groups,
        knows_the_groups_name,
        looks_everywhere,
        by_position,
        renames_columns,
        takes_functions_from_a_list,
        imports_inside,
        aligns_with_texts,
        defines_inside,
        compares_whole_rows,
        asks_an_inputs_index,
        leaves_testers_out,
        leaves_them_out_in_a_helper,
        queries,
        reads_an_attribute,
        walks_over_rows,
        looks_it_up,
        asks_an_object,
        hashes,
        one_series,
        len,
    ],
)
def test_whatever_may_look_at_an_id_gets_texts(function):
    assert not are_only_keys(function)


def test_a_parameter_may_name_the_id():
    def by_parameter(events, now, *, key="event_type"):
        return events.groupby(key).size()

    assert are_only_keys(by_parameter, {"key": "event_type"})
    assert not are_only_keys(by_parameter, {"key": "user_id"})


def test_only_what_names_a_text_is_asked_about_texts():
    assert not may_read(by_name, {"event_type"}, {})
    assert may_read(by_column, {"event_type"}, {})
    assert may_read(by_a_helper, {"event_type"}, {})
    assert may_read(by_name, {"event_type"}, {"column": "event_type"})


def test_what_comes_with_leadscore_gives_the_same_for_numbers_as_for_texts():
    windows = walk_to_folds(compose(["data.n_leads=400"]))
    shipped = {name: {} for name, each in FEATURES.items() if is_shipped(each) and each.aggregate is None}
    plan = make_plan(shipped, {"active_user": "any_event_30d"}, windows.config.data.known_at_creation)
    observations = windows.observations.frame
    expected = build(windows.tables, observations, plan, way="text").X
    pd.testing.assert_frame_equal(build(windows.tables, observations, plan).X, expected)
