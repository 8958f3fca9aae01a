"""The simulated world: repeatable, sound in time, and as predictable as it says it is."""

import numpy as np
import pandas as pd
import pytest
from omegaconf import OmegaConf

from leadscore.config.paths import CONF
from leadscore.config.schema import DemoData
from leadscore.data.demo import ATTRIBUTES, simulate
from leadscore.data.demo_activity import EVENT_TYPES
from leadscore.errors import ConfigError, DataError
from leadscore.tables import TIME_DTYPE, Tables

DELAY, HORIZON = pd.Timedelta(days=7), pd.Timedelta(days=30)
RATES = {"EUR": 1.0, "GBP": 1.17, "USD": 0.92}
STATUSES = {"trial", "paid", "canceled", "expired", "declined"}


def world(n_leads=6_000, seed=23, **keys):
    declared = {"currency": "EUR", "rates": RATES, "known_at_creation": ATTRIBUTES, **keys}
    return simulate(DemoData(name="demo", n_leads=n_leads, seed=seed, **declared))


@pytest.fixture(scope="module")
def demo() -> Tables:
    return world()


@pytest.fixture(scope="module")
def observations(demo):
    """Return mature observations a week after creation of leads then at risk, with outcome and truth."""
    leads = demo.leads.assign(as_of=demo.leads["created_at"] + DELAY)
    turn = leads[["converted_at", "closed_at"]].min(axis=1)
    at_risk = turn.isna() | (turn >= leads["as_of"])
    seen = leads[at_risk & (leads["as_of"] + HORIZON <= demo.data_end)]
    until = seen["as_of"] + HORIZON
    return seen.assign(
        converts=(seen["converted_at"] >= seen["as_of"]) & (seen["converted_at"] < until),
        truth=demo.truth(seen["user_id"], seen["as_of"], HORIZON),
    )


def test_the_same_seed_gives_the_same_tables():
    first, again = world(300), world(300)
    pd.testing.assert_frame_equal(first.leads, again.leads)
    pd.testing.assert_frame_equal(first.events, again.events)


def test_another_seed_gives_another_world():
    first, other = world(300), world(300, seed=24)
    assert not first.leads.equals(other.leads)
    assert not first.events.equals(other.events)


def test_columns_and_dtypes_are_those_of_the_tables(demo):
    text, time, number = "str", TIME_DTYPE, "float64"
    assert demo.leads.dtypes.astype(str).to_dict() == {
        "user_id": text,
        "created_at": time,
        "status": text,
        "converted_at": time,
        "closed_at": time,
        "country": text,
        "source": text,
        "plan": text,
        "company_size": number,
    }
    assert demo.events.dtypes.astype(str).to_dict() == {
        "user_id": text,
        "timestamp": time,
        "event_type": text,
        "ingested_at": time,
        "amount": number,
        "currency": text,
    }
    for table in (demo.leads, demo.events):
        assert table.index.equals(pd.RangeIndex(len(table)))
    assert demo.counts == {"leads": len(demo.leads), "events": len(demo.events)}
    assert demo.attributes == ATTRIBUTES
    assert "simulated" in demo.notes[0]


def test_events_stand_in_order_of_lead_time_and_content(demo):
    backwards = {each: f"{9 - number} {each}" for number, each in enumerate(EVENT_TYPES)}
    for events in (demo.events, world(event_types=backwards).events):
        order = events.sort_values(["user_id", "timestamp", "event_type"], kind="stable").index
        assert order.equals(events.index)
        assert events.duplicated(["user_id", "timestamp"]).any()
    assert set(demo.events["user_id"]) <= set(demo.leads["user_id"])


def test_nothing_is_dated_at_or_after_data_end(demo):
    assert demo.data_end == pd.Timestamp("2025-07-01", tz="UTC")
    for table, column in [
        (demo.leads, "created_at"),
        (demo.leads, "converted_at"),
        (demo.leads, "closed_at"),
        (demo.events, "timestamp"),
        (demo.events, "ingested_at"),
    ]:
        assert table[column].max() < demo.data_end, column
        assert table[column].max() > demo.data_end - pd.Timedelta(days=1), column


def test_an_earlier_data_end_shows_the_same_world_as_it_was_then(demo):
    then = pd.Timestamp("2024-09-01", tz="UTC")
    past = world(data_end="2024-09-01T00:00:00+00:00")
    assert past.data_end == then
    known = demo.events[demo.events["ingested_at"] < then].reset_index(drop=True)
    pd.testing.assert_frame_equal(past.events, known)
    leads = demo.leads[demo.leads["created_at"] < then].reset_index(drop=True)
    pd.testing.assert_series_equal(past.leads["user_id"], leads["user_id"])
    for column in ("converted_at", "closed_at"):
        pd.testing.assert_series_equal(past.leads[column], leads[column].where(leads[column] < then))
    undone = (leads["converted_at"] >= then) & past.leads["closed_at"].isna()
    assert undone.any()
    assert set(past.leads.loc[undone, "status"]) == {"trial"}


