"""hist_gradient_boosting: scikit-learn grows the trees, our own few lines walk them to the same bits."""

import json

import numpy as np
import pandas as pd
import pytest

from leadscore.config.schema import HistGradientBoostingModel
from leadscore.errors import ModelError
from leadscore.model import load_model, make_model, save_model
from leadscore.model.hist_boosting import _best, _matrix
from leadscore.model.trees import Tree

CONFIG = HistGradientBoostingModel(max_iter=60, max_leaf_nodes=15, min_samples_leaf=5, learning_rate=0.1)


def observations(n, seed=0):
    rng = np.random.default_rng(seed)
    X = pd.DataFrame({"sessions": rng.normal(size=n), "constant": 1.0, "days": rng.exponential(9, n)})
    X["country"] = pd.Series(rng.choice(["DE", "FR", "IT", "ES"], n), dtype="str")
    X["plan"] = pd.Series(rng.choice(["free", "paid"], n), dtype="str")
    X["known"] = np.where(rng.random(n) < 0.5, np.nan, 3.0)  # only whether it is missing tells anything
    X.loc[rng.random(n) < 0.2, "sessions"] = np.nan
    X.loc[rng.random(n) < 0.2, "country"] = np.nan
    log_odds = X["sessions"].fillna(1) + X["country"].isin(["DE", "ES"]) * (X["plan"] == "paid") + X["known"].isna() - 1
    return X, pd.Series((rng.random(n) < 1 / (1 + np.exp(-log_odds))).astype("int64"))


