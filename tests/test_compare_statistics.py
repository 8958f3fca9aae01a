"""Metrics of weighted rows: the plain ones where all weights are 1, those of repeated rows where they are whole."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from leadscore.compare import STATISTICS, lift, precision_at_recall, top_k, weighted
from leadscore.compare.inputs import check_rows
from leadscore.compare.statistics import Ranked
from leadscore.errors import ConfigError, ModelError
from leadscore.evaluate import METRICS

# label, probability, weight: few distinct probabilities, some weights 0
WEIGHTED = st.lists(
    st.tuples(st.integers(0, 1), st.sampled_from([0.0, 0.1, 0.25, 0.4, 0.7, 1.0]), st.integers(0, 4)),
    min_size=1,
    max_size=40,
)


def repeated(rows):
    return [(label, p) for label, p, weight in rows for _ in range(weight)]


def plain(name, rows):
    label, p = zip(*rows, strict=True) if rows else ((), ())
    return METRICS[name](pd.Series(label, dtype="int64"), pd.Series(p, dtype="float64")).value


def test_every_statistic_is_a_metric_of_the_record():
    for name, statistic in STATISTICS.items():
        metric = METRICS[name]
        assert (statistic.title, statistic.direction, statistic.takes) == (
            metric.title,
            metric.direction,
            metric.takes,
        )


@pytest.mark.parametrize("name", STATISTICS)
@settings(max_examples=60, deadline=None)
@given(rows=WEIGHTED)
@example(rows=[(1, 0.4, 0), (0, 0.1, 2)])
@example(rows=[(0, 0.7, 0), (1, 0.4, 1), (0, 0.1, 1), (1, 0.1, 0)])
def test_whole_weights_are_repeated_rows(name, rows):
    label, p, weights = zip(*rows, strict=True)
    expected = plain(name, repeated(rows))

    found = weighted(name, label, p, weights)
    assert math.isnan(found) if expected is None else found == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("name", STATISTICS)
def test_weights_of_1_are_the_plain_metric_on_many_rows(name):
    rng = np.random.default_rng(4)
    label = rng.random(20_000) < 0.1
    p = 1 / (1 + np.exp(2 - rng.normal(size=20_000) - label))
    for score in (p, p.round(2)):
        expected = plain(name, list(zip(label.astype(int), score, strict=True)))
        assert weighted(name, label, score) == pytest.approx(expected, abs=1e-12)


def test_many_sets_of_weights_at_once_are_each_alone():
    rng = np.random.default_rng(5)
    label, scores = check_rows(rng.integers(0, 2, 50), rng.integers(0, 20, 50) / 20)
    weights = rng.integers(0, 3, size=(7, 50)).astype(float)
    weights[3] = 0.0  # a resample without rows
    ranked = Ranked.of(label, scores[:, 0])
    for statistic in STATISTICS.values():
        if statistic.of_curve:
            together = statistic.of_curve(ranked.curve(weights[:, ranked.order]))
            alone = [weighted(statistic, label, scores, each) for each in weights]
            assert together == pytest.approx(alone, nan_ok=True, abs=1e-15)
            assert np.isnan(together).tolist() == [number == 3 for number in range(7)]


def test_the_rate_of_hits_in_a_capacity_expects_ties():
    label, score = [1, 0, 1, 1, 0], [9, 5, 5, 5, 1]

    assert weighted(top_k(1), label, score) == 1.0
    assert weighted(top_k(2), label, score) == pytest.approx((1 + 2 / 3) / 2)
    assert weighted(top_k(9), label, score) == pytest.approx(3 / 5)  # all there are


def test_a_share_means_the_rows_that_it_names():
    # 0.07 * 100 is 7.000000000000001, and the top 7 of 100 are meant
    label = [1] * 7 + [0] * 93

    assert weighted(lift(0.07), label, range(100, 0, -1)) == pytest.approx(100 / 7)
    assert lift(0.07).name == "lift_at_7pct"
    assert precision_at_recall(0.8).name == "precision_at_0_8_recall"


def test_what_is_not_allowed_is_said():
    with pytest.raises(ConfigError, match=r"no metric 'acu'. Did you mean 'auc'\?"):
        weighted("acu", [0, 1], [0.1, 0.2])
    with pytest.raises(ModelError, match=r"1 of 2 scores are not a probability in \[0, 1\]: 3.0"):
        weighted("brier", [0, 1], [0.5, 3.0])
    with pytest.raises(ModelError, match=r"weights have shape \(2,\) for 2 rows"):
        weighted("auc", [0, 1], [0.5, 3.0], [1, -1])
    for wrong in (lambda: lift(0), lambda: precision_at_recall(1.2), lambda: top_k(0)):
        with pytest.raises(ModelError, match=r"at (most|least) 1"):
            wrong()
