"""Parameters are searched inside the training rows, the same way each time, and honestly told."""

import importlib.util
import json
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from leadscore.compare import expected_gain_by_luck
from leadscore.config.models import EnsembleModel, LightgbmModel, LogisticModel, RandomSearch, TpeSearch
from leadscore.config.ranges import range_problems, ranges_of, with_values
from leadscore.config.recorded import recorded_config
from leadscore.config.schema import GroupedValidation, RollingValidation
from leadscore.errors import ConfigError, ModelError, WindowError
from leadscore.features import FeatureTable, make_plan
from leadscore.model import make_model
from leadscore.model.registry import registration_of
from leadscore.pipeline import compose, train_model
from leadscore.results import Dataset
from leadscore.search import Study
from leadscore.searching import search_model
from leadscore.split import Fold, inner_periods, make_folds
from leadscore.tables import Tables
from leadscore.window import Observations

DAY = timedelta(days=1)
START = pd.Timestamp("2024-01-01", tz="UTC")
N = 600  # one lead every six hours, 150 days
HORIZON = 10 * DAY
FOLD = Fold(START, START + 110 * DAY, START + 150 * DAY, HORIZON)
COUNTED = ("candidates", "before window.start", "at or after window.end", "observations")
SMALL = LightgbmModel(n_estimators=8, min_child_samples=5, search_space={"num_leaves": [2, 9], "subsample": [0.5, 1.0]})


@pytest.fixture(scope="module")
def config():
    """Eight tries of a logistic regression."""
    return compose(["search=tpe", "search.trials=8", "search.folds=2"])


@pytest.fixture(scope="module")
def dataset(config) -> Dataset:
    rng = np.random.default_rng(7)
    signal = rng.normal(size=N)
    as_of = pd.Series(pd.date_range(START, periods=N, freq="6h", unit="us"))
    label = (rng.random(N) < 1 / (1 + np.exp(1 - signal))).astype("int8")
    ids = pd.Series([f"u{n:03d}" for n in range(N)], dtype="str")
    frame = pd.DataFrame({"user_id": ids, "as_of": as_of, "label": label, "lead_row": np.arange(N)})
    noise = {f"noise_{n}": rng.normal(size=N) for n in range(2)}
    X = pd.DataFrame({"signal": signal, **noise}).set_index(pd.MultiIndex.from_frame(frame[["user_id", "as_of"]]))
    return Dataset(
        config=config,
        plan=make_plan({}, {}, {}),
        tables=Tables(None, None, START + 200 * DAY),
        observations=Observations(frame, pd.Timedelta(HORIZON), dict.fromkeys(COUNTED, N)),
        folds=[FOLD],
        table=FeatureTable(X),
    )


@pytest.fixture(scope="module")
def found(dataset, config):
    return search_model(dataset, config)


def told(found):
    """All of a search but the time it took."""
    said = found.to_json()
    return {**said, "trials": [{**trial, "seconds": 0} for trial in said["trials"]]}


# --- what may be searched ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "entry", "said"),
    [
        ("num_leafs", [2, 9], "lightgbm has no such parameter. Did you mean 'num_leaves'?"),
        ("num_leaves", [64, 4], "64 is not below 4"),
        ("num_leaves", [4, 4], "4 is not below 4"),
        ("num_leaves", [4, 4.5], "the parameter is a whole number, and so are its ends"),
        ("num_leaves", [1, 4], "1 must be at least 2"),
        ("num_leaves", ["four", 8], "has no two ends"),
        ("reg_lambda", [0, 3, "log"], "log is a step by factors, and 0.0 is not above 0"),
        ("reg_lambda", [1, 3, "lg"], "'lg' is no scale. Did you mean 'log'?"),
        ("reg_lambda", [1, 2, 3], "has no two ends: a number is searched in [low, high] or [low, high, log]"),
        ("reg_lambda", [1, float("inf")], "has no two ends"),
        ("reg_lambda", 3, "3 is no list"),
        ("class_weight", ["none", "balancd"], "'balancd' is not one of its words. Did you mean 'balanced'?"),
        ("class_weight", ["none", "none"], "there is nothing to choose from"),
        ("num_threads", [1, 2], "it changes no prediction, so there is nothing to search"),
        ("monotone", ["a", "b"], "cannot be searched. Searched can be: calibration, class_weight, colsample_bytree"),
    ],
)
def test_a_wrong_range_is_named_with_what_is_allowed(name, entry, said):
    (problem,) = range_problems(EnsembleModel(members={"a": LightgbmModel(search_space={name: entry})}))
    assert problem.startswith(f"model.members.a.search_space.{name}: ")
    assert said in problem


