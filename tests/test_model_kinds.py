"""What is particular to each model that leadscore ships."""

import json
from dataclasses import asdict, replace

import numpy as np
import pandas as pd
import pytest

from leadscore.config.schema import BaselineModel, LightgbmModel, LogisticModel
from leadscore.errors import ModelError
from leadscore.evaluate import METRICS
from leadscore.model import make_model, save_model


def text(*values):
    return pd.Series(values, dtype="str")


@pytest.fixture
def numbers():
    """Return 400 observations whose odds rise with sessions and fall with days since the last one."""
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"sessions": rng.normal(size=400), "days_since": rng.exponential(10, 400)})
    odds = np.exp(X["sessions"] - X["days_since"] / 10 + 1)
    return X, pd.Series((rng.random(400) < odds / (1 + odds)).astype("int64"))


# --- logistic -----------------------------------------------------------------------------------------


def test_logistic_scores_as_scikit_learn_does(numbers):
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    X, y = numbers
    theirs = make_pipeline(StandardScaler(), LogisticRegression(C=0.5, max_iter=1000)).fit(X, y)

    ours = make_model(LogisticModel(C=0.5), seed=0).fit(X, y)

    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X)[:, 1], rtol=0, atol=1e-12)


def test_logistic_contributions_are_measured_from_the_training_mean(numbers):
    X, y = numbers
    X = X.assign(country=pd.Series(["DE", "FR", "DE", "DE"] * 100, dtype="str"))
    X.loc[y[y == 1].index[:50], "sessions"] = np.nan

    explanation = make_model(LogisticModel(), seed=0).fit(X, y).explain(X)

    assert (explanation.contributions.std() > 0.01).all()
    np.testing.assert_allclose(explanation.contributions.mean(), 0, atol=1e-12)


def test_logistic_fills_a_missing_number_with_the_training_median_and_learns_that_it_was_missing():
    X = pd.DataFrame({"sessions": [1.0, 2.0, 9.0, np.nan, np.nan, np.nan] * 20})
    y = pd.Series([0, 0, 0, 1, 1, 0] * 20)

    p = make_model(LogisticModel(C=100.0), seed=0).fit(X, y).predict_proba(X)

    assert p[3] == pytest.approx(2 / 3, abs=0.05)  # the rate of the missing rows, not of the median's
    assert p[1] < 0.1


def test_logistic_gives_a_missing_value_the_median_when_training_had_none():
    X = pd.DataFrame({"sessions": [1.0, 2.0, 9.0, 3.0]})
    model = make_model(LogisticModel(), seed=0).fit(X, pd.Series([0, 0, 1, 1]))

    p = model.predict_proba(pd.DataFrame({"sessions": [np.nan, 2.5]}))

    assert p[0] == p[1]


def test_logistic_knows_categories_missing_ones_and_all_others():
    X = pd.DataFrame({"country": text("DE", "FR", np.nan).to_list() * 30}, dtype="str")
    y = pd.Series([1, 0, 0] * 29 + [0, 1, 1])
    model = make_model(LogisticModel(C=100.0), seed=0).fit(X, y)

    p = model.predict_proba(pd.DataFrame({"country": text("DE", "FR", np.nan, "Atlantis", "Mu")}))

    assert p[0] > 0.9
    assert p[1] < 0.1
    assert p[2] < 0.1
    assert p[3] == p[4]
    assert p[1] < p[3] < p[0]


def test_logistic_lets_an_unknown_category_say_nothing():
    X = pd.DataFrame({"country": pd.Series(["DE", "FR"] * 50, dtype="str")})
    model = make_model(LogisticModel(), seed=0).fit(X, pd.Series([1, 0] * 50))

    assert model.predict_proba(pd.DataFrame({"country": text("Atlantis")}))[0] == pytest.approx(0.5, abs=1e-6)


