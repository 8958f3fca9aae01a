"""Two runs have the same name when, and only when, they ask the same of the same data."""

import importlib
import sys
import textwrap

import pandas as pd
import pytest
from conftest import event_table, lead_table, tables

from leadscore.identity.asked import canonical_config, config_hash, parts
from leadscore.identity.content import data_hash, frame_hash, validation_hash
from leadscore.identity.source import code_hash
from leadscore.identity.surroundings import environment, git_state
from leadscore.pipeline import compose, plan_run


def asked(*overrides: str) -> str:
    config = compose(list(overrides))
    return config_hash(canonical_config(config, {step.feature.name: step.changed for step in plan_run(config).steps}))


def asked_parts(*overrides: str) -> dict[str, str]:
    config = compose(list(overrides))
    return parts(canonical_config(config, {step.feature.name: step.changed for step in plan_run(config).steps}))


# Recorded on the day the hash was made. A failure here means that old runs would get new names: that is a new
# HASH_VERSION, never a quiet edit of these lines.
RECORDED = {
    (): "cc1242d556eef37b76f03bd00634b21bd361a2010506af0f43bc391c0e279890",
    ("model=lightgbm", "features=+sessions"): "d4b247f1df6190c4940e2d97dd2f882c0abbc8dac8dafef6e48917c6ecf4726a",
    (
        "window=snapshots",
        "window.max_age=90d",
        "validation=rolling",
    ): "91fa03e0bf43161958615a4e59ad4d3ef64bf960f6c96a06de062b6196123901",
}


@pytest.mark.parametrize("overrides", RECORDED)
def test_recorded_names_still_hold(overrides):
    assert asked(*overrides) == RECORDED[overrides]


@pytest.mark.parametrize(
    "same",
    [
        ["model=lightgbm", "features=[base,sessions]"],
        ["features=+sessions", "model=lightgbm"],
        ["model=lightgbm", "features=+sessions", "model.learning_rate=3e-2", "model.reg_lambda=5"],
        ["model=lightgbm", "features=+sessions", "window.horizon=720h"],
        ["model=lightgbm", "features=+sessions", "model.num_threads=2"],
        [
            "model=lightgbm",
            "features=+sessions",
            "seed=5",
            "notes=again",
            "tracking=none",
            "tracking.root=elsewhere",
            "report=false",
        ],
    ],
)
def test_spelling_order_and_what_cannot_change_a_prediction_leave_the_name(same):
    assert asked(*same) == asked("model=lightgbm", "features=+sessions")


@pytest.mark.parametrize(
    "other",
    [
        "model=logistic",
        "features=+recency",
        "window.horizon=29d",
        "window.delay=8d",
        "validation.share=0.3",
        "data.seed=5",
        "data.n_leads=5999",
        "model.num_leaves=8",
        "definitions.active_user=paid_invoice_30d",
        "data.policy.duplicate_events=drop_exact",
    ],
)
def test_anything_that_can_change_a_prediction_changes_the_name(other):
    assert asked("model=lightgbm", "features=+sessions", other) != asked("model=lightgbm", "features=+sessions")


def test_the_parts_say_which_part_moved():
    before, after = asked_parts(), asked_parts("model.C=2")
    assert [name for name in before if before[name] != after[name]] == ["model"]
    assert set(before) == {"window", "features", "model", "validation", "data"}


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Write a module of somebody's features and import it anew."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def write(helper: str, body: str):
        for name, text in (("their_helper", helper), ("their_features", body)):
            (tmp_path / f"{name}.py").write_text(textwrap.dedent(text))
            sys.modules.pop(name, None)
        importlib.invalidate_caches()
        sys.dont_write_bytecode = True
        return importlib.import_module("their_features").count

    return write


HELPER = "LIMIT = 3\ndef limit(x):\n    return x.clip(upper=LIMIT)\n"
BODY = """
import their_helper
from their_helper import limit
DAYS = 7
def count(events_df, now):
    '''Count.'''
    return limit(events_df.groupby("user_id").size() * DAYS)
"""


@pytest.mark.parametrize(
    ("helper", "body", "moved"),
    [
        (HELPER, BODY.replace("'''Count.'''", "'''Count them all.'''"), False),
        (HELPER, BODY.replace("return limit", "# a comment\n    return  limit"), False),
        ("# why\n" + HELPER, "\n\n" + BODY, False),
        (HELPER, BODY.replace("DAYS = 7", "DAYS = 8"), True),
        (HELPER.replace("upper=LIMIT", "lower=LIMIT"), BODY, True),
        (HELPER.replace("LIMIT = 3", "LIMIT = 4"), BODY, True),
        (HELPER, BODY.replace(".size()", ".size() + 1"), True),
        (HELPER, BODY.replace("limit(", "their_helper.limit("), True),  # another tree, whatever it means
    ],
)
def test_code_is_named_by_what_it_does_and_what_it_calls(module, helper, body, moved):
    before = code_hash([module(HELPER, BODY)])
    assert (code_hash([module(helper, body)]) != before) is moved


def test_a_helper_behind_its_module_is_followed_too(module):
    body = BODY.replace("limit(", "their_helper.limit(").replace("from their_helper import limit\n", "")
    before = code_hash([module(HELPER, body)])
    assert code_hash([module(HELPER.replace("LIMIT = 3", "LIMIT = 4"), body)]) != before


def small() -> "tuple[pd.DataFrame, pd.DataFrame]":
    leads = lead_table({"a": "2024-03-01", "b": "2024-03-02"}, country=["DE", None], flag=[True, False])
    return leads, event_table(("a", "2024-03-03", "x"), ("b", "2024-03-04", "y"))


def test_row_order_leaves_the_data_their_name():
    leads, events = small()
    assert data_hash(tables(leads, events)) == data_hash(tables(leads[::-1], events[::-1]))


def test_any_cell_moves_the_datas_name():
    leads, events = small()
    before = data_hash(tables(leads, events))
    changed = [
        (leads.assign(country=["DE", "FR"]), events),
        (leads.assign(flag=[True, True]), events),
        (leads.assign(created_at=leads["created_at"] + pd.Timedelta(microseconds=1)), events),
        (leads.iloc[:1], events),
        (leads, events.assign(event_type=["x", "x"])),
        (leads, events.iloc[:1]),
        (leads, pd.concat([events, events.iloc[:1]])),
        (leads, None),
    ]
    hashes = {data_hash(tables(*pair)) for pair in changed}
    assert before not in hashes
    assert len(hashes) == len(changed)


def test_swapping_values_between_columns_moves_the_name():
    frame = pd.DataFrame({"a": ["x", "y"], "b": ["y", "x"]})
    assert frame_hash(frame) != frame_hash(frame.rename(columns={"a": "b", "b": "a"}).assign(c=1))
    assert frame_hash(frame) != frame_hash(frame.assign(a=["x", "x"], b=["y", "y"]))


def test_validation_rows_are_named_with_their_labels_and_horizon():
    rows = lead_table({"a": "2024-03-01"}).rename(columns={"created_at": "as_of"}).assign(label=1)
    month, week = pd.Timedelta(days=30), pd.Timedelta(days=7)
    assert validation_hash(rows, month) != validation_hash(rows, week)
    assert validation_hash(rows, month) != validation_hash(rows.assign(label=0), month)


def test_outside_git_nothing_is_known_and_nothing_breaks(tmp_path):
    assert git_state(tmp_path) == {"commit": None, "dirty": None}


def test_the_environment_names_what_computes():
    assert environment()["packages"]["pandas"] == pd.__version__
