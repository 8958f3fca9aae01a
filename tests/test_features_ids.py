"""When numbers may stand for ids: only where a function's source shows that it cannot tell."""

import numpy as np
import pandas as pd
import pytest

from leadscore.features import FEATURES, build, make_plan
from leadscore.features.ids import are_only_keys
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
    counts = events.groupby(["user_id", "event_type"]).size().unstack(fill_value=0)  # noqa: PD010 - as people write
    return counts.get("login", counts.sum(axis=1) * 0)


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


@pytest.mark.parametrize(
    "function",
    [
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


def test_what_comes_with_leadscore_gives_the_same_for_numbers_as_for_texts():
    windows = walk_to_folds(compose(["data.n_leads=400"]))
    shipped = {name: {} for name, each in FEATURES.items() if is_shipped(each) and each.aggregate is None}
    plan = make_plan(shipped, {"active_user": "any_event_30d"}, windows.config.data.known_at_creation)
    observations = windows.observations.frame
    expected = build(windows.tables, observations, plan, way="text").X
    pd.testing.assert_frame_equal(build(windows.tables, observations, plan).X, expected)
