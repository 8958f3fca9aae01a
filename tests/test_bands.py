"""Bands A to D: cut on rows the model was not fitted on, held to what later rows converted."""

import json

import numpy as np
import pandas as pd
import pytest

from leadscore.banding import least_of, make_bands
from leadscore.bands import Bands, Promise
from leadscore.compare import share_interval, wilson
from leadscore.errors import ConfigError, WindowError
from leadscore.model.checked import CheckedModel
from leadscore.pipeline import build_dataset, compose
from leadscore.training import train_model

SMALL = ["data.n_leads=900", "audit=off", "report=false", "tracking=none", "metrics.resamples=100"]


@pytest.fixture(scope="module")
def dataset():
    return build_dataset(compose(SMALL))


@pytest.fixture(scope="module")
def run(dataset):
    return train_model(dataset, dataset.config)


def cut(dataset, run, *overrides):
    """The bands of the trained run, cut otherwise; what was fitted for that, by its rows."""
    fitted = []
    with pytest.MonkeyPatch.context() as patch:
        fit = CheckedModel.fit
        patch.setattr(
            CheckedModel, "fit", lambda self, X, y, *more: (fitted.append(X.index), fit(self, X, y, *more))[1]
        )
        bands = make_bands(dataset, compose([*SMALL, *overrides]), run.folds[-1])
    return bands, fitted


# --- cuts -------------------------------------------------------------------------------------------


def test_a_band_begins_at_its_cut():
    bands = Bands("probability", (0.6, 0.3, 0.1))

    assert bands.of([1.0, 0.6, 0.5999, 0.3, 0.1, 0.0999, 0.0]).tolist() == ["A", "A", "B", "B", "C", "D", "D"]
    assert bands.of(pd.Series([], dtype="float64")).tolist() == []
    assert bands.least == {"A": 0.6, "B": 0.3, "C": 0.1, "D": 0.0}


def test_by_default_a_band_is_so_many_times_the_base_rate_and_nothing_is_fitted(dataset, run):
    rows = dataset.observations.frame
    base_rate = rows["label"][run.folds[-1].fold.train(rows)].mean()

    bands, fitted = cut(dataset, run)

    assert bands == run.bands
    assert bands.cuts == pytest.approx((2 * base_rate, base_rate, base_rate / 2))
    assert fitted == []


def test_shares_are_cut_on_an_inner_fold_that_the_model_was_not_fitted_on(dataset, run):
    bands, fitted = cut(dataset, run, "bands.cut=share", "bands.shares=[0.1,0.2,0.3]")

    (rows,) = fitted
    training = dataset.X.index[run.folds[-1].fold.train(dataset.observations.frame).to_numpy()]
    as_of = training.get_level_values("as_of").sort_values()
    assert bands.n_cut == pytest.approx(0.2 * len(training), abs=1)
    assert rows.get_level_values("as_of").max() + pd.Timedelta(days=30) <= as_of[-bands.n_cut]
    assert bands.cuts[0] > bands.cuts[1] > bands.cuts[2]


def test_shares_hold_on_the_rows_that_were_cut(dataset, run):
    scores = np.linspace(0, 1, 200)
    cuts = [least_of(scores, share) for share in (0.05, 0.2, 0.6)]

    found = Bands("share", tuple(cuts)).of(scores)

    assert [int((found == band).sum()) for band in "ABCD"] == [10, 30, 80, 80]


def test_equal_scores_stay_together_on_the_nearer_side():
    steps = np.repeat([0.1, 0.3, 0.5], [50, 42, 8])

    assert least_of(steps, 0.05) == 0.5  # 8 of 100 are nearer to 5 than nobody is
    assert least_of(steps, 0.02) > 0.5
    assert least_of(steps, 0.5) == 0.3
    assert least_of(steps, 1.0) == 0.1


def test_a_model_held_back_from_the_inner_fold_is_not_fitted_again(dataset):
    held_out = [*SMALL, "model=lightgbm", "model.n_estimators=15", "model.early_stopping=5", "bands.cut=share"]
    config = compose(held_out)
    trained = train_model(dataset, config)

    assert trained.bands.n_cut == trained.folds[-1].n_inner
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CheckedModel, "fit", lambda *_: pytest.fail("fitted again"))
        assert make_bands(dataset, config, trained.folds[-1]) == trained.bands


