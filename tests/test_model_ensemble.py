"""An ensemble is the mean of its members' log-odds, composed from configs and saved as plain files."""

import dataclasses
import json

import numpy as np
import pandas as pd
import pytest

from leadscore.changes.config import is_asked
from leadscore.config.recorded import recorded_config
from leadscore.config.schema import EnsembleModel, HistGradientBoostingModel, LightgbmModel, LogisticModel
from leadscore.errors import ConfigError, ModelError
from leadscore.identity.asked import canonical_config
from leadscore.model import load_model, make_model, save_model
from leadscore.model.registry import registration_of
from leadscore.pipeline import compose

TREES = LightgbmModel(n_estimators=15, min_child_samples=5)
MIXED = EnsembleModel(seeds=1, members={"line": LogisticModel(), "trees": TREES})


@pytest.fixture
def numbers():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"sessions": rng.normal(size=300), "days": rng.exponential(10, 300)})
    return X, pd.Series((rng.random(300) < 1 / (1 + np.exp(-X["sessions"]))).astype("int64"))


def logit(p):
    return np.log(p) - np.log1p(-p)


def test_log_odds_bases_and_contributions_are_means_of_the_members(numbers):
    X, y = numbers
    members = [make_model(config, 7).fit(X, y) for config in (LogisticModel(), TREES)]
    ensemble = make_model(MIXED, 7).fit(X, y)

    due = (logit(members[0].predict_proba(X)) + logit(members[1].predict_proba(X))) / 2
    np.testing.assert_allclose(logit(ensemble.predict_proba(X)), due, atol=1e-9)
    explanations = [each.explain(X) for each in members]
    assert ensemble.explain(X).base == pytest.approx((explanations[0].base + explanations[1].base) / 2)
    mean = (explanations[0].contributions + explanations[1].contributions) / 2
    np.testing.assert_allclose(ensemble.explain(X).contributions, mean, atol=1e-12)


def test_seeds_differ_within_a_run_and_between_runs(numbers):
    X, y = numbers
    config = EnsembleModel(seeds=3, members={"trees": TREES})
    seeds = [[each.seed for each in make_model(config, run).fit(X, y).inner._fitted] for run in (0, 1)]

    assert seeds == [[0, 1, 2], [3, 4, 5]]
    one = make_model(EnsembleModel(seeds=1, members={"trees": TREES}), 0).fit(X, y)
    assert one.predict_proba(X).corr(make_model(TREES, 0).fit(X, y).predict_proba(X)) == pytest.approx(1)
    assert not one.predict_proba(X).equals(make_model(config, 0).fit(X, y).predict_proba(X))


def test_the_order_in_which_members_are_written_moves_no_bit(numbers):
    X, y = numbers
    members = {"line": LogisticModel(), "forest": HistGradientBoostingModel(min_samples_leaf=5), "trees": TREES}
    one, other = (
        make_model(EnsembleModel(seeds=1, members=each), 0).fit(X, y)
        for each in (members, dict(reversed(members.items())))
    )
    assert one.predict_proba(X).equals(other.predict_proba(X))


def test_seeds_of_a_model_that_draws_nothing_are_said_to_be_one(numbers):
    model = make_model(EnsembleModel(seeds=2, members={"line": LogisticModel(), "trees": TREES}), 0).fit(*numbers)

    (said,) = model.warnings
    assert said.startswith("line: all 2 seeds give the same scores, since logistic as configured draws nothing")


def test_a_members_warning_is_said_once_with_its_label(numbers):
    X, y = numbers
    model = make_model(EnsembleModel(seeds=3, members={"trees": LightgbmModel()}), 0).fit(X[:50], y[:50])

    (said,) = [each for each in model.warnings if "split" in each]
    assert said.startswith("trees: no tree of lightgbm found a split in 50 training rows")


def test_only_members_that_want_the_inner_fold_get_it_and_none_is_fitted_on_it(numbers):
    X, y = numbers
    stopped = dataclasses.replace(TREES, n_estimators=200, learning_rate=0.3, early_stopping=5)
    config = EnsembleModel(seeds=1, members={"line": LogisticModel(), "trees": stopped})
    model = make_model(config, 0)
    assert model.wants_held_out
    line, trees = model.fit(X[:200], y[:200], (X[200:], y[200:])).inner._fitted

    assert trees._fitted.booster.num_trees() < 100
    assert line.predict_proba(X).equals(make_model(LogisticModel(), 0).fit(X[:200], y[:200]).inner.predict_proba(X))


