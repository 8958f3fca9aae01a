"""The walk from a dataset to a trained run: what is fitted, measured, compared and kept, on rows made by hand."""

from dataclasses import replace
from itertools import product

import numpy as np
import pandas as pd
import pytest

from leadscore.config.schema import BaselineModel, LightgbmModel, LogisticModel
from leadscore.features import FeatureTable, make_plan
from leadscore.model import make_model, model_names, save_model
from leadscore.pipeline import build_dataset, compose, train_model
from leadscore.results import Dataset
from leadscore.split import Fold
from leadscore.tables import Tables
from leadscore.window import Observations

DAY = pd.Timedelta(days=1)
START = pd.Timestamp("2024-01-01", tz="UTC")
HORIZON = 10 * DAY
N = 160

# Day 80 .. 119 validates what days 10 .. 70 taught, then day 120 .. 159 what days 10 .. 110 did.
FOLDS = [
    Fold(START + 10 * DAY, START + 80 * DAY, START + 120 * DAY, HORIZON),
    Fold(START + 10 * DAY, START + 120 * DAY, START + 160 * DAY, HORIZON),
]
TRAIN = [slice(10, 71), slice(10, 111)]
VALID = [slice(80, 120), slice(120, 160)]
COUNTS = {
    "candidates": 240,
    "before window.start": 20,
    "at or after window.end": 10,
    "immature (as_of + horizon after data_end)": 50,
    "observations": N,
}
FAST = LightgbmModel(n_estimators=10, min_child_samples=5)


@pytest.fixture(scope="module")
def config():
    return compose(["model=logistic"])


def true_probability(days: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(days / 4 - 2))


@pytest.fixture
def dataset(config) -> Dataset:
    """One lead a day; who acted lately converts more often."""
    rng = np.random.default_rng(7)
    days = rng.integers(0, 20, N).astype("float64")
    frame = pd.DataFrame(
        {
            "user_id": pd.Series([f"u{day:03d}" for day in range(N)], dtype="str"),
            "as_of": pd.Series(pd.date_range(START, periods=N, freq="D", unit="us")),
            "label": (rng.random(N) < true_probability(days)).astype("int8"),
            "lead_row": np.arange(N),
        }
    )
    X = pd.DataFrame(
        {
            "country": pd.Series(rng.choice(["DE", "FR"], N), dtype="str"),
            "days_since_last_event": days,
            "noise": rng.normal(size=N),
        }
    ).set_index(pd.MultiIndex.from_frame(frame[["user_id", "as_of"]]))

    def truth(user_id: pd.Series, as_of: pd.Series, horizon: pd.Timedelta) -> np.ndarray:
        assert horizon == HORIZON
        assert [START + int(user[1:]) * DAY for user in user_id] == as_of.tolist()
        return true_probability(days[[int(user[1:]) for user in user_id]])

    return Dataset(
        config=config,
        plan=make_plan({}, {}, {}),
        tables=Tables(None, None, START + N * DAY + HORIZON, truth=truth),
        observations=Observations(frame, HORIZON, COUNTS),
        folds=FOLDS,
        table=FeatureTable(X),
    )


def share_of_pairs_in_order(label: pd.Series, score: np.ndarray) -> float:
    """The AUC from its definition; a tie is half a pair."""
    higher = score[label.to_numpy() == 1]
    lower = score[label.to_numpy() == 0]
    return float(np.mean([(a > b) + (a == b) / 2 for a, b in product(higher, lower)]))


def said(trained, code: str) -> str:
    (sentence,) = [check.sentence for check in trained.checks if check.code == code]
    return sentence


# --- what is fitted and kept ----------------------------------------------------------------------------


