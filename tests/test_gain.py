"""The model against the baseline on the same rows: sure, or not, and less so the more often the rows were looked at."""

from types import SimpleNamespace

import pandas as pd
import pytest

from leadscore.measuring import gain_over

DAY = pd.Timestamp("2024-03-01", tz="UTC")


def leads(n, every):
    """Return labels of n leads, each `every`-th of them converted."""
    index = pd.MultiIndex.from_product([[f"lead {number}" for number in range(n)], [DAY]], names=["user_id", "as_of"])
    return pd.Series([int(number % every == 0) for number in range(n)], index=index)


def leaning(label, much):
    """Return scores that lie evenly in [0, .8] in both classes, the converted ones higher by so much."""
    place = label.groupby(label).cumcount() / label.groupby(label).transform("size")
    return 0.8 * place + much * label


def gain(label, much, looks=1):
    return gain_over([a_fold(label, leaning(label, much))], "base_rate", looks, 200)


def a_fold(label, probability, number=0):
    flat = SimpleNamespace(probability=pd.Series(0.25, index=label.index))
    return SimpleNamespace(number=number, label=label, probability=probability, baselines={"base_rate": flat})


def test_a_gain_of_one_standard_error_is_not_sure():
    found = gain(leads(240, 4), 0.03)

    assert not found.sure
    assert found.low < 0 < found.difference < found.high


def test_the_same_gain_is_sure_at_the_first_look_and_not_at_the_tenth():
    first, tenth = (gain(leads(240, 4), 0.08, looks) for looks in (1, 10))

    assert first.sure
    assert not tenth.sure
    assert tenth.p == pytest.approx(10 * first.p)
    assert (tenth.difference, tenth.low) == (first.difference, first.low)


def test_eight_conversions_are_too_few_however_well_they_are_ranked():
    found = gain(leads(240, 30), 0.9)

    assert (found.sure, found.p) == (False, None)
    assert "8" in found.reason
    assert "at least 10" in found.reason


def test_two_folds_are_surer_than_one_and_their_differences_are_averaged():
    first, other = leads(240, 4), leads(240, 4).rename(lambda name: f"later {name}", level="user_id")
    folds = [a_fold(first, leaning(first, 0.08)), a_fold(other, leaning(other, 0.04), number=1)]

    one, two, both = (gain_over(each, "base_rate", 1, 200) for each in (folds[:1], folds[1:], folds))

    assert both.difference == pytest.approx((one.difference + two.difference) / 2)
    assert both.high - both.low < one.high - one.low
    assert (both.folds, both.baseline) == (2, 0.5)


def test_several_rows_of_a_lead_are_tested_by_as_many_resamples_as_asked():
    once = leads(240, 4)
    thrice = pd.concat([once.rename(lambda day, n=n: day + pd.Timedelta(days=n), level="as_of") for n in range(3)])
    scores = pd.concat([leaning(once, 0.08)] * 3).set_axis(thrice.index)
    few, many = (gain_over([a_fold(thrice, scores)], "base_rate", 1, resamples) for resamples in (100, 1_000))

    assert few.difference == many.difference
    assert few.low != many.low
    # Three equal rows of a lead are one lead: as wide as DeLong's interval of one row each.
    alone = gain(once, 0.08)
    assert many.high - many.low == pytest.approx(alone.high - alone.low, rel=0.15)
