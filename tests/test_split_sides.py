"""How late events are, how different the sides are, and what another sample of leads would be."""

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
from conftest import event_table
from hypothesis import given, settings
from hypothesis import strategies as st

from leadscore import eventlog
from leadscore.config.schema import HoldoutValidation
from leadscore.errors import ConfigError, WindowError
from leadscore.eventlog import EventLog
from leadscore.pipeline import build_dataset, compose, train_model, walk_to_folds
from leadscore.split import compare_sides, embargo_of, resample_leads

START = pd.Timestamp("2024-01-01", tz="UTC")


# --- embargo: auto ----------------------------------------------------------------------------------------


def log_of(seconds_late: list[float]) -> EventLog:
    happened = pd.Series([START] * len(seconds_late), dtype="datetime64[us, UTC]")
    frame = pd.DataFrame({"user_id": [f"u{n}" for n in range(len(seconds_late))], "event_type": "login"}, dtype="str")
    late = pd.to_timedelta(pd.Series(seconds_late), unit="s").astype("timedelta64[us]")
    return EventLog.from_frame(frame.assign(timestamp=happened, ingested_at=happened + late))


def test_the_embargo_is_what_99_of_100_events_do_not_exceed():
    assert embargo_of(log_of([*range(99), 5_000])) == timedelta(seconds=98)
    assert embargo_of(log_of([0.0] * 50 + [0.25])) == timedelta(seconds=1)  # whole seconds, upwards