def test_capacities_are_leads_a_week(dataset, run):
    by_capacity, _ = cut(dataset, run, "bands.cut=capacity", "bands.capacities=[1,2,4]")
    rows = dataset.observations.frame
    train = rows["as_of"][run.folds[-1].fold.train(rows)].sort_values().iloc[-by_capacity.n_cut :]
    week = by_capacity.n_cut / ((train.iloc[-1] - train.iloc[0]) / pd.Timedelta(days=7))

    by_share, _ = cut(dataset, run, "bands.cut=share", f"bands.shares=[{1 / week},{2 / week},{4 / week}]")

    assert by_capacity.cuts == by_share.cuts


def test_a_training_period_without_room_says_what_needs_it(dataset, run):
    with pytest.raises(WindowError, match=r"bands\.cut=share cuts on an inner fold.*bands\.cut=lift .* need none"):
        cut(dataset, run, "bands.cut=share", "validation.inner_share=0.99")


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["bands.cut=probability"], r"bands\.probabilities \[\] .*three are needed"),
        (["bands.cut=capacity", "bands.capacities=[5,0,1]"], r"bands\.capacities .*each must be above 0"),
        (["bands.lifts=[1,2,3]"], r"bands\.lifts .*A must lie above B"),
        (["bands.cut=probability", "bands.probabilities=[1.2,0.5,0.1]"], "a probability is at most 1"),
        (["bands.cut=share", "bands.shares=[0.5,0.5,0.5]"], r"add up to 1\.5, more than all leads"),
        (["bands.cut=quantile"], "is not one of its words"),
    ],
)
def test_cuts_that_cannot_be_are_refused_before_any_data_are_read(overrides, message):
    with pytest.raises(ConfigError, match=message):
        compose(overrides)


def test_bands_do_not_rename_a_run():
    from leadscore.identity.asked import canonical_config, config_hash

    first, second = (compose(["bands.cut=share"] * asked) for asked in (0, 1))

    assert config_hash(canonical_config(first, {})) == config_hash(canonical_config(second, {}))


# --- promises ---------------------------------------------------------------------------------------


def test_a_band_promises_what_its_validation_rows_converted(run):
    last = run.folds[-1]
    band = pd.Series(run.bands.of(last.probability), index=last.probability.index)

    assert sum(each.n for each in run.bands.promises) == len(last.label)
    assert sum(each.share for each in run.bands.promises) == pytest.approx(1)
    for each in run.bands.promises:
        mine = last.label[band == each.band]
        assert (each.n, each.positives) == (len(mine), mine.sum())
        assert (each.low, each.high) == wilson(int(mine.sum()), len(mine))


def test_rows_of_one_lead_do_not_make_a_promise_surer():
    label, lead = [1, 0, 0, 0] * 10, [f"u{n}" for n in range(40)]
    alone = share_interval(label, lead)
    thrice = share_interval(label * 3, lead * 3)

    assert alone == wilson(10, 40)
    assert thrice[1] - thrice[0] == pytest.approx(alone[1] - alone[0], rel=0.05)
    assert share_interval([0] * 6, ["a", "a", "a", "b", "b", "b"]) == wilson(0, 2)


def test_the_clustered_interval_covers_the_share_where_wilson_alone_does_not():
    rng = np.random.default_rng(0)
    covered = {"by lead": 0, "by row": 0}
    for _ in range(300):
        often = np.repeat(rng.beta(1, 4, size=60), 6)  # every lead has a rate of its own, six rows each
        label = (rng.random(360) < often).astype(int)
        for name, lead in (("by lead", np.repeat(np.arange(60), 6)), ("by row", None)):
            low, high = share_interval(label, lead)
            covered[name] += low <= 0.2 <= high

    assert covered["by lead"] / 300 > 0.91
    assert covered["by row"] / 300 < 0.9


def promise(band, n, rate, low, high):
    return Promise(band, n, n, round(n * (rate or 0)), 0.25, rate, low, high)


def test_neighbours_that_overlap_and_empty_bands_are_said():
    bands = Bands("lift", (0.5, 0.3, 0.1)).with_promises(
        [
            promise("A", 0, None, None, None),
            promise("B", 40, 0.4, 0.26, 0.55),
            promise("C", 90, 0.3, 0.2, 0.4),
            promise("D", 900, 0.05, 0.04, 0.07),
        ]
    )

    assert bands.notes == [
        "band A has no validation row: it promises nothing",
        "the intervals of bands B and C overlap: 1,030 validation rows do not tell these neighbours apart",
    ]
    assert Bands.from_json(json.loads(json.dumps(bands.to_json()))) == bands