def test_what_is_wrong_with_a_search_is_said_before_data_are_read():
    wrong = ["model.search_space.num_leaves=[64, 4]", "search.trials=1", "search.metric=auk"]
    for line in ([*wrong[:1]], [*wrong[1:]]):
        with pytest.raises(ConfigError) as refused:
            compose(["model=lightgbm", "search=random", *line])
        assert all(each.partition("=")[0] in str(refused.value) for each in line)
    with pytest.raises(ConfigError, match="would differ from one start to the next"):
        compose(["model=lightgbm", "search=random", "model.search_space.num_leaves=[2, '${oc.env:HOME}']"])


def test_a_search_without_ranges_or_keys_without_a_search_are_refused():
    with pytest.raises(ConfigError, match=r"search=tpe has nothing to try: model.search_space of baseline is empty"):
        compose(["model=baseline", "search=tpe"])
    with pytest.raises(ConfigError, match=r"'search.trials' .*: it goes with search=random or search=tpe"):
        compose(["search.trials=9"])


def test_a_range_can_be_taken_away_and_members_of_an_ensemble_have_theirs():
    config = compose(["model=lightgbm", "search=random", "~model.search_space.n_estimators"])
    assert "n_estimators" not in ranges_of(config.model)
    assert ranges_of(config.model)["num_leaves"].high == 31
    ensemble = EnsembleModel(members={"a": SMALL, "b": LogisticModel(search_space={"C": [0.1, 1]})})
    assert list(ranges_of(ensemble)) == ["members.a.num_leaves", "members.a.subsample", "members.b.C"]
    set_to = with_values(ensemble, {"members.a.num_leaves": 5, "members.b.C": 0.5})
    assert (set_to.members["a"].num_leaves, set_to.members["b"].C, SMALL.num_leaves) == (5, 0.5, 7)


def test_optuna_is_asked_for_before_there_is_work_to_lose(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"pip install 'leadscore\[search\]'"):
        compose(["search=tpe"])


def test_a_run_from_before_there_was_a_search_is_read_as_one_that_did_not_search():
    import dataclasses

    plain = dataclasses.asdict(compose([]))
    del plain["search"], plain["model"]["search_space"], plain["feature_sets"]
    config = recorded_config(plain, lambda name: registration_of(name).config)
    assert (config.search.name, config.model.search_space) == ("none", {})


# --- where trials are scored ------------------------------------------------------------------------------


def test_periods_lie_in_the_training_rows_and_train_on_outcomes_known_before_them(dataset):
    rows = dataset.observations.frame[FOLD.train(dataset.observations.frame)]
    laid = inner_periods(FOLD, rows, 3, 0.5)
    scored = [rows[fold.valid(rows)] for fold in laid]
    assert sum(map(len, scored)) == pytest.approx(len(rows) / 2, abs=1)
    assert max(map(len, scored)) - min(map(len, scored)) <= 1
    assert pd.concat(scored)["user_id"].is_unique
    for fold, part in zip(laid, scored, strict=True):
        trained = rows[fold.train(rows)]
        assert (trained["as_of"] + HORIZON).max() <= part["as_of"].min()
        assert (part["as_of"] + HORIZON).max() <= FOLD.valid_start
    assert [len(rows[fold.train(rows)]) for fold in laid] == sorted(len(rows[fold.train(rows)]) for fold in laid)


