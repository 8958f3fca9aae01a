"""When a column of an earlier build is the same: only when nothing that decides its values has changed."""

import importlib
import sys

import pandas as pd
import pytest
from conftest import event_table, lead_table, tables, utc

from leadscore.features import build, make_plan
from leadscore.features.columns import StoredColumns
from leadscore.features.plan import Plan, Planned
from leadscore.features.registry import Feature
from leadscore.identity.columns import column_keys
from leadscore.identity.content import data_hash
from leadscore.store import Store

LEADS = lead_table({"a": "2024-01-01", "b": "2024-01-01"}, zone=["Asia/Tokyo", "UTC"])
LOG = event_table(("a", "2024-03-01T23:00Z", "x"), ("b", "2024-03-02", "y"), amount=[1.0, 2.0])
TABLES = tables(LEADS, LOG, zone="category")
ASKED = pd.DataFrame({"user_id": ["a", "b"], "as_of": utc("2024-03-08", "2024-03-08"), "lead_row": [0, 1]})
ASKED = ASKED.astype({"user_id": "str"})


def keys(plan, made=TABLES, asked=ASKED):
    return column_keys(plan, data_hash(made), made, asked)


def declared(**spec):
    return make_plan({"it": spec}, {}, {"zone": "category"})


def of(function, **declaration):
    return Plan((Planned(Feature("it", function, "events", no_events=0.0, meaning="it", **declaration)),))


def size(events, now):
    return events.groupby("user_id").size()


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    """Write a module and import it; returns its function `it`."""

    def written(source, name="a_plugin"):
        (tmp_path / f"{name}.py").write_text(source)
        monkeypatch.syspath_prepend(str(tmp_path))
        monkeypatch.delitem(sys.modules, name, raising=False)
        return importlib.import_module(name).it

    return written


PLAIN = "def it(events, now):\n    return events.groupby('user_id').size()\n"


def test_data_observations_and_declarations_move_a_key(plugin):
    size = plugin(PLAIN)
    key = keys(of(size))["it"]
    assert keys(of(size))["it"] == key
    assert keys(of(size, unit="x"))["it"] != key
    other = tables(LEADS, LOG.assign(amount=[1.0, 3.0]), zone="category")
    assert keys(of(size), other)["it"] != key
    assert keys(of(size), asked=ASKED.iloc[:1])["it"] != key
    assert keys(of(size), asked=ASKED.assign(as_of=utc("2024-03-09", "2024-03-08")))["it"] != key


def test_the_rules_of_a_zone_are_part_of_what_they_decide(monkeypatch):
    night = {"aggregate": "count", "when": "night"}
    berlin, utc_night = (keys(declared(**night, **zone))["it"] for zone in ({"zone": "Europe/Berlin"}, {}))
    monkeypatch.setattr("leadscore.identity.columns.zone_rules", lambda zone: f"new rules of {zone}")
    assert keys(declared(**night, zone="Europe/Berlin"))["it"] != berlin
    assert keys(declared(**night))["it"] == utc_night
    assert keys(declared(**night, zone="lead.zone")) == {}  # too many rules to name


def test_what_reads_dates_of_some_zone_or_the_environment_is_not_kept(plugin):
    assert keys(of(plugin(PLAIN, "plain"), calendar="date")) == {}
    source = "import os\ndef it(events, now):\n    return events.groupby('user_id').size() * int(os.environ['K'])\n"
    assert keys(of(plugin(source, "with_settings"))) == {}


def test_another_version_of_a_package_that_a_plugin_uses_is_another_column(plugin, monkeypatch):
    it = plugin(f"import rich\n{PLAIN}", "with_a_package")
    key = keys(of(it))["it"]
    monkeypatch.setattr("leadscore.identity.columns.version", lambda name: "99")
    assert keys(of(it))["it"] != key


@pytest.mark.parametrize("taken_from_cache", ["a_count", "twice", "both"])
def test_columns_from_the_cache_and_new_ones_fit_together(tmp_path, taken_from_cache):
    def a_count(events, now):
        return events.groupby("user_id").size()

    def twice(events, now, *, a_count):
        return 2 * a_count

    count = Feature("a_count", a_count, "events", no_events=0.0, meaning="n")
    double = Feature("twice", twice, "events", no_events=0.0, meaning="2n", needs=("a_count",))
    last = make_plan({"last": {"aggregate": "last", "column": "event_type"}}, {}, {}).steps
    plan = Plan((Planned(count), Planned(double, inputs={"a_count": count}), *last))
    expected = build(TABLES, ASKED, plan)
    assert expected.X["twice"].tolist() == [2, 2]
    whole = StoredColumns(Store(tmp_path, 10**9), dict.fromkeys(["a_count", "twice", "last"], "") | named("abc"))
    build(TABLES, ASKED, plan, cache=whole)
    some = {"a_count", "twice"} if taken_from_cache == "both" else {taken_from_cache}
    part = StoredColumns(Store(tmp_path, 10**9), {name: key for name, key in named("abc").items() if name in some})
    table = build(TABLES, ASKED, plan, cache=part)
    assert set(table.recalled) == some
    pd.testing.assert_frame_equal(table.X, expected.X)
    again = build(TABLES, ASKED, plan, cache=whole)
    assert set(again.recalled) == {"a_count", "twice", "last"}
    assert again.seconds == {}
    pd.testing.assert_frame_equal(again.X, expected.X)


def named(letters):
    return dict(zip(["a_count", "twice", "last"], (letter * 64 for letter in letters), strict=True))


def test_a_column_that_was_pruned_meanwhile_is_computed(tmp_path):
    store = Store(tmp_path, 10**9)
    columns = StoredColumns(store, {"it": "a" * 64})
    build(TABLES, ASKED, of(size), cache=columns)
    folder = store.find("column", "a" * 64)
    (folder / "column.arrow").unlink()
    columns.store.find = lambda kind, key: folder  # as if it had been whole a moment ago
    assert build(TABLES, ASKED, of(size), cache=columns).recalled == ()