def test_each_fold_is_scored_by_a_model_of_its_own_training_rows_and_the_last_is_kept(dataset, config):
    trained = train_model(dataset, config)
    X, y = dataset.X, dataset.y
    by_hand = [make_model(config.model, 0).fit(X[train], y[train]) for train in TRAIN]

    for result, model, valid in zip(trained.folds, by_hand, VALID, strict=True):
        pd.testing.assert_series_equal(result.probability, model.predict_proba(X[valid]), check_exact=True)
        pd.testing.assert_series_equal(result.label, y[valid])
    assert [(result.n_train, result.n_purged) for result in trained.folds] == [(61, 9), (101, 9)]
    pd.testing.assert_series_equal(trained.model.predict_proba(X), by_hand[-1].predict_proba(X), check_exact=True)
    assert trained.predictions["fold"].tolist() == [0] * 40 + [1] * 40
    assert trained.predictions["user_id"].tolist() == [f"u{day:03d}" for day in range(80, 160)]


def test_what_matters_is_told_by_each_folds_model_on_its_validation_rows(dataset, config):
    trained = train_model(dataset, config)

    moved = [
        result.model.explain(dataset.X[valid]).contributions.abs().mean()
        for result, valid in zip(trained.folds, VALID, strict=True)
    ]
    told = trained.importance.set_index("feature")
    assert told["importance"].to_dict() == pytest.approx((sum(moved) / 2).to_dict(), abs=1e-12)
    assert told["least"].to_dict() == pytest.approx(np.minimum(*moved).to_dict(), abs=1e-12)
    assert told["most"].to_dict() == pytest.approx(np.maximum(*moved).to_dict(), abs=1e-12)


MODELS = {
    "logistic": LogisticModel(),
    "lightgbm": FAST,
    "baseline": BaselineModel(),
    "baseline by recency": BaselineModel(rank_by="days_since_last_event"),
}


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS.keys())
def test_nothing_after_the_last_training_row_moves_a_fitted_model(dataset, config, tmp_path, model):
    last = replace(dataset, folds=FOLDS[1:])
    later = np.random.default_rng(1).permutation(np.arange(111, N))  # purged and validation rows
    X = pd.concat([dataset.X[:111], dataset.X.iloc[later].set_axis(dataset.X.index[111:])])
    frame = dataset.observations.frame.copy()
    frame.loc[111:, "label"] = 1 - frame["label"].to_numpy()[later]
    other = replace(last, table=FeatureTable(X), observations=Observations(frame, HORIZON, COUNTS))
    assert not X.equals(dataset.X)

    trained = [train_model(each, replace(config, model=model)) for each in (last, other)]

    files = [save_model(run.model, tmp_path / str(n), {})["files"] for n, run in enumerate(trained)]
    assert files[0] == files[1]


def test_every_registered_model_is_held_to_that():
    assert sorted({model.name for model in MODELS.values()}) == model_names()


# --- what it is measured by -----------------------------------------------------------------------------


def test_the_metrics_are_the_mean_over_the_folds(dataset, config):
    trained = train_model(dataset, config)

    aucs = [share_of_pairs_in_order(result.label, result.probability.to_numpy()) for result in trained.folds]
    briers = [float(((result.probability - result.label) ** 2).mean()) for result in trained.folds]
    assert aucs[0] != aucs[1]
    assert trained.metrics["metrics"]["auc"] == pytest.approx(sum(aucs) / 2, abs=1e-12)
    assert trained.metrics["metrics"]["brier"] == pytest.approx(sum(briers) / 2, abs=1e-12)
    assert [fold["metrics"]["auc"] for fold in trained.metrics["folds"]] == pytest.approx(aucs, abs=1e-12)


def test_the_base_rate_is_that_of_the_training_rows_for_everyone(dataset, config):
    for result, train in zip(train_model(dataset, config).folds, TRAIN, strict=True):
        rate = dataset.y[train].mean()
        assert result.baselines["base_rate"].probability.tolist() == pytest.approx([rate] * 40, abs=1e-12)
        assert rate != pytest.approx(result.label.mean(), abs=1e-3)
        assert result.baselines["base_rate"].evaluation.metrics["auc"].value == 0.5