def test_by_lot_no_lead_is_scored_twice_or_trained_where_it_is_scored(dataset):
    frame = dataset.observations.frame
    (fold,) = make_folds(frame, HORIZON, GroupedValidation(share=0.25))
    rows = frame[fold.train(frame)]
    laid = inner_periods(fold, rows, 3, 0.6)
    scored = pd.concat([rows[each.valid(rows)] for each in laid])
    assert scored["user_id"].is_unique
    assert len(scored) == pytest.approx(0.6 * len(rows), abs=3)
    assert not scored["user_id"].isin(frame[fold.valid(frame)]["user_id"]).any()
    assert all(not (each.train(rows) & each.valid(rows)).any() for each in laid)


def test_training_rows_that_are_too_few_say_which_keys_decide(dataset, config):
    short = replace(config, search=TpeSearch(folds=30, share=0.95))
    with pytest.raises(WindowError, match=r"search\.folds"):
        search_model(dataset, short)


def test_no_validation_row_is_looked_at(dataset, config, found):
    frame, rng = dataset.observations.frame, np.random.default_rng(1)
    valid = ~FOLD.train(frame).to_numpy()  # purged ones too
    labels, X = frame["label"].to_numpy(copy=True), dataset.X.copy()
    labels[valid] = rng.permutation(labels[valid])
    X.loc[valid, "signal"] = 1e6
    other = replace(
        dataset,
        observations=replace(dataset.observations, frame=frame.assign(label=labels)),
        table=replace(dataset.table, X=X),
    )
    assert told(search_model(other, config)) == told(found)


def test_of_several_folds_only_rows_that_validate_in_none_are_looked_at(dataset, config, monkeypatch):
    frame = dataset.observations.frame
    folds = make_folds(frame, HORIZON, RollingValidation(length="20d", folds=3))
    from leadscore import searching

    seen = []
    fit = searching.fit_fold
    monkeypatch.setattr(
        searching, "fit_fold", lambda inside, *rest: (seen.append(inside.X.index), fit(inside, *rest))[1]
    )
    search_model(replace(dataset, folds=folds), replace(config, search=RandomSearch(trials=2, folds=2)))
    used = dataset.X.index.isin(seen[0])
    assert used.sum() == folds[0].train(frame).sum()
    assert not any(used[fold.valid(frame).to_numpy()].any() for fold in folds)


# --- the trials -------------------------------------------------------------------------------------------


def test_trials_start_with_the_models_own_parameters_and_stay_in_their_ranges(found):
    assert [trial.number for trial in found.trials] == list(range(8))
    assert found.trials[0].parameters == {"C": 1.0}
    assert all(0.001 <= trial.parameters["C"] <= 100 for trial in found.trials)
    assert len({trial.parameters["C"] for trial in found.trials}) == 8
    for trial in found.trials:
        assert len(trial.periods) == (2 if trial.state == "done" else 1)
        if trial.state == "done":
            assert trial.score == pytest.approx(np.mean(trial.periods))
            assert trial.low < trial.score < trial.high
    done = [trial for trial in found.trials if trial.score is not None]
    assert found.winner == max(done, key=lambda trial: trial.score)
    assert found.winner.parameters == {"C": found.model.C}


def test_the_same_seed_gives_the_same_trials_and_another_seed_others(dataset, config, found):
    assert told(search_model(dataset, config)) == told(found)
    other = search_model(dataset, replace(config, seed=1))
    assert other.trials[0].parameters == found.trials[0].parameters
    assert not {trial.parameters["C"] for trial in other.trials[1:]} & {trial.parameters["C"] for trial in found.trials}