def test_logistic_gives_a_constant_no_weight_even_where_its_mean_is_rounded():
    X = pd.DataFrame({"constant": [0.1] * 3, "sessions": [0.0, 1.0, 2.0]})  # the mean of three 0.1 is not 0.1
    model = make_model(LogisticModel(), seed=0).fit(X, pd.Series([0, 1, 1]))

    p = model.predict_proba(pd.DataFrame({"constant": [0.1, 0.2], "sessions": [1.0, 1.0]}))

    assert p[0] == p[1]


def test_logistic_keeps_the_most_frequent_levels_and_says_so():
    levels = [f"L{number:03d}" for number in range(130)]
    X = pd.DataFrame({"campaign": pd.Series(levels + levels[:60], dtype="str")})
    y = pd.Series([0, 1] * 95)

    model = make_model(LogisticModel(), seed=0).fit(X, y)

    assert model.warnings == [
        "column 'campaign' has 130 levels: the 100 most frequent have coefficients, all others share one bucket"
    ]
    p = model.predict_proba(pd.DataFrame({"campaign": text("L129", "L100", "never seen")}))
    assert p.min() == p.max()  # L000 to L059 occur twice; of the rest, the first 40 by name are kept


def test_logistic_that_did_not_converge_says_so_without_a_python_warning(numbers):
    model = make_model(LogisticModel(max_iter=1), seed=0).fit(*numbers)

    assert model.warnings == [
        "logistic stopped after 1 iterations (model.max_iter) before it converged: its coefficients are not final"
    ]
    assert make_model(LogisticModel(), seed=0).fit(*numbers).warnings == []


def test_logistic_separates_perfectly_without_leaving_the_range():
    X = pd.DataFrame({"sessions": np.arange(40.0)})
    model = make_model(LogisticModel(C=1e6), seed=0).fit(X, pd.Series([0] * 20 + [1] * 20))

    p = model.predict_proba(pd.DataFrame({"sessions": [-1e9, 1e9]}))

    assert p.tolist() == [0.0, 1.0]


def test_logistic_refuses_numbers_too_large_to_scale():
    X = pd.DataFrame({"amount": [1e308, -1e308, 1e308, 5.0]})

    with pytest.raises(ModelError, match=r"column 'amount' of X is too large to be scaled: up to 1e\+308"):
        make_model(LogisticModel(), seed=0).fit(X, pd.Series([0, 1, 0, 1]))


def test_logistic_can_be_read_in_its_file(numbers, tmp_path):
    save_model(make_model(LogisticModel(), seed=0).fit(*numbers), tmp_path / "model", {})

    saved = json.loads((tmp_path / "model" / "logistic.json").read_text())

    asked = asdict(LogisticModel())
    del asked["search_space"]  # what was tried before it was fitted
    assert saved["config"] == asked
    assert saved["terms"]["sessions"]["coefficients"][0] > 0.5
    assert saved["terms"]["sessions"]["encoding"]["median"] == numbers[0]["sessions"].median()


# --- lightgbm -----------------------------------------------------------------------------------------


def test_lightgbm_threads_change_neither_scores_nor_files(numbers, tmp_path):
    X, y = numbers
    X = X.assign(country=pd.Series(["DE", "FR", "IT", "ES"] * 100, dtype="str"))
    one = make_model(LightgbmModel(num_threads=1, n_estimators=30), seed=0).fit(X, y)
    two = make_model(LightgbmModel(num_threads=2, n_estimators=30), seed=0).fit(X, y)

    assert one.predict_proba(X).equals(two.predict_proba(X))
    assert save_model(one, tmp_path / "one", {}) == save_model(two, tmp_path / "two", {})


def test_lightgbm_seeds_differ_because_the_fraction_of_rows_is_drawn(numbers):
    X, y = numbers
    scores = [make_model(LightgbmModel(), seed=seed).fit(X, y).predict_proba(X) for seed in (0, 1)]

    assert not scores[0].equals(scores[1])


