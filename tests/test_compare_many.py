"""Shares, paired decisions, families of comparisons, refits over folds: published values and laws."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadscore.compare import (
    CALIBRATION,
    Scores,
    benjamini_hochberg,
    corrected_t_test,
    expected_gain_by_luck,
    gain,
    holm,
    mcnemar,
    mcnemar_at,
    mean_intervals,
    smallest_detectable,
    verdict,
    weighted,
    wilson,
)
from leadscore.errors import ConfigError, ModelError

# Benjamini and Hochberg (1995), section 3.2: fifteen hypotheses of a trial.
BH_1995 = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.324, 0.4262, 0.5719, 0.6528]
BH_1995 += [0.759, 1.0]
HOLM_1995 = [0.0015, 0.0056, 0.0247, 0.114, 0.2211, 0.278, 0.278, 0.278, 0.3213, 1, 1, 1, 1, 1, 1]


# --- decisions ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("b", "c", "chi2_corrected", "p_corrected", "p_exact"),
    [
        (59, 121, 20.67222222222222, 5.450094825427117e-06, 4.4344492637551645e-06),
        (86, 150, 16.81779661016949, 4.114562281345944e-05, 3.7159361395713866e-05),
    ],
)
def test_mcnemar_gives_the_values_of_statsmodels(b, c, chi2_corrected, p_corrected, p_exact):
    corrected = mcnemar(b, c, method="chi2 corrected")

    assert (corrected.statistic, corrected.p) == pytest.approx((chi2_corrected, p_corrected), rel=1e-12)
    assert mcnemar(b, c, method="exact").p == pytest.approx(p_exact, rel=1e-10)
    assert mcnemar(c, b, method="exact").p == pytest.approx(p_exact, rel=1e-10)


def test_plain_mcnemar_is_chi_squared():
    plain = mcnemar(59, 121, method="chi2")

    assert (plain.statistic, plain.p) == pytest.approx((21.355555555555554, 3.815135865112594e-06), rel=1e-12)


def test_mid_p_takes_half_of_what_was_seen():
    # 1 of 4: exact 2 * (1 + 4) / 16, of which the four with one count half on either side
    assert mcnemar(1, 3, method="exact").p == 10 / 16
    assert mcnemar(1, 3, method="mid-p").p == pytest.approx(10 / 16 - 4 / 16)


def test_few_discordant_rows_are_tested_exactly():
    assert mcnemar(4, 20).method == "exact McNemar test"
    assert mcnemar(5, 20).method == "mid-p McNemar test"
    assert mcnemar(7, 7).p == 1.0


def test_decisions_at_a_threshold_count_rows_that_one_model_alone_got_right():
    label = [1] * 40 + [0] * 40
    a, b = [0.9] * 30 + [0.1] * 10 + [0.1] * 40, [0.9] * 40 + [0.6] * 3 + [0.1] * 37

    assert mcnemar_at(label, a, b, 0.5) == mcnemar(3, 10)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 300), st.integers(0, 300))
def test_a_share_lies_within_its_interval(successes, failures):
    n = max(successes + failures, 1)
    successes = min(successes, n)
    low, high = wilson(successes, n)

    assert 0 <= low <= successes / n <= high <= 1
    assert (1 - high, 1 - low) == pytest.approx(wilson(n - successes, n), abs=1e-12)


def test_wilson_gives_the_published_intervals():
    assert wilson(8, 10) == pytest.approx((0.49016247153664183, 0.9433178485456247), abs=1e-12)
    assert wilson(0, 20) == pytest.approx((0.0, 0.1611251580528194), abs=1e-12)


# --- families -----------------------------------------------------------------------------------------


def test_holm_gives_the_published_values():
    adjusted = holm(BH_1995)

    assert adjusted.tolist() == pytest.approx(HOLM_1995, abs=1e-12)
    assert (adjusted < 0.05).sum() == 3


def test_benjamini_and_hochberg_reject_their_four():
    adjusted = benjamini_hochberg(BH_1995)

    assert (adjusted <= 0.05).sum() == 4
    # the largest k with p_k <= 0.05 k / 15
    assert adjusted[3] == pytest.approx(0.0095 * 15 / 4)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=20), st.randoms())
def test_adjusting_keeps_the_order_and_never_flatters(p, random):
    order = random.sample(range(len(p)), len(p))
    for adjust in (holm, benjamini_hochberg):
        adjusted = adjust(p)
        assert (adjusted >= np.array(p) - 1e-15).all()
        assert (adjusted <= np.minimum(1, np.array(p) * len(p)) + 1e-15).all()
        assert adjust([p[i] for i in order]).tolist() == [adjusted[i] for i in order]
    assert (holm(p) >= benjamini_hochberg(p) - 1e-15).all()


@pytest.mark.parametrize(("models", "gain"), [(2, 0.007), (10, 0.020), (50, 0.035), (200, 0.038)])
def test_the_best_of_equal_models_looks_as_much_better_as_simulated(models, gain):
    # 1,000 rows, 100 positives: two models correlated at .7 differ by a standard error of .021
    assert expected_gain_by_luck(models, 0.021) == pytest.approx(gain, abs=0.004)


def test_the_luck_of_two_is_known_exactly():
    # E max of two standard normals is 1 / sqrt(pi)
    assert expected_gain_by_luck(2, math.sqrt(2)) == pytest.approx(1 / math.sqrt(math.pi), abs=1e-12)


def test_the_smallest_detectable_difference_is_2_8_standard_errors():
    assert smallest_detectable(1.0) == pytest.approx(2.8015851, abs=1e-6)
    assert smallest_detectable(1.0, power=0.5) == pytest.approx(1.959964, abs=1e-6)


# --- refits -------------------------------------------------------------------------------------------


def test_the_corrected_t_is_that_of_the_published_example():
    # scikit-learn's "Statistical comparison of models using grid search": t .750, p .227; uncorrected 2.611, .005
    from sklearn.datasets import make_moons
    from sklearn.model_selection import RepeatedStratifiedKFold, cross_val_score
    from sklearn.svm import SVC

    x, y = make_moons(noise=0.352, random_state=1, n_samples=100)
    folds = RepeatedStratifiedKFold(n_splits=10, n_repeats=10, random_state=0)
    rbf, linear = (cross_val_score(SVC(kernel=k, random_state=0), x, y, scoring="roc_auc", cv=folds) for k in KERNELS)

    test = corrected_t_test(rbf - linear, n_train=90, n_test=10, alternative="greater")

    assert (test.statistic, test.p) == pytest.approx((0.7503126954482318, 0.2274229710133665), abs=1e-9)
    uncorrected = test.statistic * math.sqrt(1 / 100 + 10 / 90) / math.sqrt(1 / 100)
    assert uncorrected == pytest.approx(2.6111648393354643, abs=1e-9)


KERNELS = ("rbf", "linear")


def test_refits_that_do_not_differ_are_said():
    assert corrected_t_test([0.0, 0.0, 0.0], 90, 10).p == 1.0
    moved = corrected_t_test([0.1, 0.1, 0.1], 90, 10)
    assert moved.p is None
    assert moved.reason.startswith("degenerate: all differences are equal")
    assert json.loads(json.dumps(moved.to_json(), allow_nan=False)) == moved.to_json()


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: holm([0.1, 1.5, math.nan]), r"2 of 3 p-values are not in \[0, 1\]: 1.5, nan"),
        (lambda: wilson(5, 4), "5 of 4 is no share"),
        (lambda: mcnemar(-1, 4), "counts of rows are 0 or more; got -1 and 4"),
        (lambda: mcnemar(1, 4, method="exct"), "Did you mean 'exact'"),
        (lambda: expected_gain_by_luck(0, 0.1), "got 0 models"),
        (lambda: corrected_t_test([0.1], 90, 10), "got 1 differences"),
        (lambda: corrected_t_test([0.1, 0.2], 90, 10, alternative="up"), "no alternative 'up'"),
    ],
)
def test_what_is_not_allowed_is_said(call, said):
    with pytest.raises(ModelError, match=said):
        call()


# --- means over folds -------------------------------------------------------------------------------------


def one_fold(seed, n=400, first=0):
    rng = np.random.default_rng(seed)
    label = (rng.random(n) < 0.25).astype(int)
    score = 1 / (1 + np.exp(1 - label + rng.normal(size=n)))
    return label, score, np.array([f"u{first + number}" for number in range(n)])


def test_the_interval_of_a_mean_over_folds_of_other_leads_shrinks_as_independent_errors_do():
    folds = [one_fold(1), one_fold(2, first=400)]
    alone = [mean_intervals([fold], metrics=["brier"])["brier"] for fold in folds]
    both = mean_intervals(folds, metrics=["brier"])["brier"]
    assert both.value == pytest.approx((alone[0].value + alone[1].value) / 2)
    wide = [each.high - each.low for each in alone]
    assert both.high - both.low == pytest.approx(math.hypot(*wide) / 2, rel=0.08)
    assert (both.n, both.leads) == (800, 800)


def test_leads_that_are_in_both_folds_are_one_lead():
    fold = one_fold(1)
    both, alone = (mean_intervals(each, metrics=["brier"])["brier"] for each in ([fold, fold], [fold]))
    assert both.high - both.low == pytest.approx(alone.high - alone.low)
    assert (both.n, both.leads) == (800, 400)


def test_a_fold_with_eight_conversions_leaves_the_mean_without_an_interval():
    label, score, lead = one_fold(2, first=400)
    few = np.where(np.cumsum(label) <= 8, label, 0)
    found = mean_intervals([one_fold(1), (few, score, lead)], metrics=["brier", "auc"])
    assert found["auc"].reason == "fold 1 has too few leads: 8 converted, 392 did not; at least 10 of each are needed"
    assert found["auc"].low is None
    assert found["auc"].value is not None


def test_calibration_in_the_large_has_an_interval_and_no_verdict():
    label, score, lead = one_fold(3)
    found = mean_intervals([(label, score, lead)], metrics=[CALIBRATION])["calibration_in_the_large"]
    assert found.value == pytest.approx(score.mean() - label.mean())
    assert found.low < found.value < found.high
    with pytest.raises(ConfigError, match="Calibration in the large has no better side: compare the Brier score"):
        verdict(Scores.of(label, score), Scores.of(label, score), metric=CALIBRATION)


def test_what_the_top_holds_counts_ties_by_their_expectation():
    label = [1, 0, 1, 0, 0, 0, 0, 0, 0, 1]
    assert weighted(gain(0.2), label, [0.9, 0.8, 0.8, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1]) == pytest.approx(1.5 / 3)
    assert weighted(gain(1.0), label, range(10)) == 1.0
    assert weighted(gain(0.2), label, np.zeros(10)) == pytest.approx(0.2)
