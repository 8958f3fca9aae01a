"""SHAP values of LightGBM's trees by the compiled loop: LightGBM's own, whatever the trees and the rows look like."""

import re
from types import SimpleNamespace

import lightgbm
import numpy as np
import pandas as pd
import pytest

from leadscore.config.schema import LightgbmModel
from leadscore.errors import ModelError
from leadscore.model import boosting, make_model
from leadscore.model.forest import Forest

QUIET = {"objective": "binary", "verbosity": -1, "num_threads": 1, "seed": 0, "deterministic": True}


def rows(n=1_500, seed=0):
    """Numbers with ties, zeros and holes, one of them never there, and two categories."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 9)).round(1)
    X[rng.random(X.shape) < 0.15] = np.nan
    X[:, 3], X[:, 4] = rng.integers(0, 40, n), np.nan
    X[:, 5] = np.where(rng.random(n) < 0.1, np.nan, rng.integers(0, 5, n))
    X[:, 6] *= 1e12
    log_odds = np.nan_to_num(X[:, 0] * X[:, 1]) + (X[:, 3] % 3 == 0) + np.isnan(X[:, 2]) - (X[:, 5] == 2)
    return X, (rng.random(n) < 1 / (1 + np.exp(-log_odds))).astype(int)


def grown(X, y, trees=12, **parameters):
    table = lightgbm.Dataset(X, y, categorical_feature=[3, 5], params={**QUIET, "min_data_per_group": 5})
    given = {**QUIET, "min_data_in_leaf": 3, "cat_smooth": 1, **parameters}
    return lightgbm.train(given, table, trees)


def odd(X):
    """Rows at thresholds, at the edge of zero, with codes that training did not have, and with nothing at all."""
    edges = [0.0, -0.0, 1e-36, -1e-36, 1e-35, 2e-35, -3e-35, np.nan, 1e300, -1e300, 39.0, 40.0, 64.0, 1e9, -1.0, -0.5]
    made = np.repeat(X[: X.shape[1]], len(edges), axis=0)
    for column in range(X.shape[1]):
        made[column * len(edges) : (column + 1) * len(edges), column] = edges
    return np.vstack([made, np.full(X.shape[1], np.nan), np.zeros(X.shape[1])])


def assert_as_lightgbm(booster, X):
    due = booster.predict(X, pred_contrib=True, num_threads=1)
    forest = Forest.of_text(booster.model_to_string(), X.shape[1])
    np.testing.assert_allclose(forest.contributions(X), due[:, :-1], rtol=0, atol=1e-11)
    assert forest.base == pytest.approx(due[0, -1], abs=1e-12)


@pytest.mark.parametrize(
    "parameters",
    [
        {"num_leaves": 7},
        {"num_leaves": 2},
        {"num_leaves": 127, "trees": 4},
        {"num_leaves": 31, "zero_as_missing": True},
        {"num_leaves": 31, "use_missing": False},
        {"num_leaves": 15, "bagging_fraction": 0.3, "bagging_freq": 1, "feature_fraction": 0.4},
        {"num_leaves": 15, "boosting": "dart"},
        {"num_leaves": 15, "boosting": "rf", "bagging_fraction": 0.5, "bagging_freq": 1},
        {"num_leaves": 15, "monotone_constraints": [1, -1, 0, 0, 0, 0, 1, 0, 0]},
        {"num_leaves": 7, "max_cat_to_onehot": 64},
    ],
    ids=str,
)
def test_every_kind_of_tree_is_explained_as_lightgbm_does(parameters):
    X, y = rows()
    booster = grown(X, y, **parameters)
    assert_as_lightgbm(booster, X)
    assert_as_lightgbm(booster, odd(X))


@pytest.mark.parametrize("seed", range(12))
def test_trees_of_any_data_are_explained_as_lightgbm_does(seed):
    rng = np.random.default_rng(seed)
    X, y = rows(int(rng.integers(60, 800)), seed)
    booster = grown(X, y, trees=5, num_leaves=int(rng.integers(2, 60)), zero_as_missing=bool(seed % 3 == 0))
    assert_as_lightgbm(booster, np.vstack([X, odd(X)]))


def test_a_way_through_many_columns():
    """Each split asks another column, which tables of all subsets would not survive."""
    rng = np.random.default_rng(0)
    X = (rng.random((4_000, 24)) < 0.9).astype(float)
    y = X.all(axis=1).astype(int) ^ (rng.random(4_000) < 0.01)
    booster = lightgbm.train({**QUIET, "num_leaves": 25, "min_data_in_leaf": 1}, lightgbm.Dataset(X, y), 3)
    deepest = max(len(each) for each in Forest.of_text(booster.model_to_string(), 24)._compiled[2])
    assert deepest > 10
    assert_as_lightgbm(booster, X[:200])


def test_trees_without_a_split_say_the_base():
    X, y = rows(100)
    booster = grown(X, y, min_data_in_leaf=60)
    assert_as_lightgbm(booster, X)
    assert not Forest.of_text(booster.model_to_string(), 9).contributions(X).any()


def test_a_row_is_explained_alike_alone_in_a_block_and_by_two_threads():
    X, y = rows(700)
    forest = Forest.of_text(grown(X, y).model_to_string(), 9)
    whole = forest.contributions(X)
    assert (forest.contributions(X, threads=2) == whole).all()
    assert all((forest.contributions(X[at : at + 1]) == whole[at]).all() for at in (0, 127, 128, 699))
    assert forest.contributions(X[:0]).shape == (0, 9)


def test_a_large_batch_is_explained_by_the_loop_and_a_small_one_by_lightgbm(monkeypatch):
    X, y = rows(600)
    frame = pd.DataFrame({f"c{at}": X[:, at] for at in (0, 1, 2)})
    frame["country"] = pd.Series(X[:, 3], dtype="Int64").astype("str")
    frame = frame.set_index(pd.Index(range(len(frame))))
    model = make_model(LightgbmModel(n_estimators=20, class_weight="balanced"), seed=0).fit(frame, pd.Series(y))
    monkeypatch.setattr(boosting, "_MANY", 600)
    large = model.explain(frame)
    monkeypatch.setattr(boosting, "_MANY", 601)
    monkeypatch.setattr(model.inner, "_fitted", SimpleNamespace(**{**vars(model.inner._fitted), "forest": None}))
    small = model.explain(frame)
    np.testing.assert_allclose(large.contributions, small.contributions, rtol=0, atol=1e-12)
    assert large.base == pytest.approx(small.base, abs=1e-12)


@pytest.mark.parametrize(
    ("line", "first"),
    [
        ("split_feature", "9"),
        ("left_child", "30"),
        ("left_child", "0"),
        ("right_child", "-1"),
        ("internal_count", "0"),
        ("leaf_value", "1 1"),
        ("cat_boundaries", "-1"),
        ("cat_boundaries", "500"),
        ("cat_threshold", ""),
    ],
)
def test_a_text_that_is_no_tree_is_refused_before_a_compiled_loop_reads_beside_it(line, first):
    X, y = rows()
    text = grown(X, y, num_leaves=31, trees=1).model_to_string()
    Forest.of_text(text, 9)
    broken, n = re.subn(rf"^{line}=\S+", f"{line}={first}", text, flags=re.MULTILINE)
    assert n == 1
    with pytest.raises(ModelError, match="tree 0 of LightGBM's text is no whole tree"):
        Forest.of_text(broken, 9)
