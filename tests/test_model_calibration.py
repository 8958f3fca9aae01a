"""Calibration: learned on the inner fold, the same for every model, read back bit for bit, plain about its limits."""

import json

import numpy as np
import pandas as pd
import pytest

from leadscore.config.schema import BaselineModel, LightgbmModel, LogisticModel
from leadscore.errors import ModelError
from leadscore.model import load_model, make_model, save_model, store
from leadscore.model.calibration import Isotonic, Sigmoid, fit_calibration
from leadscore.model.log_odds import log_odds_of


def rows(n, seed=0):
    rng = np.random.default_rng(seed)
    X = pd.DataFrame({"sessions": rng.normal(size=n), "noise": rng.normal(size=n)})
    return X, pd.Series((rng.random(n) < 1 / (1 + np.exp(1 - X["sessions"]))).astype("int64"))


def overconfident(n, seed=0):
    """Scores whose log-odds are twice too large and one too high, and labels."""
    rng = np.random.default_rng(seed)
    true = rng.normal(-1, 1, n)
    y = pd.Series((rng.random(n) < 1 / (1 + np.exp(-true))).astype("int64"))
    return pd.Series(1 / (1 + np.exp(-(2 * true + 1)))), y


def test_sigmoid_finds_the_line_back():
    p, y = overconfident(20_000)
    calibration, warnings = fit_calibration("sigmoid", p, y)

    assert calibration.map.slope == pytest.approx(0.5, abs=0.02)
    assert calibration.map.intercept == pytest.approx(-0.5, abs=0.05)
    assert warnings == []


def test_sigmoid_is_platts_with_his_targets():
    p, y = overconfident(300)
    from sklearn.linear_model import LogisticRegression

    positive, n = y.sum(), len(y)
    target = np.where(y == 1, (positive + 1) / (positive + 2), 1 / (n - positive + 2))
    both = np.tile(log_odds_of(p), 2)[:, None]
    theirs = LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-12).fit(
        both, np.repeat([1, 0], n), sample_weight=np.concatenate([target, 1 - target])
    )
    ours = fit_calibration("sigmoid", p, y)[0].map

    assert ours.slope == pytest.approx(theirs.coef_[0, 0], rel=1e-6)
    assert ours.intercept == pytest.approx(theirs.intercept_[0], rel=1e-6)


def test_isotonic_is_scikit_learns_within_platts_targets():
    p, y = overconfident(400)
    from sklearn.isotonic import IsotonicRegression

    theirs = IsotonicRegression(out_of_bounds="clip").fit(log_odds_of(p), y).predict(log_odds_of(p))
    ours = fit_calibration("isotonic", p, y)[0].apply(p)

    least, most = 1 / ((y == 0).sum() + 2), (y.sum() + 1) / (y.sum() + 2)
    np.testing.assert_allclose(ours, np.clip(theirs, least, most), rtol=0, atol=1e-12)
    assert ours.between(least, most).all()


@pytest.mark.parametrize("method", ["sigmoid", "isotonic"])
def test_calibrated_probabilities_are_what_happens(method):
    calibration, _ = fit_calibration(method, *overconfident(20_000))
    p, y = overconfident(20_000, seed=1)
    calibrated = calibration.apply(p)

    tenth = pd.qcut(p, 10, labels=False)
    assert (calibrated.groupby(tenth).mean() - y.groupby(tenth).mean()).abs().max() < 0.03
    assert (p.groupby(tenth).mean() - y.groupby(tenth).mean()).abs().max() > 0.15  # before


@pytest.mark.parametrize(("rarer", "method"), [(999, "sigmoid"), (1000, "isotonic")])
def test_auto_takes_isotonic_from_a_thousand_rows_of_the_rarer_class(rarer, method):
    y = pd.Series([1] * rarer + [0] * 1500)
    p = pd.Series(np.random.default_rng(0).random(len(y)) * 0.5 + 0.4 * y)

    for labels in (y, 1 - y):
        calibration, warnings = fit_calibration("auto", p, labels)
        assert (calibration.asked, calibration.map.method) == ("auto", method)
        assert not [each for each in warnings if "overfits" in each]


def test_isotonic_on_few_rows_says_that_it_overfits():
    _, warnings = fit_calibration("isotonic", *overconfident(200))
    assert "in the inner fold (validation.inner_share); below 1,000 it overfits, and auto would" in warnings[0]


@pytest.mark.parametrize("method", ["sigmoid", "isotonic"])
def test_one_score_for_all_is_moved_to_their_rate_and_said(method):
    calibration, warnings = fit_calibration(method, pd.Series([0.3] * 100), pd.Series([1] * 60 + [0] * 40))

    assert calibration.apply(pd.Series([0.3]))[0] == pytest.approx(0.6, abs=0.01)
    assert "all 100 rows of the inner fold have the same score" in warnings[-1]


