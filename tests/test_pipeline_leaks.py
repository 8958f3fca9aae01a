"""Planted leaks of the pipeline: whatever is fitted sees training rows only, in every protocol, model and refit.

The check: validation and purged rows get other values, categories and labels, and every fitted state must stay as it
was, bit for bit. Each leak is planted once to show that the check would catch it. What a model is tuned on, the inner
fold, is cut from the training rows by the rule that cut the fold. leadscore has no threshold yet; for it the seam is
tested: a model is handed training rows alone, and what was fitted does not change while it is measured. The last test
fails when one comes.
"""

import dataclasses
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import utc

import leadscore.model
from leadscore.config.schema import (
    SCHEMAS,
    BaselineModel,
    EnsembleModel,
    GroupedValidation,
    HistGradientBoostingModel,
    HoldoutValidation,
    LightgbmModel,
    LogisticModel,
    RandomValidation,
    RollingValidation,
)
from leadscore.errors import DataError, WindowError
from leadscore.features import FeatureTable, make_plan
from leadscore.model import model_names, save_model
from leadscore.model.calibration import fit_calibration
from leadscore.pipeline import compose, train_model
from leadscore.results import Dataset
from leadscore.split import inner_fold, make_folds
from leadscore.tables import Tables
from leadscore.window import Observations

DAY = pd.Timedelta(days=1)
START = pd.Timestamp("2024-01-01", tz="UTC")
HORIZON = 10 * DAY
LEADS = 120

PROTOCOLS = {
    "holdout": HoldoutValidation(share=0.3, seeds=2),
    "rolling": RollingValidation(folds=2, length="20d", seeds=2),
    "grouped": GroupedValidation(share=0.3, seeds=2),
    "random": RandomValidation(share=0.3, seeds=2),
}
MODELS = {
    "logistic": LogisticModel(),
    "lightgbm": LightgbmModel(n_estimators=5, min_child_samples=5),
    "lightgbm stopped early": LightgbmModel(n_estimators=40, min_child_samples=5, early_stopping=3, learning_rate=0.2),
    "hist_gradient_boosting": HistGradientBoostingModel(max_iter=5, min_samples_leaf=5),
    "ensemble": EnsembleModel(
        seeds=2, members={"trees": LightgbmModel(n_estimators=5, early_stopping=3), "line": LogisticModel()}
    ),
    "logistic, sigmoid": LogisticModel(calibration="sigmoid"),
    "lightgbm stopped early, isotonic": LightgbmModel(
        n_estimators=20, min_child_samples=5, early_stopping=3, calibration="isotonic"
    ),
    "baseline": BaselineModel(),
    "baseline by recency": BaselineModel(rank_by="days_since_last_event"),
}


@pytest.fixture(scope="module")
def config():
    return compose(["model=logistic"])