def test_one_member_that_is_certain_does_not_outvote_the_others():
    X, y = pd.DataFrame({"sessions": np.arange(40.0)}), pd.Series([0] * 20 + [1] * 20)
    certain = EnsembleModel(seeds=1, members={"sure": LogisticModel(C=1e6), "unsure": LogisticModel(C=1e-6)})
    model = make_model(certain, 0).fit(X, y)
    far = pd.DataFrame({"sessions": [-1e9, 1e4]})

    assert logit(model.predict_proba(far)).abs().max() <= 20
    np.testing.assert_allclose(model.explain(far).log_odds(), logit(model.predict_proba(far)), atol=1e-6)


def test_members_lie_side_by_side_in_plain_files(numbers, tmp_path):
    X, y = numbers
    model = make_model(dataclasses.replace(MIXED, seeds=2), 0).fit(X, y)
    manifest = save_model(model, tmp_path / "model", {})

    trees = [f"{number}-{name}" for number in (2, 3) for name in ("lightgbm.json", "trees.txt")]
    assert sorted(manifest["files"]) == ["0-logistic.json", "1-logistic.json", *trees, "ensemble.json"]
    assert {"lightgbm", "scikit-learn"} <= set(manifest["versions"])
    assert load_model(tmp_path / "model").predict_proba(X).equals(model.predict_proba(X))


def test_threads_of_a_member_change_no_byte(numbers, tmp_path):
    X, y = numbers
    files = []
    for threads in (1, 2):
        config = EnsembleModel(seeds=1, members={"trees": dataclasses.replace(TREES, num_threads=threads)})
        files.append(save_model(make_model(config, 0).fit(X, y), tmp_path / str(threads), {})["files"])
    assert files[0] == files[1]


def test_a_file_that_lists_other_members_than_are_there_is_refused(numbers, tmp_path):
    X, y = numbers
    model = make_model(MIXED, 0).fit(X, y)
    model.inner.save(tmp_path)
    path = tmp_path / "ensemble.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"members": 3}))
    with pytest.raises(ValueError, match="3 members are saved and 2 were asked for"):
        type(model.inner).load(tmp_path)


def test_no_member_is_refused(numbers):
    with pytest.raises(ModelError, match=r"model\.members is empty"):
        make_model(EnsembleModel(), 0)


# --- composed ---------------------------------------------------------------------------------------------


def test_members_are_composed_with_their_own_keys():
    config = compose(["model=blend", "model.members.lightgbm.num_leaves=5"])

    assert [type(each) for each in config.model.members.values()] == [
        LogisticModel,
        LightgbmModel,
        HistGradientBoostingModel,
    ]
    assert config.model.members["lightgbm"].num_leaves == 5
    more = compose(["model=ensemble", "+model@model.members.line=logistic"])
    assert list(more.model.members) == ["lightgbm", "line"]


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["model.members.lightgbm.num_leafs=5"], "Did you mean 'model.members.lightgbm.num_leaves'"),
        (["+model.members.lightgbm.foo=5"], "unknown key 'model.members.lightgbm.foo'. Keys in model.members.lightgbm"),
        (["model.members.logistic.C=-1"], "model.members.logistic.C: -1.0 must be above 0"),
        (["model.members.logistic.calibration=auto"], "an ensemble is calibrated as a whole, by model.calibration"),
        (["model.members.logistic.name=lightgbm"], "model.members.logistic.name lightgbm does not belong"),
        (["+model@model.members.more=ensemble"], "model.members.more is itself an ensemble"),
    ],
)
def test_a_mistake_in_a_member_is_named(overrides, said):
    with pytest.raises(ConfigError) as refused:
        compose(["model=blend", *overrides])
    assert said in str(refused.value)


def test_a_members_constraints_are_checked_before_data_are_read():
    with pytest.raises(ModelError, match=r"model\.members\.lightgbm\.monotone names 'sessions', which is not a column"):
        compose(["model=blend", "+model.members.lightgbm.monotone.sessions=rises"])


def test_a_members_defaults_and_threads_stay_out_of_the_name():
    def asked(*overrides):
        return canonical_config(compose(["model=blend", *overrides]), {})["model"]

    assert asked()["members"]["lightgbm"] == {"name": "lightgbm"}
    assert asked("model.members.lightgbm.num_leaves=7", "model.members.lightgbm.num_threads=2") == asked()
    assert asked("model.members.lightgbm.num_leaves=8") != asked()
    assert is_asked("model.members.lightgbm.num_leaves")
    assert not is_asked("model.members.lightgbm.num_threads")


def test_a_recorded_ensemble_is_read_back_typed():
    config = compose(["model=blend", "model.members.lightgbm.num_leaves=5"])
    plain = dataclasses.asdict(config)
    plain.pop("feature_sets")

    assert recorded_config(plain, lambda name: registration_of(name).config).model == config.model
