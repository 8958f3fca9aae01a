"""A scikit-learn classifier joins in code, keeps the contract, and is read back only as what leadscore trusts."""

import json
import os
import pickle
import sys
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
from test_model_conformance import observations

from leadscore.config.schema import ModelConfig
from leadscore.errors import ModelError
from leadscore.identity.source import code_hash
from leadscore.model import load_model, make_model, register_model, registry, save_model, sklearn_wrapper, store
from leadscore.model.skops_file import TRUSTED


@dataclass
class ForestModel(ModelConfig):
    name: str = "forest"
    n_estimators: int = 20


@dataclass
class LinearModel(ModelConfig):
    name: str = "discriminant"


@dataclass
class BayesModel(ModelConfig):
    name: str = "bayes"


@dataclass
class OddModel(ModelConfig):
    name: str = "odd"


def forest(config, seed):
    from sklearn.ensemble import RandomForestClassifier

    return RandomForestClassifier(config.n_estimators, min_samples_leaf=5, random_state=seed, n_jobs=1)


def discriminant(config, seed):
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    return LinearDiscriminantAnalysis(solver="lsqr", shrinkage=0.1)


def bayes(config, seed):
    from sklearn.naive_bayes import GaussianNB

    return GaussianNB(var_smoothing=1e-3)


BUILT = {ForestModel: forest, LinearModel: discriminant, BayesModel: bayes}


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    monkeypatch.setattr(registry, "_REGISTRY", dict(registry._REGISTRY))
    for config, build in BUILT.items():
        register_model(config().name, config=config, library="scikit-learn")(sklearn_wrapper(build))


@pytest.fixture(params=BUILT, ids=lambda config: config().name)
def config(request):
    return request.param()


def test_probabilities_are_the_estimators_own(config):
    X, y = observations(300, seed=1)
    model = make_model(config, seed=3).fit(X, y)
    from leadscore.model.sklearn_wrapper import _encode

    encoded = _encode(X, model.inner._fitted.encodings)
    due = BUILT[type(config)](config, 3).fit(encoded, y).predict_proba(encoded)[:, 1]
    np.testing.assert_allclose(model.predict_proba(X), due, rtol=0, atol=1e-12)


def test_saved_and_loaded_scores_reasons_and_bytes_are_equal(config, tmp_path):
    X, y = observations(300, seed=1)
    later, _ = observations(80, seed=2)
    model = make_model(config, seed=3).fit(X, y)
    once = save_model(model, tmp_path / "once", {})
    loaded = load_model(tmp_path / "once")

    assert loaded.predict_proba(later).equals(model.predict_proba(later))
    assert loaded.explain(later).contributions.equals(model.explain(later).contributions)
    assert save_model(loaded, tmp_path / "twice", {}) == once


def test_contributions_add_up_and_a_constant_explains_nothing(config):
    X, y = observations(300, seed=1)
    later, _ = observations(80, seed=2)
    later['the "country": {x}'] = later['the "country": {x}'].fillna("Atlantis")
    model = make_model(config, seed=3).fit(X, y)
    explanation, p = model.explain(later), model.predict_proba(later)

    inside = p.between(1e-8, 1 - 1e-8)
    due = np.log(p[inside]) - np.log1p(-p[inside])
    np.testing.assert_allclose(explanation.log_odds()[inside], due, rtol=0, atol=1e-6)
    assert (explanation.contributions[["constant", "never known"]] == 0).all(axis=None)
    assert explanation.contributions.abs().mean().idxmax() in ("sessions, 7d", "amount")


def test_a_row_scores_the_same_alone_and_the_same_seed_the_same(config):
    X, y = observations(300, seed=1)
    model, again = (make_model(config, seed=3).fit(X, y) for _ in range(2))
    alone = pd.concat([model.predict_proba(X.iloc[[position]]) for position in range(20)])

    pd.testing.assert_series_equal(alone, model.predict_proba(X)[:20], check_exact=True)
    pd.testing.assert_series_equal(again.predict_proba(X), model.predict_proba(X), check_exact=True)


