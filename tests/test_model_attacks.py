"""A saved model that was damaged is refused unread; one that was made up can at worst score wrongly."""

import copy
import json
import math
import random
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from forgery import forge

from leadscore.config.schema import (
    BaselineModel,
    EnsembleModel,
    HistGradientBoostingModel,
    LightgbmModel,
    LogisticModel,
    ModelConfig,
)
from leadscore.errors import ModelError
from leadscore.model import load_model, make_model, register_model, registry, save_model, sklearn_wrapper
from leadscore.model.tree_text import checked_trees


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


def retold(text: str) -> str:
    """A text of trees whose tree_sizes are right again."""
    body = text[text.index("Tree=0") : text.index("end of trees")]
    sizes = " ".join(str(len(tree)) for tree in re.split(r"(?=Tree=\d)", body)[1:])
    return re.sub(r"tree_sizes=.*", f"tree_sizes={sizes}", text)


def numbered(text: str, name: str, place: int, number: str) -> str:
    """The same text with another number in the first array of a name."""
    found = re.search(rf"(?<=\n{name}=).*", text)
    parts = found[0].split()
    parts[place] = number
    return text[: found.start()] + " ".join(parts) + text[found.end() :]


@pytest.mark.parametrize(
    ("name", "number", "said"),
    [
        ("num_leaves", "2000000000", "it has 2,000,000,000 leaves"),
        ("num_leaves", "0", "it has 0 leaves"),
        ("num_leaves", "6", "numbers instead of 5"),
        ("num_cat", "1000000000", "splits 1,000,000,000 categories"),
        ("left_child", "0", "do not hang together as a tree"),
        ("left_child", "900000000", "do not hang together as a tree"),
        ("right_child", "-900000000", "do not hang together as a tree"),
        ("split_feature", "900000000", "none of the 3"),
        ("split_feature", "-3", "none of the 3"),
        ("decision_type", "77", "none of LightGBM's"),
        ("leaf_value", "nan", "is not a number"),
        ("leaf_value", "0x7", "something else than numbers"),
        ("threshold", "1e", "something else than numbers"),
        ("is_linear", "1", "other lines than a tree of constants"),
        ("num_class", "1000000000", "num_class=1000000000"),
        ("num_tree_per_iteration", "0", "num_tree_per_iteration=0"),
        ("max_feature_idx", "2000000000", "max_feature_idx=2000000000"),
        ("objective", "regression", "objective=regression"),
        ("feature_names", "f9", "feature_names=f9"),
        ("tree_sizes", "99999999", "tree_sizes add up to"),
    ],
)
def test_trees_that_would_crash_lightgbm_never_reach_it(name, number, said, saved, folder, monkeypatch):
    """Each of these ends Python, hangs it or takes all memory when LightGBM is given it."""
    import lightgbm

    monkeypatch.setattr(lightgbm, "Booster", lambda **_: pytest.fail("LightGBM was given it"))
    text = numbered(saved["lightgbm"]["trees.txt"].decode(), name, 0, number)
    text = text if name == "tree_sizes" else retold(text)
    lay(folder, {**saved["lightgbm"], "trees.txt": text.encode()})
    forge(folder)
    with pytest.raises(ModelError, match=rf"trees\.txt is not a model of lightgbm's: .*{re.escape(said)}"):
        load_model(folder)


MANGLED = """
import random, re, sys
import lightgbm, numpy as np
from leadscore.model.tree_text import checked_trees
text, chance = sys.stdin.read(), random.Random(1)
X = np.array([[0, 1, 2], [5, np.nan, 0], [np.nan, 1e300, 77], [3, -1e300, np.nan]])
passed = 0
for _ in range(int(sys.argv[1])):
    lines = text.split("\\n")
    trees = range(lines.index("Tree=0"), lines.index("end of trees"))
    for _ in range(chance.choice([1, 1, 2])):
        at = chance.choice([each for each in trees if lines[each]])
        if chance.random() < 0.1:
            lines[at] = lines[chance.choice(trees)]
            continue
        name, _, value = lines[at].partition("=")
        parts = value.split() or [""]
        odd = ["-1", "0", "1", "2", "3", "9", "4294967296", "1e400", "-inf", "nan", "x", "", "1e-320", parts[-1]]
        parts[chance.randrange(len(parts))] = chance.choice(odd)
        lines[at] = f"{name}={' '.join(parts)}"
    made = "\\n".join(lines)
    body = made[made.index("tree_sizes"):made.index("end of trees")]
    sizes = " ".join(str(len(tree)) for tree in re.split(r"(?=Tree=\\d)", body)[1:])
    try:
        checked = checked_trees(re.sub(r"tree_sizes=.*", f"tree_sizes={sizes}", made, count=1))
    except ValueError:
        continue
    booster = lightgbm.Booster(model_str=checked)
    booster.predict(X, num_threads=1), booster.predict(X, pred_contrib=True, num_threads=1)
    passed += 1
print(passed)
"""


@pytest.mark.parametrize("tries", [400, pytest.param(20_000, marks=pytest.mark.slow)])
def test_whatever_trees_are_let_through_lightgbm_survives(tries, saved):
    done = subprocess.run(
        [sys.executable, "-c", MANGLED, str(tries)],
        input=saved["lightgbm"]["trees.txt"].decode(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert int(done.stdout.split()[-1]) > tries / 20  # values may be wrong, and are read


def test_a_model_of_many_trees_and_levels_passes_the_check():
    import lightgbm

    rng = np.random.default_rng(0)
    X = np.column_stack([rng.normal(size=(2_000, 3)), rng.integers(0, 80, 2_000)])
    X[rng.random(X.shape) < 0.1] = np.nan
    y = (np.nan_to_num(X[:, 0]) + (X[:, 3] % 3 == 0) + rng.normal(size=2_000) > 0).astype(int)
    table = lightgbm.Dataset(X, y, feature_name=["f0", "f1", "f2", "f3"], categorical_feature=[3])
    wanted = {"objective": "binary", "num_leaves": 63, "min_data_in_leaf": 3, "verbosity": -1, "num_threads": 1}
    trained = lightgbm.train(wanted, table, 40)

    checked = checked_trees(trained.model_to_string())

    assert "parameters" not in checked
    assert (lightgbm.Booster(model_str=checked).predict(X) == trained.predict(X)).all()
