"""A saved model that was damaged is refused unread; one that was made up can at worst score wrongly."""

import copy
import json
import math
import random
import re
from dataclasses import dataclass
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
    ModelConfig,
)
from leadscore.errors import ModelError
from leadscore.model import load_model, make_model, register_model, registry, save_model, sklearn_wrapper, store


@dataclass
class ForestModel(ModelConfig):
    name: str = "attacked_forest"


def attacked_forest(config, seed):
    from sklearn.ensemble import RandomForestClassifier

    return RandomForestClassifier(5, min_samples_leaf=10, random_state=seed, n_jobs=1)


LIGHT = LightgbmModel(n_estimators=4, min_child_samples=5)
KINDS = {
    "logistic": LogisticModel(),
    "baseline": BaselineModel(rank_by="sessions", descending=True),
    "lightgbm": LIGHT,
    "hist_gradient_boosting": HistGradientBoostingModel(max_iter=4, min_samples_leaf=5),
    "ensemble": EnsembleModel(seeds=2, members={"line": LogisticModel(), "trees": LIGHT}),
    "isotonic": LogisticModel(calibration="isotonic"),
    "sigmoid": LogisticModel(calibration="sigmoid"),
    "sklearn": ForestModel(),
}


@pytest.fixture(scope="module", autouse=True)
def registered():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "_REGISTRY", dict(registry._REGISTRY))
        register_model("attacked_forest", config=ForestModel, library="scikit-learn")(sklearn_wrapper(attacked_forest))
        yield


def leads(n=300):
    rng = np.random.default_rng(7)
    X = pd.DataFrame({"sessions": rng.poisson(3, n).astype("float64"), "amount": rng.lognormal(3, 1, n)})
    X["country"] = pd.Series(rng.choice(["DE", "FR", "NL", "IT"], n), dtype="str")
    X.loc[X.index[::9], "amount"] = np.nan
    y = pd.Series((rng.random(n) < 1 / (1 + np.exp(3 - X["sessions"]))).astype("int64"))
    return X, y


@pytest.fixture(scope="module")
def saved(registered, tmp_path_factory):
    """One model of each kind, as its files' bytes."""
    root, (X, y) = tmp_path_factory.mktemp("saved"), leads()
    found = {}
    for kind, config in KINDS.items():
        model = make_model(config, 3)
        inner = [(X[200:], y[200:])] if model.wants_held_out else []
        model.fit(X[:200], y[:200], *inner)
        save_model(model, root / kind, {"fold": 0}, {"serving.json": {"beside": kind}})
        found[kind] = {path.name: path.read_bytes() for path in (root / kind).iterdir()}
    return found


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "model").mkdir()
    return tmp_path / "model"


def lay(folder: Path, files: dict[str, bytes]) -> None:
    """Write files, and nothing else, into a folder."""
    for path in folder.iterdir():
        path.unlink()
    for name, content in files.items():
        (folder / name).write_bytes(content)


def forge(folder: Path, **changes) -> None:
    """Make the manifest consistent with whatever lies there."""
    manifest = json.loads((folder / "manifest.json").read_bytes()) | changes
    manifest["files"] = store._fingerprints(folder, without="manifest.json")
    del manifest["sha256"]
    digest = store._sha256(store._canonical(manifest))
    (folder / "manifest.json").write_bytes(store._canonical({**manifest, "sha256": digest}))


# --- damage -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_damage_anywhere_is_seen_before_anything_is_parsed(kind, saved, folder, monkeypatch):
    """All kinds together have 2,000 places, in every file and the manifest."""
    files, chance = saved[kind], random.Random(kind)
    lay(folder, files)
    monkeypatch.setattr(registry._REGISTRY[KINDS[kind].name].cls, "load", lambda _: pytest.fail("it was parsed"))
    names = sorted(files)
    for number in range(250):
        name = names[number % len(names)]
        whole, at = files[name], chance.randrange(len(files[name]))
        flipped = whole[:at] + bytes([whole[at] ^ 1 << chance.randrange(8)]) + whole[at + 1 :]
        (folder / name).write_bytes(whole[:at] if number % 5 == 0 else flipped)
        with pytest.raises(ModelError, match=rf"{re.escape(name)} is damaged or was edited"):
            load_model(folder)
        (folder / name).write_bytes(whole)


# --- forgery: a manifest that fits whatever was made up ------------------------------------------------

ODD = [None, "", "x", -1, 0, 0.5, 10**9, 10**400, 1e308, math.nan, math.inf, True, [], {}, [1], [[1.0]], {"a": 1}]


def places(content, path=()):
    """Every place in a JSON value."""
    if path:
        yield path
    pairs = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    for key, value in pairs:
        yield from places(value, (*path, key))


def odd(content, chance):
    """The same JSON with one place changed, or gone."""
    content = copy.deepcopy(content)
    path = chance.choice(list(places(content)))
    inside = content
    for key in path[:-1]:
        inside = inside[key]
    if chance.random() < 0.2:
        del inside[path[-1]]
    else:
        inside[path[-1]] = chance.choice(ODD)
    return content


@pytest.mark.filterwarnings(
    "ignore:(overflow|invalid value) encountered"
)  # 1e308 is a number: what is made of it is looked at
@pytest.mark.parametrize("tries", [30, pytest.param(600, marks=pytest.mark.slow)])
@pytest.mark.parametrize("kind", KINDS)
def test_json_that_was_made_up_is_refused_or_scores(kind, tries, saved, folder):
    files, chance, (X, _) = saved[kind], random.Random(f"{kind} {tries}"), leads(20)
    X.loc[0, "country"] = "Atlantis"
    mine = sorted(name for name in files if name.endswith(".json") and name not in ("manifest.json", "serving.json"))
    refused = 0
    for number in range(tries):
        name = mine[number % len(mine)]
        changed = odd(json.loads(files[name]), chance)
        lay(folder, {**files, name: json.dumps(changed).encode()})
        forge(folder)
        try:
            model = load_model(folder)
            assert model.predict_proba(X).between(0, 1).all()
            model.explain(X)
        except ModelError:
            refused += 1
    assert refused > tries / 5