def test_only_a_classifier_that_is_linear_in_the_log_odds_is_explained_as_one():
    X, y = observations(300, seed=1)
    linear = {each().name: make_model(each(), 0).fit(X, y).inner._fitted.linear for each in BUILT}
    assert linear == {"forest": False, "discriminant": True, "bayes": False}


def test_the_builders_code_is_in_the_code_hash():
    def other(config, seed):
        from sklearn.ensemble import RandomForestClassifier

        return RandomForestClassifier(config.n_estimators, min_samples_leaf=6, random_state=seed, n_jobs=1)

    other.__name__ = other.__qualname__ = "forest"
    assert code_hash([sklearn_wrapper(forest)]) == code_hash([sklearn_wrapper(forest)])
    assert code_hash([sklearn_wrapper(forest)]) != code_hash([sklearn_wrapper(other)])


# --- what is refused --------------------------------------------------------------------------------------


def odd(estimator):
    register_model("odd", config=OddModel)(sklearn_wrapper(lambda config, seed: estimator))
    return make_model(OddModel(), 0)


def test_without_skops_the_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "skops", None)
    monkeypatch.setitem(sys.modules, "skops.io", None)
    with pytest.raises(ModelError, match=r"saved by skops, which is not installed: pip install 'leadscore\[skops\]'"):
        make_model(ForestModel(), 0).fit(*observations(50, seed=1))


def test_an_estimator_without_probabilities_is_refused():
    from sklearn.svm import LinearSVC

    with pytest.raises(ModelError, match="odd builds a LinearSVC, which has no predict_proba"):
        odd(LinearSVC()).fit(*observations(50, seed=1))


def test_an_estimator_that_could_not_be_read_back_is_refused_at_the_fit():
    from sklearn.neighbors import KNeighborsClassifier

    with pytest.raises(ModelError, match=r"has 2 types that leadscore does not trust: sklearn\.metrics.*KDTree"):
        odd(KNeighborsClassifier(algorithm="kd_tree")).fit(*observations(50, seed=1))


def planted(folder, content):
    """Put other bytes in the place of the estimator, under a manifest that is consistent with them."""
    (folder / "estimator.skops").write_bytes(content)
    manifest = json.loads((folder / "manifest.json").read_text())
    content = {**manifest, "files": store._fingerprints(folder, without="manifest.json")}
    del content["sha256"]
    digest = store._sha256(store._canonical(content))
    (folder / "manifest.json").write_bytes(store._canonical({**content, "sha256": digest}))


@pytest.fixture
def folder(tmp_path):
    save_model(make_model(BayesModel(), 0).fit(*observations(100, seed=1)), tmp_path / "model", {})
    return tmp_path / "model"


class Harmful:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (os.mkdir, (self.path,))


def test_a_pickle_in_disguise_is_never_opened(folder, tmp_path):
    planted(folder, pickle.dumps(Harmful(str(tmp_path / "ran"))))
    with pytest.raises(ModelError, match=r"estimator\.skops cannot be read"):
        load_model(folder)
    assert not (tmp_path / "ran").exists()


def test_foreign_types_are_listed_and_nothing_is_built(folder, tmp_path):
    import skops.io
    from sklearn.preprocessing import FunctionTransformer

    planted(folder, skops.io.dumps(FunctionTransformer(os.mkdir, kw_args={"path": str(tmp_path / "ran")})))
    with pytest.raises(
        ModelError, match=r"1 types that leadscore does not trust: posix\.mkdir; nothing of it was built"
    ):
        load_model(folder)
    assert not (tmp_path / "ran").exists()


def test_a_list_of_trusted_types_beside_the_model_is_refused_as_any_other_file(folder):
    (folder / "trusted.json").write_text('["posix.system"]')
    with pytest.raises(ModelError, match=r"trusted\.json is not in the manifest"):
        load_model(folder)
    assert all(name.startswith("sklearn.") for name in TRUSTED)


@pytest.mark.parametrize("kept", [0, 10, 1000])
def test_a_truncated_estimator_under_a_forged_manifest_is_refused(folder, kept):
    planted(folder, (folder / "estimator.skops").read_bytes()[:kept])
    with pytest.raises(ModelError, match=r"estimator\.skops cannot be read"):
        load_model(folder)
