"""What changed between two runs: each part says only what differs, and the override line is found by composing."""

import dataclasses
import importlib
import sys
from types import SimpleNamespace

import pandas as pd
import pytest
import yaml
from conftest import utc

from leadscore.changes.code import code_changes, moved_things
from leadscore.changes.config import ABSENT, Change, asked, changes
from leadscore.changes.data import data_changes
from leadscore.changes.movers import movers
from leadscore.changes.override import fewest_overrides
from leadscore.config.compose import compose_tree, config_loader
from leadscore.eventlog import EventLog
from leadscore.identity.profile import profile
from leadscore.identity.source import read_code
from leadscore.pipeline import compose
from leadscore.record.find import Run
from leadscore.record.write import config_yaml
from leadscore.tables import Tables

# --- the fewest overrides -----------------------------------------------------------------------------


def as_run(tmp_path, name, overrides, started_by_hydra=True):
    """What a run of these overrides leaves of its config."""
    folder = tmp_path / name
    (folder / ".hydra").mkdir(parents=True)
    (folder / "config.yaml").write_text(config_yaml(compose(overrides)))
    if started_by_hydra:
        with config_loader(None):
            choices = dict(compose_tree(overrides).hydra.runtime.choices)
        (folder / ".hydra" / "overrides.yaml").write_text(yaml.safe_dump(overrides))
        runtime = {"choices": choices, "config_sources": [{"path": "anything", "provider": "main"}]}
        (folder / ".hydra" / "hydra.yaml").write_text(yaml.safe_dump({"hydra": {"runtime": runtime}}))
    return Run(folder, {"run_id": name})


CALLS = ["+features.calls={aggregate:count,event_type:call,lookback:7d}"]
LONGER = "+features.calls={aggregate:count,event_type:call,lookback:14d}"


@pytest.mark.parametrize(
    ("a", "b", "added", "dropped"),
    [
        ([], ["features=+sessions"], ["features=+sessions"], []),
        (["features=+sessions"], [], ["features=base"], []),
        (["features=+sessions"], ["features=+sessions+recency"], ["features=+sessions+recency"], []),
        ([], ["model=lightgbm"], ["model=lightgbm"], []),
        (["model=lightgbm"], ["model=lightgbm", "model.num_leaves=15"], ["model.num_leaves=15"], []),
        (["model=lightgbm", "model.num_leaves=15"], ["model=logistic"], ["model=logistic"], ["model.num_leaves=15"]),
        (["model=logistic"], ["window.horizon=14d", "model=logistic"], ["window.horizon=14d"], []),
        ([], ["seed=7", "notes=again"], ["seed=7"], []),
        ([], ["~features.last_event_type"], ["~features.last_event_type"], []),
        (["~features.last_event_type"], [], ["+features.last_event_type={}"], []),
        ([], ["notes=only a note", "compute.workers=2"], [], []),
        (
            ["data.n_leads=500"],
            ["data.n_leads=900", "validation=rolling"],
            ["validation=rolling", "data.n_leads=900"],
            [],
        ),
        ([], ["+features.calls={aggregate: count, event_type: call, lookback: 7d}"], CALLS, []),
        (CALLS, [LONGER], ["features.calls.lookback=14d"], []),
    ],
)
def test_the_line_turns_a_into_b_and_no_part_of_it_is_idle(tmp_path, a, b, added, dropped):
    runs = as_run(tmp_path, "a", a), as_run(tmp_path, "b", b)
    found = fewest_overrides(*runs)
    assert found.tried
    assert found.dropped == dropped
    assert sorted(found.added) == sorted(added)
    start = [each for each in a if each not in dropped]
    assert asked(dataclasses.asdict(compose([*start, *found.added]))) == asked(runs[1].config)
    for idle in found.added:
        fewer = [*start, *(each for each in found.added if each != idle)]
        assert asked(dataclasses.asdict(compose(fewer))) != asked(runs[1].config)


def test_a_run_from_a_notebook_has_its_line_read_off_the_configs(tmp_path):
    runs = [as_run(tmp_path, name, each, False) for name, each in (("a", []), ("b", ["window.horizon=14d"]))]
    found = fewest_overrides(*runs)
    assert (found.added, found.dropped, found.tried) == (["window.horizon=14d"], [], False)


def test_a_command_that_no_longer_composes_its_run_is_not_built_upon(tmp_path):
    a, b = as_run(tmp_path, "a", ["seed=1"]), as_run(tmp_path, "b", ["seed=2"])
    (a.folder / ".hydra" / "overrides.yaml").write_text("[seed=1, window.horizon=90d]")  # conf/ has moved since
    found = fewest_overrides(a, b)
    assert (found.added, found.tried) == (["seed=2"], False)


