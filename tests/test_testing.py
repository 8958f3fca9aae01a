"""One line in a user's own tests says whether a feature is correct at each instant."""

import numpy as np
import pandas as pd
import pytest
from conftest import event_table, lead_table, tables, utc

from leadscore.errors import FeatureError
from leadscore.features import DEFINITIONS, FEATURES, definition, feature, make_plan, register_aggregate
from leadscore.testing import assert_point_in_time, make_world

LOG = pd.DataFrame({"user_id": [f"u{n:05d}" for n in range(240)], "amount": np.arange(240.0)})


@pytest.fixture(autouse=True)
def registered():
    before = dict(FEATURES), {concept: dict(known) for concept, known in DEFINITIONS.items()}
    yield
    FEATURES.clear()
    FEATURES.update(before[0])
    DEFINITIONS.clear()
    DEFINITIONS.update(before[1])


@pytest.mark.parametrize("name", ["is_active_user", "last_event_type", "largest_invoice", "any_event_30d"])
def test_what_leadscore_ships_passes_by_name(name):
    assert_point_in_time(name)


def test_a_function_that_reads_its_rows_passes_with_its_parameters():
    @feature(source="events", event_type="ticket", columns=["price"], no_events=0)
    def spent(events_df, now, *, days=14):
        """Spent lately."""
        recent = events_df[events_df["timestamp"] >= now - pd.Timedelta(days=days)]
        return recent.groupby("user_id")["price"].sum()

    assert_point_in_time(spent)
    assert_point_in_time(spent, days=3)
    with pytest.raises(FeatureError, match="unknown parameter 'day'"):
        assert_point_in_time(spent, day=3)


def test_a_leak_fails_with_every_finding_in_words():
    @feature(source="events", missing="nothing known")
    def amount_from_elsewhere(events_df, now):
        """Amount by id."""
        return LOG.set_index("user_id")["amount"].reindex(events_df["user_id"].unique())

    with pytest.raises(AssertionError) as failed:
        assert_point_in_time(amount_from_elsewhere)
    lines = str(failed.value).splitlines()
    assert lines[0] == "amount_from_elsewhere is not correct at each instant:"
    assert {"(audit: state)", "(audit: rename)"} <= {line[line.rindex("(") :] for line in lines[1:]}
    assert all("The code reads LOG" in line for line in lines if "(audit: state)" in line)


def test_columns_that_must_be_texts_are_texts():
    @feature(source="events", columns=["plan"], no_events=0)
    def events_on_a_red_plan(events_df, now):
        """Events on a red plan."""
        return events_df["plan"].str.startswith("r").groupby(events_df["user_id"]).sum()

    assert_point_in_time(events_on_a_red_plan)


def test_lead_attributes_and_other_leads():
    @feature(source="leads", columns=["seats"], missing="not given", across_leads=True)
    def rank_of_seats(leads_df, now):
        """Rank among the leads observed now."""
        return leads_df.set_index("user_id")["seats"].rank(pct=True)

    @feature(source="leads", columns=["country"], missing="not given", dtype="category")
    def region(leads_df):
        """First letter."""
        return leads_df.set_index("user_id")["country"].str[:1]

    assert_point_in_time(rank_of_seats)
    assert_point_in_time(region)


def test_declared_aggregates_pass():
    (count,) = register_aggregate("big_ones", "count", event_type="order", where={"size": ["big", "huge"]})
    (last,) = register_aggregate("last_colour", "last", column="colour")
    (total,) = register_aggregate("total", "sum", column="amount", lookback="30d")
    for each in (count, last, total):
        assert_point_in_time(each.name)


def test_a_definition_is_held_to_the_same(monkeypatch):
    @definition("eager", source="events", no_events=0)
    def counts_everybody(events_df, now):
        """Eager: more events than the average lead."""
        counts = events_df.groupby("user_id").size()
        return counts > counts.mean()

    with pytest.raises(AssertionError, match=r"feature 'counts_everybody' moves when other leads are left out"):
        assert_point_in_time(counts_everybody)
    assert "counts_everybody" not in FEATURES


def test_what_is_not_registered_is_said_so():
    with pytest.raises(AssertionError, match="<lambda> is not a registered feature"):
        assert_point_in_time(lambda events_df, now: None)
    with pytest.raises(FeatureError, match="Did you mean 'largest_invoice'"):
        assert_point_in_time("largest_invoic")


def test_own_tables_can_be_given():
    leads = lead_table({f"l{n}": f"2024-01-{n % 28 + 1:02d}" for n in range(60)})
    log = event_table(*((f"l{n % 60}", f"2024-02-{n % 28 + 1:02d}T10:00Z", "login") for n in range(300)))
    own = tables(leads, log, end="2024-04-01")
    assert_point_in_time("days_since_last_login", tables=own)
    asked = pd.DataFrame({"user_id": leads["user_id"], "as_of": utc(*["2024-02-20"] * 60), "lead_row": range(60)})
    assert_point_in_time("days_since_last_login", tables=own, observations=asked)


def test_a_world_has_what_makes_time_hard():
    world, observations = make_world(make_plan({"largest_invoice": {}}, {}, {}), n_leads=200)
    events = world.events
    assert (events["ingested_at"] > events["timestamp"]).mean() > 0.1
    assert events.duplicated(["user_id", "timestamp"]).any()
    assert (events["timestamp"].dt.day_of_week >= 5).any()
    assert (events["timestamp"] >= observations["as_of"].max()).any()
    assert not observations.duplicated(["user_id", "as_of"]).any()
    assert (world.leads["user_id"].take(observations["lead_row"]).to_numpy() == observations["user_id"]).all()
    assert events["amount"].dtype == "float64"
    again = make_world(make_plan({"largest_invoice": {}}, {}, {}), n_leads=200)[0]
    assert again.log.content == world.log.content