@pytest.mark.parametrize("asked", [RandomSearch(), TpeSearch()])
def test_the_same_seed_and_scores_give_the_same_proposals(asked):
    def proposed():
        study = Study(asked, ranges_of(SMALL), higher=True, seed=3)
        for _ in range(25):
            parameters = study.ask()
            yield parameters
            study.tell(-parameters["num_leaves"] - parameters["subsample"])

    assert list(proposed()) == list(proposed())


def test_threads_change_no_trial(dataset, config):
    once = replace(config, model=replace(SMALL, n_estimators=3), search=RandomSearch(trials=3, folds=1))
    twice = replace(once, model=replace(once.model, num_threads=2))
    assert told(search_model(dataset, twice)) == told(search_model(dataset, once))


def test_tpe_learns_from_what_was_scored():
    ranges = ranges_of(LogisticModel(search_space={"C": [0.001, 100, "log"]}))

    def tries(asked):
        study = Study(asked, ranges, higher=True, seed=0)
        proposed = []
        for _ in range(40):
            proposed.append(study.ask()["C"])
            study.tell(-abs(np.log10(proposed[-1] / 0.05)))
        return np.abs(np.log10(np.array(proposed[20:]) / 0.05)).mean()

    assert tries(TpeSearch(prune=False)) < tries(RandomSearch(prune=False)) / 2


def test_a_trial_below_the_median_of_five_is_stopped_and_no_other():
    ranges = ranges_of(LogisticModel(search_space={"C": [0.1, 10]}))
    study = Study(RandomSearch(), ranges, higher=True, seed=0)
    study.begin({"C": 1.0})
    for score in (0.60, 0.61, 0.62, 0.63, 0.64):
        assert study.goes_on(0, score)
        study.tell(score)
        study.ask()
    assert not study.goes_on(0, 0.61)
    study.tell(None, stopped=True)
    study.ask()
    assert study.goes_on(0, 0.63)


def test_parameters_outside_their_own_range_are_tried_first_all_the_same(dataset, config):
    model = LogisticModel(C=50.0, search_space={"C": [0.01, 1.0, "log"]})
    found = search_model(dataset, replace(config, model=model, search=RandomSearch(trials=3, folds=1)))
    assert [trial.state for trial in found.trials] == ["done"] * 3
    assert found.trials[0].parameters == {"C": 50.0}
    assert all(trial.parameters["C"] <= 1 for trial in found.trials[1:])


def refusing(monkeypatch, refuses):
    """Let the model refuse some values of C."""
    import leadscore.model

    def picky(model, seed, crew=None):
        if refuses(model.C):
            raise ValueError(f"C is {'too small' if model.C < 1 else 'too large'}")
        return make_model(model, seed, crew)

    monkeypatch.setattr(leadscore.model, "make_model", picky)


def test_what_the_model_refuses_is_a_failed_trial_and_the_search_goes_on(dataset, config, monkeypatch):
    refusing(monkeypatch, lambda strength: strength >= 1)
    found = search_model(dataset, config)
    failed = [trial for trial in found.trials if trial.state == "failed"]
    assert {trial.reason for trial in failed} == {"C is too large"}
    assert found.trials[0] in failed
    assert {trial.parameters["C"] >= 1 for trial in found.trials if trial not in failed} == {False}
    assert f"{len(failed)} failed" in found.sentences[0]
    assert (found.difference, found.luck) == (None, None)  # there is nothing of the model's own to compare with


def test_when_every_trial_fails_the_reasons_are_told(dataset, config, monkeypatch):
    refusing(monkeypatch, lambda strength: True)
    with pytest.raises(
        ModelError, match=r"tried 8 choices .* refused every one, for 2 reasons: 'C is too large', 'C is"
    ):
        search_model(dataset, config)


def test_of_equal_trials_the_models_own_parameters_win(dataset, config):
    model = LogisticModel(search_space={"max_iter": [500, 5000]})  # converges long before
    found = search_model(dataset, replace(config, model=model, search=RandomSearch(trials=3, folds=1)))
    assert found.winner.number == 0
    assert "Nothing tried was better there than the model's own parameters" in found.sentences[1]