@settings(max_examples=100, deadline=None)
@given(delays=st.lists(st.integers(0, 10**6), min_size=1, max_size=300), parts=st.integers(1, 5))
def test_a_log_in_parts_has_the_same_lateness(delays, parts):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(eventlog, "PART_ROWS", max(1, len(delays) // parts))
        log = log_of([float(delay) for delay in delays])
    expected = np.percentile(delays, 99, method="inverted_cdf")
    assert embargo_of(log) == timedelta(seconds=int(expected))


def test_no_events_are_never_late_and_undated_ones_are_refused():
    assert embargo_of(None) == timedelta(0)
    undated = EventLog.from_frame(event_table(("a", "2024-03-01", "login")))
    with pytest.raises(
        WindowError, match=r"validation.embargo auto .* map ingested_at in data.events.columns, or state"
    ):
        embargo_of(undated)


def test_an_embargo_of_auto_reaches_the_folds():
    stated, auto = (walk_to_folds(compose([f"validation.embargo={e}", "data.n_leads=400"])) for e in ("0d", "auto"))
    assert auto.folds[0].embargo == embargo_of(auto.tables.log) > timedelta(0)
    assert auto.folds[0].train_last == stated.folds[0].train_last - auto.folds[0].embargo


def test_a_misspelt_embargo_is_named():
    with pytest.raises(ConfigError, match=r"validation.embargo: 'atuo' is not a duration"):
        compose(["validation.embargo=atuo"])


# --- the sides --------------------------------------------------------------------------------------------


def rows(name: str, n: int, seed: int = 0, **columns: object) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    index = pd.MultiIndex.from_product([[f"{name}{row}" for row in range(n)], [START]], names=["user_id", "as_of"])
    return pd.DataFrame({"x": rng.normal(size=n), "y": rng.normal(size=n), **columns}, index=index)


def test_sides_from_one_world_cannot_be_told_apart():
    sides = compare_sides(rows("a", 2_000), rows("b", 1_000, seed=1))
    assert abs(sides.adversarial_auc - 0.5) < 0.05


@pytest.mark.parametrize(
    "drift",
    [lambda x: x + 3.0, lambda x: x.abs() + 2, lambda x: x.where(x < -5)],
    ids=["moved", "folded", "missing"],
)
def test_a_drifting_column_is_named(drift):
    valid = rows("b", 800, seed=1)
    sides = compare_sides(rows("a", 800), valid.assign(y=drift(valid["y"])))
    assert sides.adversarial_auc > 0.8
    assert sides.most_telling == "y"
    assert sides.told_apart == (sides.adversarial_auc, "y")
    assert 0.8 < sides.most_telling_auc <= 1


def test_categories_tell_too():
    train = rows("a", 300, plan=pd.Series(["free"] * 300, dtype="str").to_numpy())
    valid = rows("b", 300, seed=1, plan=pd.Series(["pro"] * 300, dtype="str").to_numpy())
    both = [frame.astype({"plan": "str"}) for frame in (train, valid)]
    assert compare_sides(*both).most_telling == "plan"


def test_knowing_a_lead_is_no_help():
    """The same leads on both sides, each with a value of its own: a split by rows would tell nothing either way."""
    train, valid = rows("a", 200), rows("a", 200)
    sides = compare_sides(train, valid)
    assert (sides.valid_leads, sides.leads_in_both) == (200, 200)
    assert abs(sides.adversarial_auc - 0.5) < 0.05


def test_too_few_rows_are_a_reason():
    sides = compare_sides(rows("a", 200), rows("b", 10))
    assert sides.adversarial_auc is None
    assert sides.reason == "a side has 10 rows, and at least 30 are needed"
    one_lead = rows("a", 1).iloc[[0] * 60]
    assert compare_sides(one_lead, one_lead).reason == "too few leads to cross-validate"


def test_every_run_reports_its_sides():
    from leadscore.record.write import metrics_of

    config = compose(["window=snapshots", "window.max_age=30d", "data.n_leads=600"])
    trained = train_model(build_dataset(config), config)
    (told,) = metrics_of(trained)["train_and_valid"]
    (fold,), frame = trained.dataset.folds, trained.dataset.observations.frame
    both = set(frame["user_id"][fold.train(frame)]) & set(frame["user_id"][fold.valid(frame)])
    assert told["leads_in_both"] == len(both)
    assert 0 < told["adversarial_auc"] < 1
    assert told["most_telling"] in trained.dataset.X
    assert metrics_of(trained)["metrics"]["calibration_in_the_large"] is not None
    (drift,) = [check.sentence for check in trained.checks if check.code == "LS012"]
    assert f"AUC of {told['adversarial_auc']:.3f}, most by {told['most_telling']}" in drift


# --- seeds ------------------------------------------------------------------------------------------------


def test_a_drawn_lead_brings_all_its_rows_as_often_as_it_is_drawn():
    user_id = pd.Series(["a", "b", "a", "c", "b", "a"], dtype="str")
    taken = resample_leads(user_id, pd.Series([0, 1, 0, 0, 1, 0]), (7,))
    times = pd.Series(taken).value_counts()
    for lead in ("a", "b", "c"):
        assert len({int(times.get(row, 0)) for row in user_id.index[user_id == lead]}) == 1
    assert taken.tolist() == sorted(taken)


def test_a_resample_is_seeded_and_has_both_classes():
    user_id = pd.Series([f"u{n}" for n in range(8)], dtype="str")
    label = pd.Series([1] + [0] * 7)
    drawn = [resample_leads(user_id, label, (seed,)) for seed in range(50)]
    assert all(label[rows].sum() for rows in drawn)
    assert resample_leads(user_id, label, (3,)).tolist() == drawn[3].tolist() != drawn[4].tolist()


@pytest.fixture(scope="module")
def thrice():
    config = compose(["validation.seeds=3", "seed=5", "data.n_leads=800", "validation=rolling", "validation.folds=2"])
    return train_model(build_dataset(config), config)


def test_every_fit_predicts_the_same_rows(thrice):
    predictions = thrice.predictions
    assert sorted(predictions["seed"].unique()) == [5, 6, 7]
    by_seed = [
        each.drop(columns=["seed", "probability"]).reset_index(drop=True) for _, each in predictions.groupby("seed")
    ]
    pd.testing.assert_frame_equal(by_seed[0], by_seed[1])
    pd.testing.assert_frame_equal(by_seed[0], by_seed[2])
    assert predictions.groupby("seed")["probability"].sum().nunique() == 3


def test_more_seeds_change_no_number_of_the_first(thrice):
    once = train_model(thrice.dataset, compose(["seed=5", "data.n_leads=800", "validation=rolling"]))
    assert once.metrics["metrics"] == thrice.metrics["metrics"]
    first = thrice.predictions[thrice.predictions["seed"] == 5].reset_index(drop=True)
    assert set(once.predictions["seed"]) == {5}
    both = once.predictions.sort_values(["fold", "as_of", "user_id"], ignore_index=True)
    pd.testing.assert_frame_equal(first.sort_values(["fold", "as_of", "user_id"], ignore_index=True), both)
    assert once.model.predict_proba(thrice.dataset.X).equals(thrice.model.predict_proba(thrice.dataset.X))


def test_metrics_have_each_fit_and_their_spread(thrice):
    from leadscore.record.write import metrics_of

    told = metrics_of(thrice)
    assert [fit["seed"] for fit in told["seeds"]] == [5, 6, 7]
    assert told["seeds"][0]["metrics"] == told["metrics"]
    aucs = [fit["metrics"]["auc"] for fit in told["seeds"]]
    assert len(set(aucs)) == 3
    assert told["seed_spread"]["auc"] == {
        "least": min(aucs),
        "most": max(aucs),
        "sd": pytest.approx(float(np.std(aucs, ddof=1))),
    }


def test_one_seed_is_the_default_and_says_nothing_of_a_spread():
    from leadscore.record.write import metrics_of

    config = compose(["data.n_leads=400"])
    told = metrics_of(train_model(build_dataset(config), config))
    assert "seeds" not in told
    assert HoldoutValidation().seeds == 1
