"""Slices: a number for each part of the leads, and which parts are unlike the rest."""

import numpy as np
import pandas as pd
import pytest

from leadscore.compare import measure_slices, unpaired_auc_test


def world(n=1200, seed=0):
    """Scores that know half of the outcome, but nothing in FR."""
    rng = np.random.default_rng(seed)
    country = np.array(["DE", "FR", "US"])[np.arange(n) % 3]
    label = (rng.random(n) < 0.3).astype(int)
    score = 1 / (1 + np.exp(-(rng.normal(size=n) + np.where(country == "FR", 0, 1.5) * label)))
    return label, score, pd.DataFrame({"country": country})


def test_the_slice_in_which_the_score_knows_nothing_stands_out_after_holm():
    label, score, columns = world()
    found = {each.value: each for each in measure_slices(label, score, columns)}
    assert list(found) == ["DE", "FR", "US"]
    assert found["FR"].auc.low < 0.5 < found["FR"].auc.high
    assert found["DE"].auc.low > 0.7
    inside = columns["country"].to_numpy() == "FR"
    p = unpaired_auc_test(label[~inside], score[~inside], label[inside], score[inside]).p
    assert found["FR"].p == pytest.approx(p)
    assert found["FR"].p_adjusted == pytest.approx(3 * p)  # the smallest of three
    assert found["FR"].p_adjusted < 0.001


def test_equal_slices_do_not_stand_out():
    rng = np.random.default_rng(1)
    label, score, _ = world()
    columns = pd.DataFrame({"coin": rng.choice(["heads", "tails"], len(label))})
    assert all(each.p_adjusted > 0.05 for each in measure_slices(label, score, columns))


def test_a_missing_value_is_a_slice_and_a_small_one_has_no_interval():
    label, score, columns = world(60)
    columns["country"] = columns["country"].astype("str")
    columns.loc[:4, "country"] = np.nan
    found = {each.value: each for each in measure_slices(label, score, columns)}
    assert found["missing"].auc.n == 5
    assert found["missing"].auc.low is None
    assert found["missing"].p is None
    assert "too few" in found["missing"].auc.reason


def test_rows_of_one_lead_are_not_taken_for_many_leads():
    label, score, columns = world(300)
    once = {each.value: each for each in measure_slices(label, score, columns)}
    many = [np.repeat(values, 6) for values in (label, score)]
    repeated = measure_slices(*many, columns.loc[np.repeat(np.arange(300), 6)], lead=np.repeat(np.arange(300), 6))
    for each in repeated:
        one = once[each.value].auc
        assert each.p is None
        assert each.auc.leads == one.n
        assert (each.auc.high - each.auc.low) == pytest.approx(
            one.high - one.low, rel=0.25
        )  # not 6 ** 0.5 times smaller
