"""Every registered model keeps the same contract; a new one joins by one line in CONFIGS."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from leadscore.config.schema import (
    BaselineModel,
    EnsembleModel,
    HistGradientBoostingModel,
    LightgbmModel,
    LogisticModel,
)
from leadscore.errors import ModelError
from leadscore.model import load_model, make_model, model_names, save_model

CONFIGS = {
    "logistic": LogisticModel(),
    "lightgbm": LightgbmModel(n_estimators=20, min_child_samples=10),
    "lightgbm stopped early": LightgbmModel(n_estimators=40, min_child_samples=10, early_stopping=5),
    "lightgbm, weighed and constrained": LightgbmModel(
        n_estimators=20, min_child_samples=10, class_weight="balanced", monotone={"sessions, 7d": "rises"}
    ),
    "hist_gradient_boosting": HistGradientBoostingModel(max_iter=20, min_samples_leaf=10),
    "hist_gradient_boosting stopped early": HistGradientBoostingModel(
        max_iter=20, min_samples_leaf=10, early_stopping=5, class_weight="balanced", monotone={"amount": "falls"}
    ),
    "ensemble of seeds": EnsembleModel(
        seeds=2, members={"trees": LightgbmModel(n_estimators=10, min_child_samples=10, early_stopping=5)}
    ),
    "ensemble of models, sigmoid": EnsembleModel(
        seeds=1,
        members={"line": LogisticModel(), "trees": HistGradientBoostingModel(max_iter=5, min_samples_leaf=10)},
        calibration="sigmoid",
    ),
    "logistic, undersampled": LogisticModel(negatives_per_positive=0.8),
    "lightgbm stopped early, undersampled, sigmoid": LightgbmModel(
        n_estimators=40, min_child_samples=10, early_stopping=5, negatives_per_positive=0.8, calibration="sigmoid"
    ),
    "logistic, sigmoid": LogisticModel(calibration="sigmoid"),
    "lightgbm, isotonic": LightgbmModel(n_estimators=20, min_child_samples=10, calibration="isotonic"),
    "baseline": BaselineModel(),
    "baseline, auto": BaselineModel(calibration="auto"),
    "baseline by sessions": BaselineModel(rank_by="sessions, 7d", descending=True),
}


def observations(n, seed):
    """Return X and y: sessions and country matter; names, missing values and constants are awkward."""
    rng = np.random.default_rng(seed)
    index = pd.MultiIndex.from_arrays(
        [
            [f"u{seed}-{number}" for number in range(n)],
            pd.date_range("2024-03-01", periods=n, freq="h", tz="UTC"),
        ],
        names=["user_id", "as_of"],
    )
    sessions = rng.poisson(3, n).astype("float64")
    country = pd.Series(rng.choice(["DE", "FR", "Côte d'Ivoire"], n), dtype="str")
    odds = np.exp(0.8 * (sessions - 3) + (country == "DE") - 0.5)
    label = (rng.random(n) < odds.to_numpy() / (1 + odds.to_numpy())).astype("int64")
    sessions[rng.random(n) < 0.1] = np.nan
    country[rng.random(n) < 0.1] = np.nan
    X = pd.DataFrame(
        {
            "sessions, 7d": sessions,
            'the "country": {x}': country.to_numpy(),
            "constant": 0.1,
            "never known": np.nan,
            "amount": rng.lognormal(8, 2, n),
        },
        index=index,
    ).astype({'the "country": {x}': "str"})
    return X, pd.Series(label, index=index, name="label")


def fit(config, seed, X, y):
    """Fit, on what is left when every fifth row is the inner fold of a model that wants one."""
    model = make_model(config, seed)
    if not model.wants_held_out:
        return model.fit(X, y)
    inner = np.arange(len(X)) % 5 == 4 if len(X) > 2 else np.full(len(X), True)
    rest = ~inner if len(X) > 2 else inner
    return model.fit(X[rest], y[rest], (X[inner], y[inner]))


@pytest.fixture(scope="module")
def training():
    return observations(300, seed=1)


@pytest.fixture(scope="module")
def later():
    X, _ = observations(80, seed=2)
    return X


def assert_adds_up(model, X):
    """Add up to the log-odds of the probability, or of the probability before isotonic calibration, as it says."""
    explanation, p = model.explain(X), model.predict_proba(X)
    if explanation.scale == "log-odds before calibration":
        assert model.calibration.map.method == "isotonic"
        p = model.inner.predict_proba(X)
    else:
        assert explanation.scale == "log-odds"
    total = explanation.base + explanation.contributions.sum(axis=1)
    np.testing.assert_allclose(total, np.log(p) - np.log1p(-p), rtol=0, atol=1e-6)


@pytest.fixture(params=CONFIGS.values(), ids=CONFIGS.keys())
def config(request):
    return request.param


@pytest.fixture
def model(config, training):
    return fit(config, 3, *training)


def test_every_registered_model_is_held_to_this():
    assert sorted({config.name for config in CONFIGS.values()}) == model_names()


def test_probabilities_are_finite_in_range_and_keep_the_index(model, later):
    p = model.predict_proba(later)

    assert p.index.equals(later.index)
    assert p.dtype == "float64"
    assert p.name == "probability"
    assert p.between(0, 1).all()


def test_the_mean_probability_on_training_rows_is_near_the_base_rate(model, training):
    X, y = training

    if model.wants_held_out:  # calibrated on every fifth row, stopped early by it: fitted on the others
        rows = np.arange(len(X)) % 5 == 4
        X, y = (X[rows], y[rows]) if model.calibration else (X[~rows], y[~rows])
    assert model.predict_proba(X).mean() == pytest.approx(y.mean(), abs=0.02)


def test_the_same_seed_gives_the_same_scores_bit_for_bit(config, training, later):
    first = fit(config, 5, *training).predict_proba(later)
    second = fit(config, 5, *training).predict_proba(later)

    pd.testing.assert_series_equal(first, second, check_exact=True)


SCORES = """
import sys
sys.path.insert(0, sys.argv[1])
from test_model_conformance import CONFIGS, fit, observations
(training, (later, _)) = observations(300, seed=1), observations(80, seed=2)
for name, config in CONFIGS.items():
    print(name, *fit(config, 3, *training).predict_proba(later).map(float.hex))