def test_only_what_differs_is_listed():
    a, b = {"model": {"C": 1.0, "max_iter": 5}, "notes": "x"}, {"model": {"C": 2.0, "max_iter": 5}, "seed": 1}
    found = changes(a, b)
    assert found == [Change("model.C", 1.0, 2.0), Change("notes", "x", ABSENT), Change("seed", ABSENT, 1)]


# --- code ---------------------------------------------------------------------------------------------


def code_of(tmp_path, monkeypatch, text):
    """Read the code of a module `team_features` with a helper of its own."""
    (tmp_path / "team_features.py").write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    sys.modules.pop("team_features", None)
    module = importlib.import_module("team_features")
    things = {name: getattr(module, name) for name in ("logins", "calls") if hasattr(module, name)}
    return SimpleNamespace(code=read_code(things).to_json())


BEFORE = '''
DAYS = 7

def week(frame):
    """One week."""
    return frame[frame["age"] < DAYS]

def logins(frame, now):
    return week(frame).groupby("user_id").size()

def calls(frame, now):
    return frame.groupby("user_id").size()
'''


AFTER = BEFORE.replace("One week.", "Seven days.").replace("DAYS = 7", "DAYS  =  7  # a week")


def test_a_helper_that_moved_is_shown_and_who_reaches_it_is_named(tmp_path, monkeypatch):
    a = code_of(tmp_path, monkeypatch, BEFORE)
    b = code_of(tmp_path, monkeypatch, BEFORE.replace('"age"] < DAYS', '"age"] <= DAYS'))
    assert moved_things(a, b) == ["logins"]
    (change,) = code_changes(a, b)
    assert (change.name, change.what) == ("team_features.week", "changed")
    assert '-    return frame[frame["age"] < DAYS]' in change.diff.splitlines()
    assert '+    return frame[frame["age"] <= DAYS]' in change.diff.splitlines()


def test_a_constant_that_moved_is_shown_as_old_and_new(tmp_path, monkeypatch):
    a = code_of(tmp_path, monkeypatch, BEFORE)
    b = code_of(tmp_path, monkeypatch, BEFORE.replace("DAYS = 7", "DAYS = 14"))
    assert moved_things(a, b) == ["logins"]
    (change,) = code_changes(a, b)
    assert (change.name, change.constants, change.diff) == ("team_features.week", {"DAYS": ("7", "14")}, "")


def test_comments_docstrings_and_spaces_are_no_change(tmp_path, monkeypatch):
    a = code_of(tmp_path, monkeypatch, BEFORE)
    b = code_of(tmp_path, monkeypatch, AFTER)
    assert (moved_things(a, b), code_changes(a, b)) == ([], [])


def test_functions_that_one_run_has_alone_are_named(tmp_path, monkeypatch):
    a = code_of(tmp_path, monkeypatch, BEFORE)
    b = code_of(tmp_path, monkeypatch, BEFORE.partition("def calls")[0])
    assert moved_things(a, b) == []
    assert [(each.name, each.what) for each in code_changes(a, b)] == [("team_features.calls", "only A")]


# --- data ---------------------------------------------------------------------------------------------


def tables(**cells):
    leads = pd.DataFrame(
        {
            "user_id": pd.Series(["a", "b", "c"], dtype="str"),
            "created_at": utc("2024-03-01", "2024-03-02", "2024-03-03"),
            "country": pd.Series(["DE", "FR", "DE"], dtype="str"),
            "size": [10.0, 20.0, None],
        }
    )
    events = pd.DataFrame(
        {
            "user_id": pd.Series(["a", "a", "b"], dtype="str"),
            "timestamp": utc("2024-03-04", "2024-03-05", "2024-03-06"),
            "event_type": pd.Series(["login", "call", "login"], dtype="str"),
            "amount": [1.0, 2.0, 3.0],
        }
    )
    for name, (row, value) in cells.items():
        frame, column = (events, name.removeprefix("events_")) if name.startswith("events_") else (leads, name)
        frame.loc[row, column] = value
    return Tables(leads, EventLog.from_frame(events), pd.Timestamp("2024-04-01", tz="UTC"), {"country": "category"})