def test_lightgbm_learns_from_a_category():
    X = pd.DataFrame({"country": pd.Series(["DE", "FR"] * 200, dtype="str")})
    model = make_model(LightgbmModel(), seed=0).fit(X, pd.Series([1, 0] * 200))

    p = model.predict_proba(pd.DataFrame({"country": text("DE", "FR")}))

    assert p[0] > 0.9
    assert p[1] < 0.1


def test_lightgbm_treats_unknown_and_missing_categories_alike():
    X = pd.DataFrame({"country": pd.Series(["DE", "FR"] * 200, dtype="str")})
    model = make_model(LightgbmModel(), seed=0).fit(X, pd.Series([1, 0] * 200))

    p = model.predict_proba(pd.DataFrame({"country": text("Atlantis", np.nan)}))

    assert p[0] == p[1]


def test_lightgbm_is_not_carried_away_by_rare_categories():
    X = pd.DataFrame({"campaign": pd.Series([f"c{number // 5}" for number in range(400)], dtype="str")})
    y = pd.Series(np.random.default_rng(0).integers(0, 2, 400))

    p = make_model(LightgbmModel(min_child_samples=5), seed=0).fit(X, y).predict_proba(X)

    assert METRICS["auc"](y, p).value < 0.75


@pytest.mark.parametrize(
    ("key", "value", "written"),
    [
        ("n_estimators", 9, "num_iterations"),
        ("learning_rate", 0.5, "learning_rate"),
        ("num_leaves", 3, "num_leaves"),
        ("min_child_samples", 77, "min_data_in_leaf"),
        ("subsample", 0.4, "bagging_fraction"),
        ("colsample_bytree", 0.4, "feature_fraction"),
        ("reg_lambda", 99.5, "lambda_l2"),
    ],
)
def test_every_parameter_of_lightgbm_reaches_it_and_matters(numbers, tmp_path, key, value, written):
    X, y = numbers
    plain = LightgbmModel(n_estimators=5, subsample=1.0, colsample_bytree=1.0)
    before, after = (make_model(config, seed=0).fit(X, y) for config in (plain, replace(plain, **{key: value})))

    save_model(after, tmp_path / "after", {})

    assert f"[{written}: {value}]\n" in (tmp_path / "after" / "trees.txt").read_text()
    assert not before.predict_proba(X).equals(after.predict_proba(X))


def test_lightgbm_that_found_no_split_says_so():
    X = pd.DataFrame({"sessions": [0.0, 1.0, 2.0, 3.0]})
    model = make_model(LightgbmModel(), seed=0).fit(X, pd.Series([0, 1, 0, 1]))

    assert model.predict_proba(X).tolist() == [0.5] * 4
    assert "found a split in 4 training rows" in model.warnings[0]
    assert "model.min_child_samples is 40" in model.warnings[0]


def test_what_lightgbm_refuses_is_a_model_error(numbers):
    with pytest.raises(ModelError, match=r"lightgbm cannot be fitted on 400 rows and 2 columns: .*num_leaves"):
        make_model(LightgbmModel(num_leaves=1), seed=0).fit(*numbers)


# --- baseline -----------------------------------------------------------------------------------------


def test_baseline_gives_everyone_the_base_rate():
    X = pd.DataFrame({"sessions": [0.0, 1.0, 2.0, 3.0]})

    p = make_model(BaselineModel(), seed=0).fit(X, pd.Series([0, 0, 0, 1])).predict_proba(X)

    assert p.tolist() == pytest.approx([0.25] * 4, abs=1e-15)


def test_baseline_ranks_in_the_direction_stated(numbers):
    X, y = numbers
    for feature, descending in (("sessions", True), ("days_since", False)):
        p = make_model(BaselineModel(rank_by=feature, descending=descending), seed=0).fit(X, y).predict_proba(X)

        ordered = p[X[feature].sort_values(ascending=descending).index]
        assert ordered.is_monotonic_increasing
        assert ordered.iloc[-1] > ordered.iloc[0] + 0.2
        alone = METRICS["auc"](y, X[feature] if descending else -X[feature]).value
        assert METRICS["auc"](y, p).value == pytest.approx(alone, abs=0.02)


