"""A scikit-learn classifier joins in code, keeps the contract, and is read back only as what leadscore trusts."""

import io
import json
import os
import pickle
import sys
import zipfile
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
from forgery import forge
from test_model_conformance import observations

from leadscore.config.schema import ModelConfig
from leadscore.errors import ModelError
from leadscore.identity.source import code_hash
from leadscore.model import load_model, make_model, register_model, registry, save_model, sklearn_wrapper
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
    forge(folder)


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


# --- archives that skops never writes, and trees that lead out of their arrays ----------------------------


def rezipped(content, change=lambda name, part: part, **more):
    """The same archive with entries changed or added, each stored as it is."""
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as before, zipfile.ZipFile(made, "w") as after:
        for name in before.namelist():
            after.writestr(name, change(name, before.read(name)))
        for name, part in more.items():
            after.writestr(name, part)
    return made.getvalue()


@pytest.mark.parametrize("name", ["../../ran.npy", "/tmp/ran.npy", "C:\\ran.npy", "1.npy/../2.npy", "x.pkl", "1.npy\n"])
def test_an_entry_under_a_name_that_skops_never_gives_is_refused(folder, name):
    before = sorted(folder.parent.rglob("*"))
    planted(folder, rezipped((folder / "estimator.skops").read_bytes(), **{name: b"x"}))
    with pytest.raises(ModelError, match="is no entry of a skops file"):
        load_model(folder)
    assert sorted(folder.parent.rglob("*")) == before


def test_a_bomb_is_refused_before_it_is_unpacked(folder):
    made = io.BytesIO((folder / "estimator.skops").read_bytes())
    with zipfile.ZipFile(made, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("1.npy", bytes(50_000_000))
    assert len(made.getvalue()) < 100_000
    planted(folder, made.getvalue())
    with pytest.raises(ModelError, match="its entries are compressed or overlap"):
        load_model(folder)


def test_one_name_twice_is_refused(folder):
    with pytest.warns(UserWarning, match="Duplicate name"):
        planted(folder, rezipped((folder / "estimator.skops").read_bytes(), **{"schema.json": b"{}"}))
    with pytest.raises(ModelError, match="two entries have one name"):
        load_model(folder)


@pytest.fixture
def grown(tmp_path):
    save_model(make_model(ForestModel(n_estimators=2), 0).fit(*observations(100, seed=1)), tmp_path / "grown", {})
    return tmp_path / "grown"


def first_tree(schema):
    if isinstance(schema, dict):
        if schema.get("__class__") == "Tree":
            return schema
        schema = list(schema.values())
    found = (first_tree(each) for each in schema) if isinstance(schema, list) else ()
    return next((each for each in found if each is not None), None)


def with_tree(content, edit):
    """The same forest with its first tree's description edited, and its array of nodes as a function of them."""
    schema = json.loads(zipfile.ZipFile(io.BytesIO(content)).read("schema.json"))
    tree = first_tree(schema)
    node_file = tree["content"]["content"]["nodes"]["file"]
    change_nodes = edit(tree, schema) or (lambda nodes: None)

    def change(name, part):
        if name == "schema.json":
            return json.dumps(schema).encode()
        if name != node_file:
            return part
        nodes = np.load(io.BytesIO(part)).copy()
        change_nodes(nodes)
        made = io.BytesIO()
        np.save(made, nodes)
        return made.getvalue()

    return rezipped(content, change)


def at_root(field, value):
    def change(nodes):
        nodes[field][0] = value

    return lambda tree, schema: change


def stated(place, value):
    """Another number where the tree's description says how large it is; as an object of its own."""

    def edit(tree, schema):
        arguments, state = tree["__reduce__"]["args"]["content"], tree["content"]["content"]
        part = {"columns": arguments[0], "outputs": arguments[2], "nodes": state["node_count"]}[place]
        part.update(content=str(value), __id__=1)

    return edit


def borrowed_id(tree, schema):
    """An object that stands before the tree and has the id of its number of outcomes: skops takes the first."""
    schema["content"]["content"]["first"] = {**tree["__reduce__"]["args"]["content"][2], "content": "1000000000"}


def no_array(tree, schema):
    tree["content"]["content"]["nodes"]["type"] = "json"


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (at_root("left_child", 0), "the children of a tree's node do not come after it"),
        (at_root("right_child", 10**9), "the children of a tree's node do not come after it"),
        (at_root("left_child", -(10**9)), "the children of a tree's node do not come after it"),
        (at_root("feature", 10**9), "a tree splits a column that is none of"),
        (at_root("feature", -5), "a tree splits a column that is none of"),
        (stated("columns", 10**9), "a tree has no node, several outcomes, or other columns than"),
        (stated("outputs", 10**9), "a tree has no node, several outcomes, or other columns than"),
        (stated("nodes", 10**9), "a tree has not one value for each node"),
        (borrowed_id, "something else has its id"),
        (no_array, "a part of a tree is no array"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_a_tree_that_leads_out_of_its_arrays_is_never_built(grown, edit, said, monkeypatch):
    """Each of these makes scikit-learn read memory that is not the tree's, or never end."""
    import skops.io

    content = (grown / "estimator.skops").read_bytes()
    assert load_model(grown).columns
    planted(grown, with_tree(content, lambda tree, schema: None))
    assert load_model(grown).columns  # unpacked and packed again it is still read
    planted(grown, with_tree(content, edit))
    monkeypatch.setattr(skops.io, "loads", lambda *_, **__: pytest.fail("it was built"))
    with pytest.raises(ModelError, match=said):
        load_model(grown)


def test_a_lead_that_is_too_large_for_an_estimator_is_one_sentence():
    X, y = observations(100, seed=1)
    model = make_model(ForestModel(n_estimators=2), 0).fit(X, y)
    X.iloc[3, list(X.columns).index("amount")] = 1e300
    with pytest.raises(ModelError, match=r"RandomForestClassifier cannot score these 100 rows, .* reach \d.*float32"):
        model.predict_proba(X)