def test_statuses_agree_with_the_times(demo):
    leads = demo.leads
    assert set(leads["status"]) == STATUSES
    told = {
        "trial": (False, False),
        "paid": (True, False),
        "canceled": (True, True),
        "expired": (False, True),
        "declined": (False, True),
    }
    times = zip(leads["converted_at"].notna(), leads["closed_at"].notna(), strict=True)
    assert [told[status] for status in leads["status"]] == list(times)
    assert not (leads["converted_at"] < leads["created_at"]).any()
    assert not (leads["closed_at"] <= leads["created_at"]).any()
    assert not (leads["closed_at"] <= leads["converted_at"]).any()


def test_leads_act_from_creation_until_they_are_closed(demo):
    events = demo.events.merge(demo.leads[["user_id", "created_at", "converted_at", "closed_at"]], on="user_id")
    assert (events["timestamp"] >= events["created_at"]).all()
    assert not (events["timestamp"] >= events["closed_at"]).any()
    after = events["timestamp"] >= events["converted_at"]
    for event_type in ("login", "session", "page_view", "ticket", "invoice"):
        of_type = events["event_type"] == event_type
        assert (of_type & after).any(), event_type
        assert (of_type & ~after).any(), event_type


def test_some_events_arrive_late(demo):
    delay = demo.events["ingested_at"] - demo.events["timestamp"]
    assert delay.min() > pd.Timedelta(0)
    late = delay[delay > pd.Timedelta(minutes=1)]
    assert 0.03 < len(late) / len(delay) < 0.05
    assert late.quantile(0.05) < pd.Timedelta(minutes=10)
    assert late.quantile(0.95) > pd.Timedelta(days=1)
    assert late.max() <= pd.Timedelta(days=7)


def test_invoices_alone_have_amounts_in_the_config_s_currency(demo):
    events = demo.events
    invoices = events["event_type"] == "invoice"
    for column in ("amount", "currency"):
        pd.testing.assert_series_equal(events[column].notna(), invoices, check_names=False)
    assert (events.loc[invoices, "amount"] > 0).all()
    # A customer of the team plan pays 99 a month, in pounds where the country is GB.
    british = events.loc[events["currency"] == "GBP", "amount"]
    assert np.isclose(british, 99 * 1.17).any()
    assert not np.isclose(british, 99).any()
    assert set(events.loc[invoices, "currency"]) == set(RATES)


def test_a_missing_size_and_the_country_na_are_there(demo):
    assert 0.08 < demo.leads["company_size"].isna().mean() < 0.16
    assert demo.leads["company_size"].min() >= 1
    assert (demo.leads["country"] == "NA").sum() > 100
    assert demo.leads[["country", "source", "plan"]].notna().all(axis=None)


@pytest.mark.parametrize(
    ("country", "zone"), [("DE", "Europe/Berlin"), ("US", "America/New_York"), ("IN", "Asia/Kolkata")]
)
def test_leads_sleep_at_night_and_rest_at_weekends_where_they_live(demo, country, zone):
    there = demo.leads.loc[demo.leads["country"] == country, "user_id"]
    events = demo.events[demo.events["user_id"].isin(there) & (demo.events["event_type"] != "invoice")]
    local = events["timestamp"].dt.tz_convert(zone)
    hours = local.dt.hour.value_counts().reindex(range(24), fill_value=0)
    assert hours.loc[1:4].mean() < 0.2 * hours.loc[11:15].mean()
    days = local.dt.day_of_week.value_counts()
    assert days.loc[[5, 6]].mean() < 0.6 * days.loc[[0, 1, 2, 3, 4]].mean()


def test_truth_is_the_rate_at_which_leads_convert(observations):
    assert 0.10 < observations["converts"].mean() < 0.18
    spread = (observations["truth"] * (1 - observations["truth"])).sum() ** 0.5
    assert abs(observations["converts"].sum() - observations["truth"].sum()) < 3 * spread


def test_truth_is_calibrated_in_every_tenth(observations):
    tenth = pd.qcut(observations["truth"], 10, labels=False)
    variance = observations["truth"] * (1 - observations["truth"])
    gap = (observations["converts"] - observations["truth"]).groupby(tenth).sum()
    z = gap / variance.groupby(tenth).sum() ** 0.5
    assert len(z) == 10
    assert z.abs().max() < 3.5
    assert (z**2).sum() < 29.6  # chi-square of 10 degrees of freedom, one in a thousand


def test_truth_is_calibrated_at_other_times_and_for_other_horizons(demo):
    leads = demo.leads
    for age, horizon in [(0, 7), (40, 60)]:
        as_of = leads["created_at"] + pd.Timedelta(days=age)
        until = as_of + pd.Timedelta(days=horizon)
        turn = leads[["converted_at", "closed_at"]].min(axis=1)
        seen = (turn.isna() | (turn >= as_of)) & (until <= demo.data_end)
        truth = demo.truth(leads["user_id"][seen], as_of[seen], pd.Timedelta(days=horizon))
        converts = (leads["converted_at"] < until)[seen]
        assert abs(converts.sum() - truth.sum()) < 3 * (truth * (1 - truth)).sum() ** 0.5, (age, horizon)