def make_dataset(config, validation) -> Dataset:
    """Two rows a lead; who acted lately converts more often."""
    rng = np.random.default_rng(11)
    n = 2 * LEADS
    lead = np.tile(np.arange(LEADS), 2)
    days = rng.integers(0, 20, n).astype("float64")
    frame = pd.DataFrame(
        {
            "user_id": pd.Series([f"u{each:03d}" for each in lead], dtype="str"),
            "as_of": START + pd.to_timedelta(lead // 2 + np.repeat([0, 15], LEADS), unit="D"),
            "label": (rng.random(n) < 1 / (1 + np.exp(days / 4 - 2))).astype("int8"),
            "lead_row": lead,
        }
    ).astype({"as_of": "datetime64[us, UTC]"})
    frame = frame.sort_values(["as_of", "user_id"], ignore_index=True)
    X = pd.DataFrame(
        {
            "country": pd.Series(rng.choice(["DE", "FR", "IT"], n), dtype="str"),
            "days_since_last_event": np.where(rng.random(n) < 0.1, np.nan, days),
            "noise": rng.normal(size=n),
        }
    ).set_index(pd.MultiIndex.from_frame(frame[["user_id", "as_of"]]))
    folds = make_folds(frame, HORIZON, validation)
    counts = {"candidates": n, "before window.start": 0, "at or after window.end": 0, "observations": n}
    observations, tables = Observations(frame, HORIZON, counts), Tables(None, None, START + 200 * DAY)
    asked = replace(config, validation=validation)
    return Dataset(asked, make_plan({}, {}, {}), tables, observations, folds, FeatureTable(X))


def alone(dataset: Dataset) -> list[Dataset]:
    """Each fold by itself: one fold's validation rows may train the next."""
    return [replace(dataset, folds=[fold]) for fold in dataset.folds]


def disturbed(dataset: Dataset) -> Dataset:
    """Other values, categories and labels wherever the one fold does not train."""
    (fold,), frame = dataset.folds, dataset.observations.frame
    out = ~fold.train(frame).to_numpy()
    rng = np.random.default_rng(3)
    shuffled = rng.permutation(np.flatnonzero(out))
    labels = frame["label"].to_numpy().copy()
    labels[out] = 1 - labels[shuffled]
    X = dataset.X.copy()
    X.loc[out, "country"] = np.where(np.arange(out.sum()) % 2, "XX", "DE")
    X.loc[out, "days_since_last_event"] = 1_000 * X["noise"].to_numpy()[shuffled]
    X.loc[out, "noise"] = np.where(labels[out], -40.0, 40.0)  # now it tells, where nobody may look
    observations = replace(dataset.observations, frame=frame.assign(label=labels))
    return replace(dataset, table=FeatureTable(X), observations=observations)


@dataclasses.dataclass
class Fit:
    """One fit that the pipeline asked for: the rows it was handed, and the model it made."""

    model: Any
    X: pd.DataFrame
    y: pd.Series
    held_out: Any = None


# Returns what it fitted besides models, as a list of JSON values, or else a TrainedRun.
Training = Callable[[Dataset, Any], Any]


def fits_of(training: Training, dataset: Dataset, config: Any) -> tuple[list[Fit], Any]:
    """Train, and return every fit of any model in it: the run's, its refits' and the baselines'."""
    fits: list[Fit] = []
    make = leadscore.model.make_model

    def watched(model_config: Any, seed: int, crew: Any = None) -> Any:
        model = make(model_config, seed, crew)
        fit = model.fit

        def fit_watched(X: pd.DataFrame, y: pd.Series, held_out: Any = None) -> Any:
            fits.append(Fit(model, X, y, held_out))
            return fit(X, y, held_out)

        model.fit = fit_watched
        return model

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(leadscore.model, "make_model", watched)
        returned = training(dataset, config)
    return fits, returned


def states(training: Training, dataset: Dataset, config: Any, folder: Any) -> list[Any]:
    """All that was fitted: the files of every model, and what else the training says that it fitted."""
    fits, returned = fits_of(training, dataset, config)
    saved = [save_model(fit.model, folder / str(n), {})["files"] for n, fit in enumerate(fits)]
    return [*saved, returned if isinstance(returned, list) else None]


def moved(training: Training, dataset: Dataset, config: Any, tmp_path: Any) -> bool:
    """Whether anything fitted changes when rows that do not train are other ones."""
    told = []
    for name, each in (("as it is", dataset), ("disturbed", disturbed(dataset))):
        (tmp_path / name).mkdir()
        told.append(states(training, each, config, tmp_path / name))
    return told[0] != told[1]


# --- leadscore itself -------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
@pytest.mark.parametrize("protocol", PROTOCOLS.values(), ids=PROTOCOLS)
def test_other_validation_rows_and_labels_move_nothing_fitted(config, tmp_path, protocol, model):
    asked = replace(config, model=model, validation=protocol)
    for number, dataset in enumerate(alone(make_dataset(config, protocol))):
        (tmp_path / str(number)).mkdir()
        assert not moved(train_model, dataset, asked, tmp_path / str(number))


@pytest.mark.parametrize("protocol", PROTOCOLS.values(), ids=PROTOCOLS)
def test_every_fit_is_handed_training_rows_alone(config, protocol):
    """The seam of calibration, thresholds, early stopping and inner folds: a model cannot use what it never gets."""
    dataset = make_dataset(config, protocol)
    for each in alone(dataset):
        fits, trained = fits_of(train_model, each, replace(config, validation=protocol))
        (fold,), frame = each.folds, each.observations.frame
        may = dataset.X.index[fold.train(frame).to_numpy()]
        assert len(fits) == 4  # the fold's model, one refit, the base rate and recency
        for fit in fits:
            assert fit.X.index.isin(may).all()
            assert fit.y.index.equals(fit.X.index)
            pd.testing.assert_series_equal(fit.y, each.y[fit.y.index] if fit.y.index.is_unique else fit.y)
        assert not set(trained.folds[0].probability.index) & set(may)


@pytest.mark.parametrize("model", ["lightgbm", "lightgbm stopped early, isotonic"])
def test_measuring_a_model_leaves_it_as_it_was_fitted(config, tmp_path, model):
    """A calibrator, a threshold or a number of trees chosen on validation rows would be put into it after the fit."""
    protocol = PROTOCOLS["holdout"]
    dataset = make_dataset(config, protocol)
    asked = replace(config, model=MODELS[model], validation=replace(protocol, seeds=1))
    fits, _ = fits_of(train_model, dataset, asked)
    for number, fit in enumerate(fits):
        again = leadscore.model.make_model(fit.model.inner.config, asked.seed).fit(fit.X, fit.y, fit.held_out)
        measured, fresh = (
            save_model(each, tmp_path / f"{number}{name}", {})["files"]
            for name, each in (("a", fit.model), ("b", again))
        )
        assert measured == fresh


# --- the inner fold ---------------------------------------------------------------------------------------


def reaches_past(fitted: pd.Index, held_out: pd.Index) -> int:
    """How many rows fitted on have outcomes that were not known when the inner fold's first score was made."""
    first = held_out.get_level_values("as_of").min()
    return int((fitted.get_level_values("as_of") + HORIZON > first).sum())


@pytest.mark.parametrize("protocol", ["holdout", "rolling"])
def test_no_outcome_of_a_row_fitted_on_reaches_into_the_inner_fold(config, protocol):
    dataset = make_dataset(config, PROTOCOLS[protocol])
    asked = replace(config, validation=PROTOCOLS[protocol], model=MODELS["lightgbm stopped early"])
    for each in alone(dataset):
        fits, trained = fits_of(train_model, each, asked)
        tuned = [fit for fit in fits if fit.held_out is not None]
        assert len(tuned) == 2  # the fold's model and its refit
        for fit in tuned:
            assert reaches_past(fit.X.index, fit.held_out[0].index) == 0
        assert trained.folds[0].n_inner == len(tuned[0].held_out[0])
        in_training = trained.dataset.X.index[each.folds[0].train(each.observations.frame).to_numpy()]
        last_fifth = in_training[-len(in_training) // 5 :]
        assert reaches_past(in_training.difference(last_fifth), last_fifth) > 0  # planted: cut without the purge


@pytest.mark.parametrize("model", ["logistic", "lightgbm"])
def test_a_model_that_is_not_tuned_is_fitted_on_all_training_rows(config, model):
    dataset = make_dataset(config, PROTOCOLS["holdout"])
    fits, _ = fits_of(train_model, dataset, replace(config, model=MODELS[model]))
    assert len(fits[0].X) == dataset.folds[0].train(dataset.observations.frame).sum()


def test_by_lot_the_inner_fold_takes_whole_leads_and_in_an_account_all_of_them(config):
    dataset = make_dataset(config, PROTOCOLS["grouped"])
    frame = dataset.observations.frame
    account = frame["user_id"].str[:3]  # u00, u01, ...: ten leads each
    by_account = replace(PROTOCOLS["grouped"], group="account")
    for validation, groups in ((PROTOCOLS["grouped"], None), (by_account, account)):
        unit = frame["user_id"] if groups is None else groups
        (fold,) = make_folds(frame, HORIZON, validation, groups=groups)
        fitted, held_out = inner_fold(fold, frame, 0.25)
        sides = [set(unit[mask]) for mask in (fitted, held_out, fold.valid(frame))]
        assert all(sides)
        assert not sides[0] & sides[1] | sides[0] & sides[2] | sides[1] & sides[2]
        assert (fitted | held_out).equals(fold.train(frame))


def test_more_trees_than_help_on_the_inner_fold_are_dropped(config):
    dataset = make_dataset(config, PROTOCOLS["holdout"])
    lavish = LightgbmModel(n_estimators=300, min_child_samples=5, learning_rate=0.3)
    grown = []
    for model in (lavish, replace(lavish, early_stopping=5)):
        trained = train_model(dataset, replace(config, model=model))
        grown.append(trained.folds[0].model.inner._fitted.booster.num_trees())
    assert grown[0] == 300
    assert 1 <= grown[1] < 60


def test_a_training_period_too_short_for_an_inner_fold_is_refused_with_the_keys(config):
    dataset = make_dataset(config, PROTOCOLS["holdout"])
    (fold,), frame = dataset.folds, dataset.observations.frame
    with pytest.raises(WindowError, match=r"too short for an inner fold \(validation.inner_share 0.9\): .*horizon"):
        inner_fold(fold, frame, 0.9)
    with pytest.raises(WindowError, match=r"left to fit on, 66 of them converted: both classes"):
        inner_fold(fold, frame.assign(label=(frame["as_of"] < fold.train_last - 10 * DAY).astype("int8")), 0.2)


# --- planted: P1, P2 --------------------------------------------------------------------------------------


def scaled_on_all_rows(dataset: Dataset, config: Any) -> Any:
    X = dataset.X.copy()
    numbers = X[["days_since_last_event", "noise"]]
    X[["days_since_last_event", "noise"]] = (numbers - numbers.mean()) / numbers.std()
    return train_model(replace(dataset, table=FeatureTable(X)), config)


def encoded_on_all_rows(dataset: Dataset, config: Any) -> Any:
    X = dataset.X.copy()
    X["country"] = X["country"].map(X["country"].value_counts(normalize=True)).astype("float64")
    return train_model(replace(dataset, table=FeatureTable(X)), config)


def target_encoded_on_all_rows(dataset: Dataset, config: Any) -> Any:
    X = dataset.X.copy()
    X["country"] = X["country"].map(dataset.y.groupby(X["country"]).mean()).astype("float64")
    return train_model(replace(dataset, table=FeatureTable(X)), config)


def selected_on_all_rows(dataset: Dataset, config: Any) -> Any:
    numbers = dataset.X[["days_since_last_event", "noise"]]
    best = numbers.apply(lambda column: abs(column.fillna(0).corr(dataset.y.astype("float64")))).idxmax()
    return train_model(replace(dataset, table=FeatureTable(dataset.X[[best]])), config)


def filled_with_the_median_of_all_rows(dataset: Dataset, config: Any) -> Any:
    X = dataset.X.copy()
    X["days_since_last_event"] = X["days_since_last_event"].fillna(X["days_since_last_event"].median())
    return train_model(replace(dataset, table=FeatureTable(X)), config)


# --- planted: P5, P6, P7 ----------------------------------------------------------------------------------


def _validated(dataset: Dataset, config: Any) -> tuple[pd.Series, pd.Series]:
    result = train_model(dataset, config).folds[0]
    return result.label, result.probability


def calibrated_on_validation_rows(dataset: Dataset, config: Any) -> list[float]:
    label, p = _validated(dataset, config)
    calibration, _ = fit_calibration("sigmoid", p, label)
    return [calibration.map.slope, calibration.map.intercept]


def tuned_on_validation_rows(dataset: Dataset, config: Any) -> Any:
    """As if the inner fold were cut from the wrong side."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("leadscore.fitting.TrainingParts.fit", _fit_on_both_sides(dataset))
        return train_model(dataset, replace(config, model=LogisticModel(calibration="sigmoid")))


def _fit_on_both_sides(dataset: Dataset) -> Any:
    (fold,), frame = dataset.folds, dataset.observations.frame
    valid = fold.valid(frame).to_numpy()

    def fit(parts: Any, model: Any, X: pd.DataFrame, y: pd.Series, taken: Any = None) -> None:
        model.fit(X, y, (dataset.X[valid], dataset.y[valid]))

    return fit


def threshold_on_validation_rows(dataset: Dataset, config: Any) -> list[float]:
    label, p = _validated(dataset, config)
    cuts = np.linspace(0, 1, 101)
    return [float(cuts[np.argmax([((p >= cut) == label).mean() for cut in cuts])])]


def stopped_early_on_validation_rows(dataset: Dataset, config: Any) -> list[float]:
    losses = {}
    for n in (1, 3, 10):
        asked = replace(config, model=LightgbmModel(n_estimators=n, min_child_samples=5, learning_rate=0.1))
        label, p = _validated(dataset, asked)
        losses[n] = float(((p - label) ** 2).mean())
    best = min(losses, key=lambda n: losses[n])
    return [best, losses[best]]  # as a booster keeps its best iteration and the best score


PLANTED = [
    scaled_on_all_rows,
    encoded_on_all_rows,
    target_encoded_on_all_rows,
    selected_on_all_rows,
    filled_with_the_median_of_all_rows,
    calibrated_on_validation_rows,
    tuned_on_validation_rows,
    threshold_on_validation_rows,
    stopped_early_on_validation_rows,
]


@pytest.mark.parametrize("leak", PLANTED, ids=lambda leak: leak.__name__)
@pytest.mark.parametrize("protocol", ["holdout", "grouped"])
def test_a_planted_leak_is_caught(config, tmp_path, protocol, leak):
    validation = replace(PROTOCOLS[protocol], seeds=1)
    asked = replace(config, validation=validation)
    assert moved(leak, make_dataset(config, validation), asked, tmp_path)


@pytest.mark.parametrize("leak", [calibrated_on_validation_rows, tuned_on_validation_rows])
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_calibrator_of_validation_rows_is_caught_in_every_protocol(config, tmp_path, protocol, leak):
    validation = replace(PROTOCOLS[protocol], seeds=1)
    for number, each in enumerate(alone(make_dataset(config, validation))):
        (tmp_path / str(number)).mkdir()
        assert moved(leak, each, replace(config, validation=validation), tmp_path / str(number))


# --- planted: P3, P4: what stands on both sides -----------------------------------------------------------


def observations_on_both_sides(frame: pd.DataFrame, fold: Any) -> int:
    pairs = pd.MultiIndex.from_frame(frame[["user_id", "as_of"]])
    return int(pairs[fold.valid(frame)].isin(pairs[fold.train(frame)]).sum())


def leads_on_both_sides(frame: pd.DataFrame, fold: Any) -> int:
    return len(set(frame["user_id"][fold.train(frame)]) & set(frame["user_id"][fold.valid(frame)]))


class ByPosition:
    """The planted lot: rows by their place, as a shuffled split of a table draws them."""

    def valid(self, frame: pd.DataFrame) -> pd.Series:
        return pd.Series(np.random.default_rng(0).random(len(frame)) < 0.3, index=frame.index)

    def train(self, frame: pd.DataFrame) -> pd.Series:
        return ~self.valid(frame)


@pytest.mark.parametrize("protocol", PROTOCOLS.values(), ids=PROTOCOLS)
def test_copies_of_a_row_made_before_the_split_stay_on_one_side(config, protocol):
    frame = make_dataset(config, protocol).observations.frame
    converted = frame[frame["label"] == 1]
    more = pd.concat([frame, converted, converted], ignore_index=True)  # oversampled, the wrong way
    for fold in make_folds(more, HORIZON, protocol):
        assert observations_on_both_sides(more, fold) == 0
    assert observations_on_both_sides(more, ByPosition()) > 0


def test_a_table_with_copies_of_an_observation_is_refused():
    from types import SimpleNamespace

    from leadscore.schemas import check_table

    pairs = pd.DataFrame({"user_id": pd.Series(["a", "a"], dtype="str"), "as_of": utc("2024-03-01", "2024-03-01")})
    index = pd.MultiIndex.from_frame(pairs)
    X, y = pd.DataFrame({"x": [1.0, 1.0]}, index=index), pd.Series([1, 1], index=index, dtype="int8")
    with pytest.raises(DataError, match="2 rows share their user_id and as_of with another"):
        check_table(X, y, {"x": SimpleNamespace(dtype="number", missing_allowed=False)})


def test_refits_resample_after_the_split_and_whole_leads(config):
    protocol = PROTOCOLS["grouped"]
    dataset = make_dataset(config, protocol)
    fits, _ = fits_of(train_model, dataset, replace(config, validation=protocol))
    refit = fits[-1]
    assert not refit.X.index.is_unique
    valid = dataset.observations.frame[dataset.folds[0].valid(dataset.observations.frame)]
    assert not refit.X.index.get_level_values("user_id").isin(valid["user_id"]).any()


def test_grouped_keeps_a_lead_on_one_side_where_rows_by_lot_do_not(config):
    frame = make_dataset(config, PROTOCOLS["grouped"]).observations.frame
    (grouped,), (by_row,) = (make_folds(frame, HORIZON, PROTOCOLS[name]) for name in ("grouped", "random"))
    assert leads_on_both_sides(frame, grouped) == 0
    assert leads_on_both_sides(frame, by_row) > 0
    assert leads_on_both_sides(frame, ByPosition()) > 0


@pytest.mark.parametrize("protocol", ["holdout", "random"])
def test_leads_on_both_sides_are_told_by_the_run(config, protocol):
    validation = replace(PROTOCOLS[protocol], seeds=1)
    dataset = make_dataset(config, validation)
    trained = train_model(dataset, replace(config, validation=validation))
    n = leads_on_both_sides(dataset.observations.frame, dataset.folds[0])
    assert trained.folds[0].sides.leads_in_both == n > 0
    (said,) = [check.sentence for check in trained.checks if check.code == "LS006"]
    assert said.startswith(f"{n} of ")


# --- what is to come --------------------------------------------------------------------------------------


def test_every_registered_model_and_protocol_is_held_to_this():
    assert sorted({model.name for model in MODELS.values()}) == model_names()
    assert set(PROTOCOLS) == set(SCHEMAS["validation"])


def test_what_will_be_fitted_besides_models_brings_its_own_test():
    """No key asks for a threshold or a selection yet: who adds one replaces this."""
    schemas = [*SCHEMAS["model"].values(), *SCHEMAS["validation"].values()]
    keys = {field.name for schema in schemas for field in dataclasses.fields(schema)}
    words = ("threshold", "select")
    assert not [key for key in keys if any(word in key for word in words)], json.dumps(sorted(keys))