def test_baseline_against_the_data_ranks_nobody_and_says_so(numbers):
    X, y = numbers
    model = make_model(BaselineModel(rank_by="sessions", descending=False), seed=0).fit(X, y)

    assert np.ptp(model.predict_proba(X)) == 0
    assert model.warnings == [
        "baseline ranks nobody: in 400 training rows that have it, smaller 'sessions' does not go with more "
        "conversions (model.rank_by, model.descending)"
    ]


def test_baseline_gives_a_missing_value_the_rate_of_the_missing():
    X = pd.DataFrame({"days_since": [1.0, 2.0, np.nan] * 100})
    y = pd.Series([1, 0, 0] * 100)
    model = make_model(BaselineModel(rank_by="days_since"), seed=0).fit(X, y)

    p = model.predict_proba(X)

    assert p[0] == pytest.approx((100 + 10 / 3) / 110)  # ten rows' worth of the base rate, 1/3
    assert p[2] == pytest.approx((0 + 10 / 3) / 110)


def test_baseline_has_the_base_rate_for_a_missing_value_when_training_had_none():
    X = pd.DataFrame({"days_since": [1.0, 2.0] * 10})
    model = make_model(BaselineModel(rank_by="days_since"), seed=0).fit(X, pd.Series([1, 0] * 10))

    assert model.predict_proba(pd.DataFrame({"days_since": [np.nan]})).tolist() == [0.5]


def test_baseline_explains_by_its_one_feature(numbers):
    X, y = numbers
    explanation = make_model(BaselineModel(rank_by="sessions", descending=True), seed=0).fit(X, y).explain(X)

    assert (explanation.contributions["days_since"] == 0).all()
    assert explanation.base == pytest.approx(np.log(y.mean() / (1 - y.mean())))


def test_baseline_names_the_column_that_was_meant(numbers):
    X, y = numbers
    with pytest.raises(ModelError, match=r"model\.rank_by names 'sesions', .* Did you mean 'sessions'"):
        make_model(BaselineModel(rank_by="sesions"), seed=0).fit(X, y)

    named = X.assign(country=pd.Series(["DE"] * 400, dtype="str"))
    with pytest.raises(ModelError, match=r"model\.rank_by names 'country', which is a category"):
        make_model(BaselineModel(rank_by="country"), seed=0).fit(named, y)


# --- coefficients in words --------------------------------------------------------------------------------


def test_coefficients_in_words_are_what_the_odds_are_multiplied_by(numbers):
    X, y = numbers
    X = X.assign(country=text(*["DE", "FR", None, "DE"] * 100))
    X.loc[X.index[::7], "days_since"] = np.nan
    model = make_model(LogisticModel(), seed=0).fit(X, y)
    country, days, sessions = sorted(model.in_words())

    one = X.assign(sessions=0.0, days_since=5.0, country="DE").astype({"country": "str"})[:1]

    def odds(**changes):
        p = float(model.predict_proba(one.assign(**changes).astype({"country": "str"})).iloc[0])
        return p / (1 - p)

    step = model.inner._fitted.terms["sessions"].encoding.scale
    assert sessions == (
        f"sessions: {step:.3g} more (one standard deviation) multiplies the odds by {odds(sessions=step) / odds():.3g}"
    )
    median = model.inner._fitted.terms["days_since"].encoding.median
    missing = odds(days_since=np.nan) / odds(days_since=median)
    assert f"; a missing one counts as {median:.3g} and multiplies them by {missing:.3g}" in days
    assert f"FR {odds(country='FR') / odds(country='Atlantis'):.3g}" in country
    assert "missing" in country
    assert country.endswith("any other level by 1")


def test_the_strongest_column_is_told_first_and_trees_tell_none(numbers):
    X, y = numbers
    assert make_model(LogisticModel(), seed=0).fit(X, y).in_words()[0].startswith(("sessions", "days_since"))
    assert make_model(LightgbmModel(n_estimators=2), seed=0).fit(X, y).in_words() == []