@pytest.mark.parametrize("method", ["sigmoid", "isotonic"])
def test_a_ranking_that_does_not_hold_is_made_flat_not_turned_around(method):
    p, y = overconfident(2_000)
    calibration, warnings = fit_calibration(method, p, 1 - y)

    assert np.ptp(calibration.apply(p)) < 0.01 or calibration.apply(p).nunique() < 4
    assert (np.diff(calibration.apply(p.sort_values())) >= 0).all()
    if method == "sigmoid":
        assert "gives every lead the same probability: among the 2000 rows of the inner fold" in warnings[-1]


def test_one_class_in_the_inner_fold_is_refused_with_counts():
    X, y = rows(100)
    with pytest.raises(ModelError, match="y has one class only: 0 of 20 rows of the inner fold converted"):
        make_model(LogisticModel(calibration="sigmoid"), 0).fit(X[:80], y[:80], (X[80:], y[80:] * 0))


def test_a_calibrated_model_without_its_inner_fold_says_so():
    with pytest.raises(ModelError, match="logistic wants an inner fold and got none"):
        make_model(LogisticModel(calibration="sigmoid"), 0).fit(*rows(100))


def test_only_the_inner_fold_calibrates_and_only_the_rest_is_fitted_on(tmp_path):
    X, y = rows(400)
    inner, other = (X[300:], y[300:]), (X[300:], 1 - y[300:])
    fitted = [
        make_model(LogisticModel(calibration="isotonic"), 0).fit(X[:300], y[:300], each) for each in (inner, other)
    ]
    files = [save_model(model, tmp_path / str(n), {})["files"] for n, model in enumerate(fitted)]

    assert files[0]["logistic.json"] == files[1]["logistic.json"]
    assert files[0]["calibration.json"] != files[1]["calibration.json"]


def test_a_model_may_be_stopped_early_and_calibrated_on_the_same_inner_fold(tmp_path):
    X, y = rows(2_000)
    config = LightgbmModel(n_estimators=200, learning_rate=0.3, early_stopping=5, calibration="sigmoid")
    model = make_model(config, 0).fit(X[:1500], y[:1500], (X[1500:], y[1500:]))

    assert model.inner._fitted.booster.num_trees() < 60
    assert model.calibration is not None


def test_the_file_holds_plain_numbers_and_the_words_that_were_asked(tmp_path):
    X, y = rows(400)
    model = make_model(BaselineModel(rank_by="sessions", descending=True, calibration="auto"), 0)
    model.fit(X[:300], y[:300], (X[300:], y[300:]))
    manifest = save_model(model, tmp_path / "model", {})

    assert sorted(manifest["files"]) == ["baseline.json", "calibration.json"]
    saved = json.loads((tmp_path / "model" / "calibration.json").read_text())
    assert sorted(saved) == ["asked", "intercept", "method", "slope"]
    assert load_model(tmp_path / "model").calibration == model.calibration
    assert load_model(tmp_path / "model").wants_held_out


@pytest.mark.parametrize("change", [{"method": "pickle"}, {"slope": None}, {"more": 1}])
def test_a_calibration_file_of_another_shape_is_refused(tmp_path, change):
    X, y = rows(400)
    model = make_model(LogisticModel(calibration="sigmoid"), 0).fit(X[:300], y[:300], (X[300:], y[300:]))
    save_model(model, tmp_path / "model", {})
    path = tmp_path / "model" / "calibration.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(ModelError, match=r"calibration\.json is damaged or was edited"):
        load_model(tmp_path / "model")
    manifest = json.loads((path.parent / "manifest.json").read_text())
    content = {**manifest, "files": store._fingerprints(path.parent, without="manifest.json")}
    del content["sha256"]
    path.with_name("manifest.json").write_bytes(
        store._canonical({**content, "sha256": store._sha256(store._canonical(content))})
    )
    with pytest.raises(ModelError, match=r"is intact, but this leadscore .* cannot read it"):
        load_model(tmp_path / "model")


def test_contributions_add_up_after_a_sigmoid_also_where_the_model_is_certain():
    X = pd.DataFrame({"sessions": np.arange(80.0)})
    y = pd.Series([0] * 40 + [1] * 40)
    odd = (X[::3], y[::3].where(y.index[::3] % 2 == 0, 1 - y[::3]))
    model = make_model(LogisticModel(C=1e6, calibration="sigmoid"), 0).fit(X, y, odd)
    far = pd.DataFrame({"sessions": [-1e9, -50.0, 39.4, 60.0, 1e9]})

    explanation, p = model.explain(far), model.predict_proba(far)
    np.testing.assert_allclose(explanation.log_odds(), np.log(p) - np.log1p(-p), rtol=0, atol=1e-6)
    assert explanation.scale == "log-odds"


def test_an_isotonic_map_is_flat_beyond_its_ends_and_straight_between():
    calibrated = Isotonic([-1.0, 1.0], [0.2, 0.6]).apply(pd.Series([-9.0, -1.0, 0.0, 1.0, 9.0]))
    assert calibrated.tolist() == pytest.approx([0.2, 0.2, 0.4, 0.6, 0.6])
    assert Sigmoid(1.0, 0.0).apply(pd.Series([0.0])).tolist() == [0.5]
