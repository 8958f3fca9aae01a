"""Class weights are taken off the probabilities again, and what is declared monotone is."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from leadscore.config.schema import HistGradientBoostingModel, LightgbmModel, LogisticModel
from leadscore.errors import ConfigError, ModelError
from leadscore.model import boosting, hist_boosting, make_model, save_model
from leadscore.pipeline import compose

WEIGHED = [LogisticModel(), LightgbmModel(n_estimators=60), HistGradientBoostingModel(max_iter=60)]
CONSTRAINED = [
    LightgbmModel(n_estimators=60, min_child_samples=5),
    HistGradientBoostingModel(max_iter=60, min_samples_leaf=5),
]
by_name = {"ids": lambda config: config.name}


def rare(n, seed, base=-3.0):
    """Return rows of which few convert (or many), more of them with many sessions, fewer long after the last one."""
    rng = np.random.default_rng(seed)
    X = pd.DataFrame({"sessions": rng.normal(size=n), "days": rng.exponential(10, n)})
    X["country"] = pd.Series(rng.choice(["DE", "FR"], n), dtype="str")
    log_odds = base + X["sessions"] - X["days"] / 20 + 0.5 * np.sin(5 * X["sessions"])
    return X, pd.Series((rng.random(n) < 1 / (1 + np.exp(-log_odds))).astype("int64"))


@pytest.mark.parametrize("base", [-3.0, 3.0])
@pytest.mark.parametrize("class_weight", ["none", "balanced"])
@pytest.mark.parametrize("config", WEIGHED, **by_name)
def test_the_mean_probability_is_the_base_rate_with_and_without_weights(config, class_weight, base):
    model = make_model(replace(config, class_weight=class_weight), seed=0).fit(*rare(6_000, seed=1, base=base))
    X, y = rare(6_000, seed=2, base=base)
    p = model.predict_proba(X)

    assert abs(p.mean() - y.mean()) < 3 * np.sqrt((p * (1 - p)).sum()) / len(y)  # noise of the labels alone


@pytest.mark.parametrize("config", WEIGHED, **by_name)
def test_weights_reach_the_fit_and_nothing_else_moves_by_their_ratio(config):
    X, y = rare(2_000, seed=1)
    plain, weighed = (
        make_model(replace(config, class_weight=each), seed=0).fit(X, y).explain(X) for each in ("none", "balanced")
    )

    assert not np.allclose(plain.contributions, weighed.contributions, atol=1e-3)
    assert abs(plain.base - weighed.base) < 1.0  # log(19) = 2.9 if the shift were left in


def lightgbm_scores(model, X):
    booster = model.inner._fitted.booster
    numbers = boosting._matrix(X, model.inner._fitted.levels)
    return [booster.predict(numbers, num_iteration=n + 1, raw_score=True) for n in range(booster.num_trees())]


def hist_scores(model, X):
    fitted = model.inner._fitted
    added = [tree.walk(hist_boosting._matrix(X, fitted.encodings)) for tree in fitted.trees]
    return list(fitted.base + np.cumsum(added, axis=0))  # the class weights taken off


@pytest.mark.parametrize(
    ("config", "scores"),
    [(LightgbmModel(n_estimators=150), lightgbm_scores), (HistGradientBoostingModel(max_iter=150), hist_scores)],
    ids=["lightgbm", "hist_gradient_boosting"],
)
def test_trees_are_stopped_early_by_the_weighted_loss_that_they_are_grown_for(config, scores):
    X, y = rare(4_000, seed=1)
    asked = replace(config, learning_rate=0.1, class_weight="balanced")
    stopped = make_model(replace(asked, early_stopping=10), 0).fit(X[:3000], y[:3000], (X[3000:], y[3000:]))
    whole = make_model(asked, 0).fit(X[:3000], y[:3000])
    negative, positive = (y[:3000] == 0).sum(), y[:3000].sum()
    weights = np.where(y[3000:] == 1, negative / positive, 1.0)
    shift = 0 if scores is lightgbm_scores else np.log(negative / positive)
    losses = [
        np.average(np.logaddexp(0, each + shift) - y[3000:] * (each + shift), weights=weights)
        for each in scores(whole, X[3000:])
    ]

    kept = len(scores(stopped, X[:10]))
    assert kept == int(np.argmin(losses[: kept + 10])) + 1
    unweighted = [np.mean(np.logaddexp(0, each) - y[3000:] * each) for each in scores(whole, X[3000:])]
    assert kept != int(np.argmin(unweighted)) + 1


def test_the_shift_is_kept_in_the_file(tmp_path):
    X, y = rare(500, seed=1)
    save_model(make_model(LightgbmModel(class_weight="balanced"), 0).fit(X, y), tmp_path / "model", {})

    saved = json.loads((tmp_path / "model" / "lightgbm.json").read_text())
    assert saved["shift"] == pytest.approx(np.log((y == 0).sum() / y.sum()))


# --- monotone ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("calibration", ["none", "isotonic", "sigmoid"])
@pytest.mark.parametrize("config", CONSTRAINED, **by_name)
def test_raising_a_feature_that_rises_never_lowers_a_score(config, calibration):
    X, y = rare(1_500, seed=1, base=-1.0)
    inner = None if calibration == "none" else (X[1000:], y[1000:])
    falls = {}
    for monotone in ({}, {"sessions": "rises", "days": "falls"}):
        model = make_model(replace(config, monotone=monotone, calibration=calibration), seed=0)
        model.fit(X[:1000], y[:1000], inner)
        grid = pd.concat([X[:100].assign(sessions=value) for value in np.linspace(-3, 3, 60)])
        scores = model.predict_proba(grid).to_numpy().reshape(60, 100)
        days = pd.concat([X[:100].assign(days=value) for value in np.linspace(60, 0, 60)])
        further = model.predict_proba(days).to_numpy().reshape(60, 100)
        falls[len(monotone)] = min(np.diff(scores, axis=0).min(), np.diff(further, axis=0).min())

    assert falls[0] < 0  # unconstrained, noise makes them fall
    assert falls[2] >= 0


@pytest.mark.parametrize("config", CONSTRAINED, **by_name)
def test_a_constraint_on_what_is_no_number_is_refused_at_the_fit(config):
    X, y = rare(100, seed=1)
    with pytest.raises(ModelError) as refused:
        make_model(replace(config, monotone={"sesions": "rises", "country": "falls"}), seed=0).fit(X, y)

    assert "model.monotone names 'sesions', which is not a column. Did you mean 'sessions'?" in str(refused.value)
    assert "model.monotone names 'country', which is a category: only a number can rise or fall" in str(refused.value)


def test_unknown_features_and_words_are_refused_before_data_are_read():
    asked = ["model=lightgbm", "features=+sessions"]
    with pytest.raises(ModelError, match=r"names 'session_last_7_days', .* Did you mean 'sessions_last_7_days'"):
        compose([*asked, "+model.monotone={session_last_7_days: rises}"])
    with pytest.raises(ModelError, match=r"'up' is neither rises nor falls"):
        compose([*asked, "+model.monotone.sessions_last_7_days=up"])
    with pytest.raises(ConfigError, match=r"model.monotone has no such key yet; a plus adds it: \+model.monotone="):
        compose([*asked, "model.monotone={sessions_last_7_days: rises}"])
    config = compose([*asked, "+model.monotone={sessions_last_7_days: rises}"])
    assert config.model.monotone == {"sessions_last_7_days": "rises"}