def theirs(X, y, model):
    """Return scikit-learn's own probabilities, fitted on the same numbers in the same order."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    encodings = model.inner._fitted.encodings
    categorical = [name in encodings for name in X]
    estimator = HistGradientBoostingClassifier(
        max_iter=60,
        max_leaf_nodes=15,
        min_samples_leaf=5,
        learning_rate=0.1,
        l2_regularization=5.0,
        categorical_features=categorical,
        early_stopping=False,
        random_state=0,
    ).fit(_matrix(X, encodings), y)
    return lambda rows: estimator.predict_proba(_matrix(rows, encodings))[:, 1]


def test_probabilities_are_scikit_learns_bit_for_bit(tmp_path):
    X, y = observations(1_200)
    model = make_model(CONFIG, seed=0).fit(X, y)
    later, _ = observations(800, seed=1)
    later["country"] = later["country"].where(later.index % 7 != 0, "Atlantis").astype("str")
    for column in ("sessions", "days", "known"):
        later.loc[later.index % 11 == 0, column] = np.nan
    expected = theirs(X, y, model)

    for rows in (X, later):
        assert (model.predict_proba(rows).to_numpy() == expected(rows)).all()
    save_model(model, tmp_path / "model", {})
    assert (load_model(tmp_path / "model").predict_proba(later).to_numpy() == expected(later)).all()


def test_what_was_walked_had_categories_missing_values_and_both_ways():
    model = make_model(CONFIG, seed=0).fit(*observations(1_200))
    trees = model.inner._fitted.trees

    assert any(tree.categories for tree in trees)
    splits = [(each, left) for tree in trees for each, left in zip(tree.feature, tree.missing_left, strict=True)]
    assert {bool(left) for each, left in splits if each >= 0} == {True, False}
    assert any((tree.threshold > 1e300).any() for tree in trees)  # known or not: no number can be above


def test_contributions_follow_a_rows_own_path():
    tree = Tree(
        feature=np.array([0, -1, 1, -1, -1]),
        threshold=np.array([0.0, 0, 5.0, 0, 0]),
        missing_left=np.array([True, False, False, False, False]),
        left=np.array([1, 0, 3, 0, 0]),
        right=np.array([2, 0, 4, 0, 0]),
        value=np.array([0.1, -1.0, 0.8, 0.5, 2.0]),
        categories={},
    )
    numbers, shares = np.array([[-1.0, 9.0], [1.0, 9.0], [np.nan, 1.0], [1.0, np.nan]]), np.zeros((4, 2))

    assert tree.walk(numbers, shares).tolist() == [-1.0, 2.0, -1.0, 2.0]
    np.testing.assert_allclose(shares, [[-1.1, 0], [0.7, 1.2], [-1.1, 0], [0.7, 1.2]])


def test_the_base_is_the_mean_over_the_training_rows():
    X, y = observations(1_200)
    explanation = make_model(CONFIG, seed=0).fit(X, y).explain(X)

    assert explanation.base == pytest.approx(explanation.log_odds().mean(), abs=1e-9)
    assert (explanation.contributions["constant"] == 0).all()
    assert explanation.contributions["sessions"].abs().mean() > 0.2


@pytest.mark.parametrize(
    ("losses", "kept"),
    [([3, 2, 1], 3), ([3, 1, 2, 2, 0], 2), ([3, 1, 2, 0, 5], 4), ([1, 1, 1], 1), ([5], 1)],
)
def test_trees_after_the_least_loss_are_dropped(losses, kept):
    assert _best(losses, patience=2) == kept


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("max_iter", 9),
        ("learning_rate", 0.5),
        ("max_leaf_nodes", 3),
        ("min_samples_leaf", 77),
        ("l2_regularization", 99.5),
        ("max_features", 0.4),
    ],
)
def test_every_parameter_matters(key, value):
    from dataclasses import replace

    X, y = observations(400)
    before, after = (make_model(each, 0).fit(X, y) for each in (CONFIG, replace(CONFIG, **{key: value})))

    assert not before.predict_proba(X).equals(after.predict_proba(X))


def test_no_split_is_said():
    X = pd.DataFrame({"sessions": [0.0, 1.0, 2.0, 3.0]})
    model = make_model(HistGradientBoostingModel(), seed=0).fit(X, pd.Series([0, 1, 0, 1]))

    assert model.predict_proba(X).tolist() == pytest.approx([0.5] * 4)
    assert "found a split in 4 training rows" in model.warnings[0]


def test_a_tree_that_would_never_end_is_refused(tmp_path):
    from leadscore.model.hist_boosting import HistGradientBoosting

    model = make_model(CONFIG, seed=0).fit(*observations(300))
    model.save(tmp_path)
    path = tmp_path / "hist_gradient_boosting.json"
    saved = json.loads(path.read_text())
    saved["trees"][0]["left"][0] = 0
    path.write_text(json.dumps(saved))

    with pytest.raises(ValueError, match="children do not come after it"):
        HistGradientBoosting.load(tmp_path)


def test_monotone_is_refused_on_a_category():
    with pytest.raises(ModelError, match="names 'country', which is a category"):
        make_model(HistGradientBoostingModel(monotone={"country": "rises"}), 0).fit(*observations(50))


@pytest.mark.parametrize(
    "changes",
    [
        {"feature": [-5, -1, -1]},
        {"feature": [0, -1]},
        {"left": [0, 0, 0]},
        {"right": [3, 0, 0]},
        {"threshold": [float("nan"), 0.0, 0.0]},
        {"value": [0.0, float("inf"), 0.0]},
        {"categories": {"0": "x"}},
        {"feature": [], "threshold": [], "missing_left": [], "left": [], "right": [], "value": []},
    ],
    ids=str,
)
def test_arrays_that_are_no_tree_are_refused(changes):
    from leadscore.model.trees import Tree

    whole = {"feature": [0, -1, -1], "threshold": [1.0, 0.0, 0.0], "missing_left": [True, False, False]}
    whole |= {"left": [1, 0, 0], "right": [2, 0, 0], "value": [0.0, -1.0, 1.0], "categories": {}}
    assert Tree.from_json(whole).width == 1

    with pytest.raises(ValueError, match=r"tree|node|invalid literal"):
        Tree.from_json({**whole, **changes})