def what_differs(a, b):
    runs = [SimpleNamespace(identity={"data_hash": name}, data=profile(each)) for name, each in (("x", a), ("y", b))]
    return {each.key: (each.a, each.b) for each in data_changes(*runs)}


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ({"country": (1, "DE")}, {"leads.country different": (2, 1), "leads.country = DE": (2, 3)}),
        ({"size": (2, 30.0)}, {"leads.size missing": (1, 0), "leads.size most": (20.0, 30.0)}),
        ({"events_amount": (0, -1.0)}, {"events.amount least": (1.0, -1.0)}),
        ({"events_event_type": (1, "chat")}, {"events.event_type values"}),
    ],
)
def test_a_changed_cell_is_said_where_it_is(cell, said):
    found = what_differs(tables(), tables(**cell))
    assert set(found) == set(said)
    if isinstance(said, dict):
        assert found == said


def test_a_time_in_the_middle_that_moved_by_a_microsecond_is_seen():
    moved = pd.Timestamp("2024-03-02", tz="UTC") + pd.Timedelta(microseconds=1)
    assert set(what_differs(tables(), tables(created_at=(1, moved)))) == {"leads.created_at values"}


def test_values_that_changed_places_are_said_to_be_combined_otherwise():
    swapped = tables(country=(0, "FR"))
    swapped.leads.loc[1, "country"] = "DE"
    assert what_differs(tables(), swapped) == {"rows": ("the same values in each column", "combined otherwise")}


def test_row_order_and_parts_of_the_log_leave_the_profile_as_it_is(monkeypatch):
    whole = tables()
    monkeypatch.setattr("leadscore.eventlog.PART_ROWS", 1)
    parts = EventLog.from_frame(whole.events.iloc[::-1])
    assert len(parts.parts) > 1
    other = dataclasses.replace(whole, leads=whole.leads.iloc[::-1].reset_index(drop=True), log=parts)
    assert profile(other) == profile(whole)


def test_a_column_and_a_table_that_one_run_lacks():
    less = dataclasses.replace(tables(), leads=tables().leads.drop(columns="size"), log=None)
    assert what_differs(tables(), less) == {"events": ("a table", "none"), "leads.size": ("number", "no column")}


# --- leads --------------------------------------------------------------------------------------------


def scored(tmp_path, name, probabilities, features=None):
    folder = tmp_path / name
    folder.mkdir()
    n = len(probabilities)
    frame = pd.DataFrame(
        {
            "user_id": [f"u{number:02d}" for number in range(n)],
            "as_of": utc(*["2024-03-01"] * n),
            "fold": 0,
            "seed": 0,
            "label": [int(number % 5 == 0) for number in range(n)],
            "probability": probabilities,
        }
    )
    again = frame.assign(seed=1, probability=0.5)  # a refit: the diff of leads is about the model that is kept
    pd.concat([frame, again]).to_parquet(folder / "predictions.parquet")
    if features is not None:
        frame[["user_id", "as_of"]].assign(**features).to_parquet(folder / "features.parquet")
    return Run(folder, {"run_id": name})


def test_the_lead_that_moved_most_comes_first_with_the_features_that_differ(tmp_path):
    falling = [1 - number / 20 for number in range(20)]
    risen = [*falling[:19], 0.99]  # the last lead is second now
    a = scored(tmp_path, "a", falling, {"logins": [1.0] * 20, "plan": ["free"] * 20})
    b = scored(tmp_path, "b", risen, {"logins": [1.0] * 19 + [9.0], "plan": ["free"] * 20, "calls": [None] * 20})
    found = movers(a, b)
    assert (found.n, found.top, found.overlap) == (20, 2, 1)
    assert (found.entered, found.left) == (["u19"], ["u01"])
    assert (found.entered_converted, found.left_converted) == (0, 0)
    first = found.rows[0]
    assert (first["user_id"], first["rank_a"], first["rank_b"]) == ("u19", 20, 2)
    assert first["features"] == {"calls": ["absent", None], "logins": [1.0, 9.0]}
    assert 0.7 < found.rank_correlation < 0.95


def test_equal_scores_have_no_movers_and_no_features_are_needed(tmp_path):
    a, b = (scored(tmp_path, name, [0.5, 0.5, 0.1, 0.2]) for name in "ab")
    found = movers(a, b)
    assert (found.rows, found.entered, found.left, found.overlap) == ([], [], [], found.top)


def test_rows_that_only_one_run_scored_are_counted(tmp_path):
    found = movers(scored(tmp_path, "a", [0.1, 0.2, 0.3]), scored(tmp_path, "b", [0.3, 0.2]))
    assert (found.n_a, found.n_b, found.n) == (3, 2, 2)
