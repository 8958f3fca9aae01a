"""A feature that reads the calendar, or other leads, does not get through a build unnoticed."""

import pandas as pd
import pytest
from conftest import event_table, lead_table, tables

from leadscore.errors import FeatureError
from leadscore.features import build
from leadscore.features.plan import Plan, Planned
from leadscore.features.registry import Feature

DAYS = pd.date_range("2024-01-01", periods=120, freq="3D", tz="UTC")
LEADS = lead_table({f"l{n}": str(day) for n, day in enumerate(DAYS)})
LOG = event_table(*((f"l{n}", str(day + pd.Timedelta(hours=n % 24)), "x") for n, day in enumerate(DAYS)))
OBSERVED = pd.DataFrame(
    {
        "user_id": LEADS["user_id"],
        "as_of": LEADS["created_at"] + pd.Timedelta(days=7),
        "lead_row": range(len(LEADS)),
    }
)


def built(function, source: str = "events"):
    step = Planned(Feature("it", function, source, no_events=0.0, meaning="it"))
    return build(tables(LEADS, LOG, end="2026-01-01"), OBSERVED, Plan((step,))).X["it"]


JUNE = pd.Timestamp("2024-06-01", tz="UTC")


def per_lead(events, values):
    return values.groupby(events["user_id"]).sum()


# Each looks at now too: one that does not gets true times, whatever it declares.
CALENDAR = {
    "months": lambda e, now: per_lead(e[e["timestamp"] < now], e["timestamp"].dt.month == 12),
    "weekdays": lambda e, now: per_lead(e[e["timestamp"] < now], e["timestamp"].dt.day_of_week >= 5),
    "clock times": lambda e, now: per_lead(e[e["timestamp"] < now], e["timestamp"].dt.hour < 6),
    "a fixed date": lambda e, now: per_lead(e, (now - e["timestamp"]).where(e["timestamp"] >= JUNE).dt.days),
    "the month of now": lambda e, now: per_lead(e, e["timestamp"].notna() * now.month),
    "other leads": lambda e, now: per_lead(e, (now - e["timestamp"]).rank()),
}


@pytest.mark.parametrize("what", CALENDAR)
def test_a_feature_of_events_that_reads(what):
    with pytest.raises(FeatureError, match=r"feature 'it' gives lead .*Declare calendar=True"):
        built(CALENDAR[what])


def test_a_function_that_does_not_look_at_now_has_true_times_in_one_call():
    seen = []

    def in_december(events, now):
        seen.append(len(events))
        return (events["timestamp"].dt.month == 12).groupby(events["user_id"]).sum()

    expected = LOG.assign(hit=LOG["timestamp"].dt.month == 12).groupby("user_id")["hit"].sum()
    assert built(in_december).droplevel("as_of")[expected.index].tolist() == expected.tolist()
    assert expected.sum() > 5
    assert len(LOG) in seen


def test_other_leads_are_found_out_also_where_now_is_not_looked_at():
    with pytest.raises(
        FeatureError, match=r"feature 'it' gives lead .*it depends on other leads. Declare across_leads"
    ):
        built(lambda e, now: per_lead(e, e["timestamp"].rank()))


def test_a_lead_feature_that_asks_for_december_in_secret():
    def december(leads, now):
        return ((leads.set_index("user_id")["created_at"].dt.month == 12) & (now.year > 2000)).astype(float)

    with pytest.raises(FeatureError, match="feature 'it' gives lead"):
        built(december, source="leads")


def test_honest_features_pass():
    assert built(lambda e, now: (now - e.groupby("user_id")["timestamp"].max()).dt.total_seconds()).gt(0).all()
    assert built(lambda e, now: e.groupby("user_id").size()).sum() == 120


def test_a_feature_that_exits_is_an_error_of_that_feature():
    def leaves(events, now):
        raise SystemExit(0)

    with pytest.raises(FeatureError, match="feature 'it' raised SystemExit"):
        built(leaves)


def test_every_shipped_feature_survives_the_shift(monkeypatch):
    import importlib

    from leadscore.features import FEATURES, make_plan
    from leadscore.pipeline import compose, walk_to_folds

    monkeypatch.setattr(importlib.import_module("leadscore.features.shift"), "is_shipped", lambda each: False)
    windows = walk_to_folds(compose(["data.n_leads=400"]))
    shipped = {name: {} for name, each in FEATURES.items() if each.function.__module__.startswith("leadscore.")}
    chosen = make_plan(shipped, {"active_user": "any_event_30d"}, windows.config.data.known_at_creation)
    assert build(windows.tables, windows.observations.frame, chosen).X.shape[1] == len(shipped)