"""


def test_processes_and_their_threads_change_no_bit(training, later):
    said = []
    for threads in ("1", "3"):
        limits = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), threads)
        command = [sys.executable, "-c", SCORES, str(Path(__file__).parent)]
        done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **limits}, check=True)
        said.append(done.stdout.splitlines())
    assert len(said[0]) == len(CONFIGS)
    assert [one for one, other in zip(*said, strict=True) if one != other] == []


def test_columns_count_by_name_not_by_position(model, later):
    shuffled = later[list(later.columns[::-1])]

    pd.testing.assert_series_equal(model.predict_proba(shuffled), model.predict_proba(later), check_exact=True)
    assert list(model.explain(shuffled).contributions.columns) == list(shuffled.columns)


def test_missing_and_extra_columns_are_named(model, later):
    renamed = later.rename(columns={"amount": "amuont"})

    with pytest.raises(ModelError) as refused:
        model.predict_proba(renamed)

    assert f"X lacks 1 of the 5 columns {model.name} was fitted on: ['amount']" in str(refused.value)
    assert f"X has 1 columns that {model.name} was not fitted on: ['amuont']" in str(refused.value)


def test_a_column_of_another_kind_is_named(model, later):
    with pytest.raises(ModelError, match=f"column 'amount' of X is a category; {model.name} was fitted on a number"):
        model.predict_proba(later.astype({"amount": "str"}))


def test_an_unfitted_model_says_so(config, later, tmp_path):
    unfitted = make_model(config, seed=0)
    for call in (
        lambda: unfitted.predict_proba(later),
        lambda: unfitted.explain(later),
        lambda: save_model(unfitted, tmp_path / "model", {}),
    ):
        with pytest.raises(ModelError, match=f"The model {config.name} is not fitted yet"):
            call()

    assert list(tmp_path.iterdir()) == []


def test_the_bare_class_says_so_too(config, later):
    with pytest.raises(ModelError, match="is not fitted yet"):
        make_model(config, seed=0).inner.predict_proba(later)


def test_unseen_categories_and_missing_values_get_a_score_that_adds_up(model, later):
    strange = later.copy()
    strange['the "country": {x}'] = pd.Series(["Atlantis"] * len(later), index=later.index, dtype="str")
    strange["amount"] = np.nan
    strange["sessions, 7d"] = np.nan

    p = model.predict_proba(strange)

    assert p.min() == p.max()
    assert_adds_up(model, strange)


def test_contributions_add_up_to_the_log_odds(model, later):
    explanation = model.explain(later)

    assert explanation.contributions.index.equals(later.index)
    assert list(explanation.contributions.columns) == list(later.columns)
    assert_adds_up(model, later)


def test_a_constant_column_explains_nothing(model, later):
    contributions = model.explain(later).contributions

    assert (contributions[["constant", "never known"]] == 0).all(axis=None)


def test_saved_and_loaded_scores_are_equal_bit_for_bit(model, later, tmp_path):
    save_model(model, tmp_path / "model", {})
    loaded = load_model(tmp_path / "model")

    pd.testing.assert_series_equal(loaded.predict_proba(later), model.predict_proba(later), check_exact=True)
    pd.testing.assert_frame_equal(
        loaded.explain(later).contributions, model.explain(later).contributions, check_exact=True
    )


def test_a_loaded_model_saves_the_same_bytes_again(model, tmp_path):
    once = save_model(model, tmp_path / "once", {"fold": 2})
    twice = save_model(load_model(tmp_path / "once"), tmp_path / "twice", {"fold": 2})

    assert twice == once


def test_a_row_scores_the_same_alone_as_among_others(model, later):
    alone = pd.concat([model.predict_proba(later.iloc[[position]]) for position in range(20)])

    pd.testing.assert_series_equal(alone, model.predict_proba(later)[:20], check_exact=True)


def test_no_rows_give_no_scores_and_no_explanation(model, later):
    p = model.predict_proba(later.iloc[:0])

    assert p.dtype == "float64"
    assert p.index.equals(later.index[:0])
    with pytest.raises(ModelError, match="X has no rows"):
        model.explain(later.iloc[:0])


def test_one_class_is_refused_with_counts(config, training):
    X, y = training

    with pytest.raises(ModelError, match=r"y has one class only: 0 of \d+ training rows converted"):
        fit(config, 0, X, y * 0)


def test_two_rows_are_enough_to_fit(config, training):
    X, y = training
    two = [y.argmax(), y.argmin()]

    p = fit(config, 0, X.iloc[two], y.iloc[two]).predict_proba(X.iloc[two])

    assert p.between(0.01, 0.99).all()


def test_input_is_left_as_it_was(config, training):
    X, y = training
    X_before, y_before = X.copy(), y.copy()

    model = fit(config, 0, X, y)
    model.predict_proba(X)
    model.explain(X)

    pd.testing.assert_frame_equal(X, X_before)
    pd.testing.assert_series_equal(y, y_before)


def test_a_second_fit_forgets_the_first(config, training, later):
    X, y = training
    refitted = fit(config, 0, *observations(200, seed=9))
    inner = (X[4::5], y[4::5]) if refitted.wants_held_out else None
    rest = [name not in X.index[4::5] for name in X.index] if inner else slice(None)
    refitted.fit(X[rest], y[rest], inner)

    fresh = fit(config, 0, X, y)

    pd.testing.assert_series_equal(refitted.predict_proba(later), fresh.predict_proba(later), check_exact=True)


def test_scoring_other_rows_does_not_move_the_fitted_state(model, later, tmp_path):
    before = save_model(model, tmp_path / "before", {})
    model.predict_proba(later)
    model.explain(later)

    assert save_model(model, tmp_path / "after", {}) == before