def test_a_loss_is_made_small(dataset, config):
    found = search_model(
        dataset, replace(config, search=RandomSearch(trials=5, folds=1, metric="log_loss", prune=False))
    )
    assert found.winner.score == min(trial.score for trial in found.trials)


# --- what is told -----------------------------------------------------------------------------------------


def test_the_gain_is_told_beside_what_luck_gives(dataset, config):
    found = search_model(dataset, replace(config, model=SMALL, search=RandomSearch(trials=8, folds=2, prune=False)))
    assert found.winner.number
    assert found.difference == pytest.approx(found.winner.score - found.trials[0].score)
    se = (found.high - found.low) / (2 * 1.96)
    assert found.luck == pytest.approx(expected_gain_by_luck(8, se), rel=0.25)  # DeLong's and the draws' differ a bit
    assert f"the best of 8 equal ones looks {found.luck:.4f} better by luck alone" in found.sentences[2]
    assert ("more than luck explains" in found.sentences[2]) == (found.p < 0.05)


def test_the_python_door_fits_what_was_found_and_measures_it_once(dataset, config, found):
    trained = train_model(dataset, config)
    assert told(trained.search) == told(found)
    assert found.winner.parameters == {"C": trained.model.inner.config.C}
    by_hand = make_model(found.model, 0).fit(
        dataset.X[FOLD.train(dataset.observations.frame).to_numpy()],
        dataset.y[FOLD.train(dataset.observations.frame).to_numpy()],
    )
    valid = FOLD.valid(dataset.observations.frame).to_numpy()
    pd.testing.assert_series_equal(
        trained.folds[0].probability, by_hand.predict_proba(dataset.X[valid]), check_exact=True
    )
    assert trained.config.model.C == 1.0  # what was asked stays what was asked
    assert train_model(dataset, compose([])).search is None


def test_the_command_keeps_every_trial_and_looks_at_validation_once(command, tmp_path):
    small = ["data.n_leads=500", "audit=off", "model.search_space.n_estimators=[5, 20]", "model.n_estimators=10"]
    done = command("model=lightgbm", "search=tpe", "search.trials=4", *small)
    assert done.returncode == 0, done.stderr
    (folder,) = {path.parent for path in tmp_path.glob("outputs/*/*/search.json")}
    search, metrics, identity = (
        json.loads((folder / f"{name}.json").read_text()) for name in ("search", "metrics", "identity")
    )
    assert len(search["trials"]) == 4 == search["asked"]["trials"]
    assert search["space"]["num_leaves"] == [3, 31, "log"]
    assert metrics["search"]["winner"] == search["trials"][search["winner"]]
    assert identity["environment"]["packages"]["optuna"]
    assert "search    4 tried by tpe" in done.stdout
    assert "4 tried by tpe" in (folder / "report.html").read_text()
    assert len((tmp_path / "outputs" / "ledger.jsonl").read_text().splitlines()) == 1
    kept = json.loads((folder / "model" / "lightgbm.json").read_text())["config"]
    assert {key: kept[key] for key in search["trials"][0]["parameters"]} == metrics["search"]["winner"]["parameters"]

    from leadscore import diff_runs, open_run, run

    plain = compose(
        ["model=lightgbm", *small, "report=false", "tracking=none", f"tracking.root={tmp_path / 'outputs'}"]
    )
    run(plain, tmp_path / "plain")
    searched = diff_runs(open_run(tmp_path / "plain"), open_run(folder))
    own, winner = search["trials"][0]["parameters"], metrics["search"]["winner"]["parameters"]
    assert {each.key: (each.a, each.b) for each in searched.found} == {
        f"model.{key}": (own[key], value) for key, value in winner.items() if value != own[key]
    }
    assert {"search.name", "model.search_space.num_leaves"} <= {each.key for each in searched.config}
    assert not [each.key for each in searched.aside if "search" in each.key]