def test_truth_follows_the_laws_of_probability(demo):
    ids, as_of = demo.leads["user_id"], demo.leads["created_at"] + DELAY
    truth = demo.truth(ids, as_of, HORIZON)
    assert truth.dtype == np.float64
    assert truth.shape == (len(ids),)
    assert ((truth >= 0) & (truth <= 1)).all()
    assert (demo.truth(ids, as_of, pd.Timedelta(0)) == 0).all()
    ten, rest = pd.Timedelta(days=10), pd.Timedelta(days=20)
    stays = (1 - demo.truth(ids, as_of, ten)) * (1 - demo.truth(ids, as_of + ten, rest))
    np.testing.assert_allclose(1 - truth, stays, atol=1e-12)
    expired = demo.leads[demo.leads["status"] == "expired"]
    assert (demo.truth(expired["user_id"], expired["closed_at"], HORIZON) == 0).all()


def test_truth_follows_the_ids_it_is_asked_for(demo):
    asked = demo.leads.iloc[[5, 0, 5]]
    as_of = asked["created_at"] + DELAY
    whole = demo.truth(demo.leads["user_id"], demo.leads["created_at"] + DELAY, HORIZON)
    assert demo.truth(asked["user_id"].tolist(), as_of, HORIZON).tolist() == whole[[5, 0, 5]].tolist()


def test_truth_refuses_strangers(demo):
    with pytest.raises(DataError, match=r"1 user_id are not among the simulated leads: 'nobody'"):
        demo.truth(["L000001", "nobody"], pd.DatetimeIndex([demo.data_end] * 2), HORIZON)


def test_intent_shows_in_sessions(demo, observations):
    sessions = demo.events[demo.events["event_type"] == "session"].merge(observations, on="user_id")
    before = sessions[sessions["timestamp"] < sessions["as_of"]].groupby("user_id").size()
    counts = observations["user_id"].map(before).fillna(0)
    assert counts.rank().corr(observations["truth"].rank()) > 0.3


def test_neither_id_nor_row_tells_anything(demo, observations):
    chance = 4 / len(observations) ** 0.5
    row = pd.Series(np.arange(len(observations)), index=observations.index)
    number = observations["user_id"].str.slice(1).astype(int)
    for position in (row, number):
        assert abs(position.corr(observations["truth"].rank())) < chance
        assert abs(position.corr(observations["converts"].astype(float))) < chance
        assert abs(position.corr(observations["created_at"].astype("int64"))) < chance
    assert demo.leads["user_id"].is_unique


def test_some_leads_are_too_young_for_their_outcome(demo):
    young = demo.leads["created_at"] + DELAY + HORIZON > demo.data_end
    assert 0.03 < young.mean() < 0.12


@pytest.mark.parametrize("n_leads", [1, 2, 50])
def test_small_worlds_work(n_leads):
    small = world(n_leads)
    assert len(small.leads) == n_leads
    assert len(small.truth(small.leads["user_id"], small.leads["created_at"], HORIZON)) == n_leads
    assert str(small.events["currency"].dtype) == "str"


def test_size_scales_the_log(demo):
    small = world(600)
    ratio = (len(demo.events) / 6_000) / (len(small.events) / 600)
    assert 0.85 < ratio < 1.15


def test_only_declared_attributes_are_in_the_table():
    tables = world(50, known_at_creation={"plan": "category"})
    assert list(tables.leads) == ["user_id", "created_at", "status", "converted_at", "closed_at", "plan"]
    assert tables.attributes == {"plan": "category"}


def test_event_types_take_the_config_s_names():
    assert "visit" in set(world(50, event_types={"session": "visit"}).events["event_type"])


def test_what_the_world_does_not_have_is_refused_at_once():
    with pytest.raises(ConfigError) as refused:
        world(
            50,
            known_at_creation={"plan": "number", "mood": "category"},
            rates={"USD": 0.9},
            data_end="2026-01-01",
            labels={"yes": 1},
        )
    message = str(refused.value)
    assert "4 problems" in message
    assert "data.labels is {'yes': 1}: the simulated leads have no label" in message
    assert "data.data_end is 2026-01-01: " in message
    assert "data.known_at_creation has {'mood': 'category', 'plan': 'number'}" in message
    assert "data.rates has no GBP" in message


def test_a_currency_is_needed():
    with pytest.raises(ConfigError, match=r"data\.currency is null: .* EUR, GBP, USD"):
        world(50, currency=None)


def test_the_shipped_config_declares_this_world():
    shipped = OmegaConf.to_container(OmegaConf.load(CONF / "data" / "demo.yaml"))
    assert set(shipped["statuses"]) == STATUSES
    assert shipped["known_at_creation"] == ATTRIBUTES
    assert (shipped["currency"], shipped["rates"]) == ("EUR", RATES)