def test_the_recency_baseline_puts_the_most_recently_active_first(dataset, config):
    for result in train_model(dataset, config).folds:
        recency = result.baselines["recency"]
        days = dataset.X["days_since_last_event"][result.probability.index]
        ordered = recency.probability[days.sort_values().index]
        assert ordered.is_monotonic_decreasing
        assert ordered.iloc[0] > ordered.iloc[-1] + 0.3
        auc = share_of_pairs_in_order(result.label, recency.probability.to_numpy())
        assert recency.evaluation.metrics["auc"].value == pytest.approx(auc, abs=1e-12)


def test_without_that_feature_the_base_rate_is_the_only_baseline(dataset, config):
    blind = replace(dataset, table=FeatureTable(dataset.X.drop(columns="days_since_last_event")))

    trained = train_model(blind, config)

    assert [list(result.baselines) for result in trained.folds] == [["base_rate"]] * 2
    assert "the baseline's is 0.500" in said(trained, "LS001")


def test_the_best_reachable_is_what_the_simulators_own_probabilities_reach(dataset, config):
    for result in train_model(dataset, config).folds:
        days = dataset.X["days_since_last_event"][result.probability.index].to_numpy()
        auc = share_of_pairs_in_order(result.label, true_probability(days))
        assert result.best_reachable.metrics["auc"].value == pytest.approx(auc, abs=1e-12)


def test_real_data_know_no_best_reachable(dataset, config):
    real = replace(dataset, tables=replace(dataset.tables, truth=None))

    assert [result.best_reachable for result in train_model(real, config).folds] == [None, None]


# --- what is checked ------------------------------------------------------------------------------------


def test_the_baseline_is_met_in_all_folds(dataset, config):
    trained = train_model(dataset, config)
    model, recency = (trained.compared[name]["auc"] for name in ("this run", "recency"))
    assert said(trained, "LS001").startswith(
        f"Validation AUC is {model:.3f} (mean of 2 folds); the baseline's is {recency:.3f}, {model - recency:+.3f} ["
    )


def test_other_checks_look_at_the_last_fold_and_count_rows_of_all_folds_once(dataset, config):
    trained = train_model(dataset, config)

    last = trained.folds[-1]
    model = last.evaluation.metrics["auc"].value
    train = share_of_pairs_in_order(dataset.y[TRAIN[1]], last.model.predict_proba(dataset.X[TRAIN[1]]).to_numpy())
    assert said(trained, "LS002").startswith(f"AUC is {train:.3f} on training and {model:.3f} on validation rows")
    assert "of 101 rows in training" in said(trained, "LS005")
    assert "of 40 in validation" in said(trained, "LS005")
    # Days 10 .. 159 are in some fold; 160 are observed, and 30 more would be without the window's borders.
    assert said(trained, "LS007").startswith("150 of 190 observations")


def test_a_baseline_is_not_asked_to_beat_itself(dataset, config):
    trained = train_model(dataset, replace(config, model=BaselineModel()))

    assert said(trained, "LS001") == "No baseline was scored."


# --- whose config ---------------------------------------------------------------------------------------


def test_a_seed_reaches_the_model_and_the_predictions(dataset, config):
    sampled = replace(config, model=replace(FAST, subsample=0.5))

    first, again, other = (train_model(dataset, replace(sampled, seed=seed)).predictions for seed in (0, 0, 5))

    assert set(first["seed"]) == {0}
    assert set(other["seed"]) == {5}
    assert first["probability"].tolist() == again["probability"].tolist()
    assert first["probability"].tolist() != other["probability"].tolist()


def test_a_run_is_of_the_config_it_was_trained_with_not_of_its_datasets(dataset, config):
    other = replace(config, model=BaselineModel(), seed=5)

    trained = train_model(dataset, other)

    assert trained.config is other
    assert trained.model.name == "baseline"
    assert set(trained.predictions["seed"]) == {5}
    assert trained.dataset.config is config


def test_the_seed_on_the_command_line_is_the_runs_seed():
    composed = compose(["seed=5", "data.n_leads=300", "features=attributes", "model=baseline"])

    assert set(train_model(build_dataset(composed), composed).predictions["seed"]) == {5}
