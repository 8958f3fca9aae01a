"""The contract holds any model, also one that a user wrote and got wrong."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest

from leadscore.config.schema import LogisticModel, ModelConfig
from leadscore.errors import ModelError
from leadscore.model import (
    Explanation,
    load_model,
    make_model,
    model_names,
    register_model,
    registry,
    save_model,
)


@dataclass
class HouseConfig(ModelConfig):
    name: str = "house"
    weight: float = 0.5


class House:
    """A user's own model: the weight times the column, kept in a file of its own."""

    def __init__(self, config, _seed):
        self.weight = config.weight

    def fit(self, *_):
        return self

    def explain(self, X):
        return Explanation(X[["sessions"]] * self.weight, 0.0)

    def predict_proba(self, X):
        return 1 / (1 + np.exp(-self.weight * X["sessions"]))

    def save(self, folder):
        (folder / "weight.txt").write_text(str(self.weight))

    @classmethod
    def load(cls, folder):
        return cls(HouseConfig(weight=float((folder / "weight.txt").read_text())), 0)


@pytest.fixture(autouse=True)
def own_registry(monkeypatch):
    monkeypatch.setattr(registry, "_REGISTRY", dict(registry._REGISTRY))


@pytest.fixture
def X():
    return pd.DataFrame({"sessions": [0.0, 1.0, 4.0]}, index=["a", "b", "c"])


@pytest.fixture
def y():
    return pd.Series([0, 0, 1], index=["a", "b", "c"])


def fitted(X, y, **methods):
    cls = type("Broken", (House,), methods)
    register_model("house", config=HouseConfig)(cls)
    return make_model(HouseConfig(), seed=0).fit(X, y)


def test_a_users_model_joins_by_name_and_is_saved_and_loaded(X, y, tmp_path):
    model = fitted(X, y)

    manifest = save_model(model, tmp_path / "model", {})

    assert "house" in model_names()
    assert list(manifest["files"]) == ["weight.txt"]
    assert load_model(tmp_path / "model").predict_proba(X).equals(model.predict_proba(X))


def test_a_name_taken_says_where_both_stand():
    with pytest.raises(ModelError) as refused:
        register_model("logistic", config=LogisticModel)(House)

    assert "Model 'logistic' is registered twice" in str(refused.value)
    assert "logistic.py:" in str(refused.value)
    assert "test_model_contract.py:" in str(refused.value)


def test_a_reloaded_module_may_register_again():
    for _ in range(2):
        register_model("house", config=HouseConfig)(House)

    assert model_names().count("house") == 1


def test_a_class_without_explain_is_refused_at_registration():
    with pytest.raises(ModelError, match=r"Model 'house' at .* lacks explain: a model has fit, predict_proba"):
        register_model("house", config=HouseConfig)(type("Mute", (House,), {"explain": None}))


def test_an_unknown_name_gets_the_nearest():
    with pytest.raises(ModelError, match=r"Unknown model 'lightgmb'\. Did you mean 'lightgbm'"):
        make_model(ModelConfig(name="lightgmb"), seed=0)


def test_the_config_of_another_model_is_refused():
    with pytest.raises(ModelError, match="Model 'lightgbm' takes a LightgbmModel, not a LogisticModel"):
        make_model(LogisticModel(name="lightgbm"), seed=0)


def test_a_probability_out_of_range_or_missing_is_refused_with_its_rows(X, y):
    model = fitted(X, y, predict_proba=lambda _self, X: X["sessions"] - 1.0)
    with pytest.raises(ModelError, match=r"house is not in \[0, 1\] in 2 of 3 rows: \('a', -1.0\), \('c', 3.0\)"):
        model.predict_proba(X)

    model = fitted(X, y, predict_proba=lambda _self, X: X["sessions"] * np.nan)
    with pytest.raises(ModelError, match=r"in 3 of 3 rows: \('a', nan\)"):
        model.predict_proba(X)


def test_two_columns_of_probabilities_are_refused(X, y):
    model = fitted(X, y, predict_proba=lambda *_: np.zeros((3, 2)))

    with pytest.raises(ModelError, match="predict_proba of house returned a ndarray; a float64 Series"):
        model.predict_proba(X)


