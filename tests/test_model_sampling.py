"""Leaving out rows without a conversion moves no probability: the odds are multiplied by the share that was kept."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from test_model_weights import rare

from leadscore.config.schema import EnsembleModel, HistGradientBoostingModel, LightgbmModel, LogisticModel
from leadscore.errors import ConfigError
from leadscore.model import load_model, make_model, save_model
from leadscore.pipeline import compose

SAMPLED = [
    LogisticModel(),
    LightgbmModel(n_estimators=60, class_weight="balanced"),
    HistGradientBoostingModel(max_iter=60),
    EnsembleModel(seeds=1, members={"line": LogisticModel(), "trees": LightgbmModel(n_estimators=60)}),
]
by_name = {"ids": lambda config: config.name}


@pytest.mark.parametrize("config", SAMPLED, **by_name)
def test_the_mean_probability_is_the_base_rate_of_all_rows(config):
    model = make_model(replace(config, negatives_per_positive=2), seed=0).fit(*rare(20_000, seed=1))
    X, y = rare(20_000, seed=2)
    p = model.predict_proba(X)

    assert model.sampling.kept < 0.3
    assert abs(p.mean() - y.mean()) < 4 * np.sqrt((p * (1 - p)).sum()) / len(y)
    assert y.mean() < 0.09  # without the correction the mean would be near a third


class Spy:
    """A model inside that remembers what it was fitted on."""

    name = "spy"
    wants_held_out = True

    def fit(self, X, y, held_out):
        self.seen = (X, y, *held_out)
        return self

    def predict_proba(self, X):
        return pd.Series(0.5, index=X.index)


def fitted_on(seed, asked=3.0):
    from leadscore.model.checked import CheckedModel
    from leadscore.model.sampling import Sampling

    X, y = rare(3_000, seed=1)
    model = CheckedModel(Spy(), calibration="sigmoid", sampling=Sampling(asked, seed))
    model.fit(X[:2000], y[:2000], (X[2000:], y[2000:]))
    return model, X, y


def test_all_conversions_and_so_many_other_rows_are_fitted_on():
    model, X, y = fitted_on(seed=5)
    table, seen_y, _, inner_y = model.inner.seen
    positives = int(y[:2000].sum())

    assert int(seen_y.sum()) == positives
    assert len(seen_y) == 4 * positives
    assert table.index.equals(seen_y.index)
    assert table.index.is_monotonic_increasing
    pd.testing.assert_frame_equal(table, X.loc[table.index])
    # the rows that trees are stopped on are sampled alike, those that a calibration learns from are not
    assert int(inner_y.sum()) == int(y[2000:].sum())
    assert (inner_y == 0).sum() == round(model.sampling.kept * (y[2000:] == 0).sum())
    assert model.predict_proba(X).iloc[0] == pytest.approx(y[2000:].mean(), rel=0.05)


def test_the_seed_draws_and_another_seed_draws_others():
    first, again, other = (fitted_on(seed)[0].inner.seen[0].index for seed in (5, 5, 6))

    assert first.equals(again)
    assert not first.equals(other)


def test_the_correction_is_exact_at_the_ends_and_multiplies_the_odds():
    from leadscore.model.sampling import Sampling

    sampling = Sampling(asked=1.0, seed=0, kept=0.1)
    p = sampling.apply(pd.Series([0.0, 0.5, 1.0, np.nextafter(1, 0)]))

    assert p.tolist()[:3] == [0.0, 0.1 * 0.5 / (0.1 * 0.5 + 0.5), 1.0]
    assert p.between(0, 1).all()


def test_it_is_kept_beside_the_model(tmp_path):
    X, y = rare(1_000, seed=1)
    model = make_model(LogisticModel(negatives_per_positive=2), seed=3).fit(X, y)
    save_model(model, tmp_path / "model", {})
    saved = json.loads((tmp_path / "model" / "sampling.json").read_text())

    assert saved == {"asked": 2.0, "seed": 3, "kept": model.sampling.kept}
    loaded = load_model(tmp_path / "model")
    assert loaded.predict_proba(X).equals(model.predict_proba(X))
    assert loaded.explain(X).base == model.explain(X).base


def test_more_than_there_are_leaves_out_nothing_and_says_so():
    X, y = rare(500, seed=1)
    plain = make_model(LogisticModel(), seed=0).fit(X, y)
    sampled = make_model(LogisticModel(negatives_per_positive=1_000), seed=0).fit(X, y)

    assert np.allclose(sampled.predict_proba(X), plain.predict_proba(X), rtol=0, atol=1e-15)
    assert sampled.warnings == [
        "model.negatives_per_positive=1000 leaves out no row: there are not so many without a conversion"
    ]


def test_the_config_asks_for_it_and_an_ensembles_members_do_not():
    assert compose(["model=lightgbm", "model.negatives_per_positive=5"]).model.negatives_per_positive == 5
    with pytest.raises(ConfigError, match=r"model\.negatives_per_positive.* must be above 0"):
        compose(["model.negatives_per_positive=0"])
    with pytest.raises(ConfigError, match=r"members\.lightgbm\.negatives_per_positive: an ensemble is fitted on one"):
        compose(["model=blend", "model.members.lightgbm.negatives_per_positive=5"])
