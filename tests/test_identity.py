"""Two runs have the same name when, and only when, they ask the same of the same data."""

import subprocess

import pandas as pd
import pytest
from conftest import event_table, lead_table, tables

from leadscore.identity.asked import canonical_config, config_hash, parts
from leadscore.identity.content import data_hash, frame_hash, validation_hash
from leadscore.identity.surroundings import environment, git_state
from leadscore.pipeline import compose, plan_run


def asked(*overrides: str) -> str:
    config = compose(list(overrides))
    return config_hash(canonical_config(config, plan_run(config).asked))


def asked_parts(*overrides: str) -> dict[str, str]:
    config = compose(list(overrides))
    return parts(canonical_config(config, plan_run(config).asked))


# Recorded on the day the hash was made. A failure here means that old runs would get new names: that is a new
# HASH_VERSION, never a quiet edit of these lines.
RECORDED = {
    (): "63bbdf6cf02f873e9d29fe1e7fa27e1398b3139299fedd56c6d295c5d32a4cc0",
    ("model=lightgbm", "features=+sessions"): "98c509226a5aaeb636f0364800df17342ab5177342027f5e852ce8a79407e0f3",
    (
        "window=snapshots",
        "window.max_age=90d",
        "validation=rolling",
    ): "34b1e0e13b735caebfc2a24987da870458d0ace5b0c4223d0cc983d17aeaae63",
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
    ],
)
def test_anything_that_can_change_a_prediction_changes_the_name(other):
    assert asked("model=lightgbm", "features=+sessions", other) != asked("model=lightgbm", "features=+sessions")


def test_a_policy_for_files_changes_their_name():
    files = ["data=bpic2012", "data.dir=."]
    assert asked(*files, "data.policy.duplicate_events=drop_exact") != asked(*files)


def test_the_parts_say_which_part_moved():
    before, after = asked_parts(), asked_parts("model.C=2")
    assert [name for name in before if before[name] != after[name]] == ["model"]
    assert set(before) == {"window", "features", "model", "validation", "data"}


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


def test_a_commit_is_named_and_edits_of_tracked_files_make_it_dirty(tmp_path):
    def git(*words):
        who = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
        done = subprocess.run(["git", *who, *words], cwd=tmp_path, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    git("init", "-q")
    assert git_state(tmp_path) == {"commit": None, "dirty": None}  # a repository without a commit
    (tmp_path / "tracked.txt").write_text("one")
    git("add", ".")
    git("commit", "-q", "-m", "first")
    assert git_state(tmp_path) == {"commit": git("rev-parse", "HEAD"), "dirty": False}
    (tmp_path / "untracked.txt").write_text("a run's own files are no edit")
    assert git_state(tmp_path)["dirty"] is False
    (tmp_path / "tracked.txt").write_text("two")
    assert git_state(tmp_path)["dirty"] is True


def test_without_git_nothing_is_known_and_nothing_breaks(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert git_state(tmp_path) == {"commit": None, "dirty": None}


def test_the_environment_names_what_computes():
    assert environment()["packages"]["pandas"] == pd.__version__