def test_a_lost_index_is_refused(X, y):
    model = fitted(X, y, predict_proba=lambda *_: pd.Series([0.1, 0.2, 0.3]))

    with pytest.raises(ModelError, match="predict_proba of house returned another index than that of X"):
        model.predict_proba(X)


def test_reasons_that_do_not_add_up_are_refused(X, y):
    model = fitted(X, y, explain=lambda _self, X: Explanation(X * 0.5, base=0.01))

    with pytest.raises(ModelError, match=r"explain of house does not add up .* in 3 of 3 rows .* reaches 0.01"):
        model.explain(X)


def test_a_reason_that_is_missing_does_not_add_up(X, y):
    model = fitted(X, y, explain=lambda _self, X: Explanation(X * np.nan, base=0.0))

    with pytest.raises(ModelError, match="does not add up"):
        model.explain(X)


def test_certain_probabilities_may_be_explained(y):
    X = pd.DataFrame({"sessions": [-1e4, 0.0, 1e4]}, index=["a", "b", "c"])
    with np.errstate(over="ignore"):
        explanation = fitted(X, y).explain(X)

    assert explanation.log_odds().tolist() == [-5e3, 0.0, 5e3]


def test_reasons_for_other_columns_are_refused(X, y):
    model = fitted(X, y, explain=lambda _self, X: Explanation((X * 0.5).add_suffix("_scaled"), base=0.0))

    with pytest.raises(ModelError, match="rows or columns are not those of X"):
        model.explain(X)


def test_all_that_is_wrong_with_the_training_rows_is_said_at_once(X):
    with pytest.raises(ModelError) as refused:
        make_model(LogisticModel(), seed=0).fit(X[[]], pd.Series([0.0, 1.0], index=["a", "b"]))

    assert "3 problems" in str(refused.value)
    assert "X has no column: choose at least one feature set (features=...)" in str(refused.value)
    assert "X (3 rows) and y (2 rows) do not have the same index" in str(refused.value)
    assert "y is float64; labels are integers, 0 and 1" in str(refused.value)


def test_labels_other_than_0_and_1_are_counted(X):
    with pytest.raises(ModelError, match="y is neither 0 nor 1 in 2 of 3 rows: 2, -1"):
        make_model(LogisticModel(), seed=0).fit(X, pd.Series([1, 2, -1], index=X.index))


def test_no_training_rows_are_refused(X, y):
    with pytest.raises(ModelError, match="there are no training rows: see"):
        make_model(LogisticModel(), seed=0).fit(X[:0], y[:0])


def test_every_column_that_no_model_can_take_is_named(X, y):
    odd = X.assign(visits=[1, 2, 3], plan=pd.Categorical(["a", "b", "a"]), ratio=[0.0, np.inf, 1.0])
    odd[7] = 1.0

    with pytest.raises(ModelError) as refused:
        make_model(LogisticModel(), seed=0).fit(odd, y)

    assert "column 'visits' of X is int64; a number is float64 and a category is str" in str(refused.value)
    assert "column 'plan' of X is category" in str(refused.value)
    assert "column 'ratio' of X is infinite in 1 of 3 rows ('b')" in str(refused.value)
    assert "X has a column named 7; names are text" in str(refused.value)


def test_a_column_named_twice_is_refused(X, y):
    with pytest.raises(ModelError, match="X has the column 'sessions' twice"):
        make_model(LogisticModel(), seed=0).fit(pd.concat([X, X], axis=1), y)


def test_a_model_is_not_asked_about_no_rows(X, y):
    def fail(*_):
        raise AssertionError("asked")

    assert fitted(X, y, predict_proba=fail).predict_proba(X[:0]).empty


def test_a_fit_that_fails_leaves_no_old_model_behind(X, y):
    model = fitted(X, y)

    def fail(X, y):
        raise ModelError("no")

    model.inner.fit = fail
    with pytest.raises(ModelError, match="no"):
        model.fit(X, y)
    with pytest.raises(ModelError, match="not fitted yet"):
        model.predict_proba(X)
