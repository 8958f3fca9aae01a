"""Calls a week: what the highest scores catch, with ties, weeks and money."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadscore.evaluate.capacity import caught_by_week, measure_capacity, weeks_of


def measured(labels, scores, weeks, capacity, **more):
    return measure_capacity(pd.Series(labels), pd.Series(scores, dtype="float64"), np.array(weeks), capacity, **more)


def test_each_week_has_its_own_calls():
    # Week 0: the two highest convert. Week 1: one of three is called, and it does not.
    found = measured([1, 1, 0, 0, 1, 0], [0.9, 0.8, 0.1, 0.7, 0.6, 0.2], [0, 0, 0, 1, 1, 1], 2)
    assert (found.weeks, found.calls, found.caught, found.hit_rate) == (2, 4, 3, 0.75)
    assert found.at_random == pytest.approx(2 * 2 / 3 + 2 * 1 / 3)
    assert found.gain == pytest.approx(1.5)


def test_a_week_with_fewer_leads_than_calls_calls_them_all():
    found = measured([1, 0, 1], [0.1, 0.2, 0.3], [0, 0, 5], 10)
    assert (found.calls, found.caught, found.gain) == (3, 2, 1.0)


def test_equal_scores_at_the_cut_give_the_mean_and_the_range():
    found = measured([1, 0, 0, 0], [0.5, 0.5, 0.5, 0.5], [0, 0, 0, 0], 1)
    assert (found.caught, found.caught_range, found.gain) == (0.25, (0, 1), 1.0)


def test_money_and_recency_stand_beside():
    found = measured(
        [1, 0, 0, 1],
        [4, 3, 2, 1],
        [0, 0, 0, 0],
        2,
        recency=pd.Series([1.0, 2, 3, 4]),
        value=500,
        cost=12,
        currency="EUR",
    )
    assert (found.recency, found.value, found.currency) == (1, 500 - 24, "EUR")
    assert found.to_json()["gain_over_random"] == 1.0


def test_a_week_is_half_open():
    start = pd.Timestamp("2024-03-04", tz="UTC")
    edge = pd.DatetimeIndex(["2024-03-10 23:59:59.999999", "2024-03-11", "2024-03-18"], tz="UTC")
    assert weeks_of(edge, start).tolist() == [0, 1, 2]


ROWS = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 4), st.integers(0, 2)), min_size=1, max_size=12)


@given(rows=ROWS, capacity=st.integers(1, 5), counts=st.data())
def test_a_weight_is_a_row_that_stands_as_often(rows, capacity, counts):
    labels, scores, weeks = (np.array(column) for column in zip(*rows, strict=True))
    weights = np.array(counts.draw(st.lists(st.integers(0, 3), min_size=len(rows), max_size=len(rows))))
    caught, calls = caught_by_week(labels, scores.astype(float), weeks, capacity, weights[None, :].astype(float))
    again = [np.repeat(column, weights) for column in (labels, scores, weeks)]
    if len(again[0]):
        plain = measured(again[0], again[1], again[2], capacity)
        np.testing.assert_allclose([caught[0], calls[0]], [plain.caught, plain.calls], atol=1e-12)
        assert plain.caught_range[0] - 1e-12 <= plain.caught <= plain.caught_range[1] + 1e-12
    else:
        assert (caught[0], calls[0]) == (0, 0)
