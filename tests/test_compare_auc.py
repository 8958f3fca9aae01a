"""AUCs, their variances and tests: against pROC's own asserted values, by law, and where they are degenerate."""

import json
import math
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadscore.compare import auc_interval, delong, paired_auc_test, power_of_auc, unpaired_auc_test
from leadscore.compare.placements import Placements
from leadscore.errors import ModelError

# xrobin/pROC@ee2877e, tests/testthat: values that pROC asserts of its aSAH data.
AUC = {"wfns": 0.823678861788618, "ndka": 0.611957994579946, "s100b": 0.7313685636856369}
VARIANCE = {"wfns": 0.00146991470882363, "ndka": 0.0031908105493913, "s100b": 0.00266868245717244}
COVARIANCE = {
    ("wfns", "ndka"): -0.000532967856762438,
    ("ndka", "s100b"): -0.000756164938056579,
    ("s100b", "wfns"): 0.00119615567376754,
}
PAIRED = {  # first - second: z, p, low, high
    ("wfns", "s100b"): (2.20898359144091, 0.0271757822291882, 0.0104061769564846, 0.174214419249478),
    ("wfns", "ndka"): (2.79777591868904, 0.00514557970691098, 0.0634011709339876, 0.3600405634833566),
    ("ndka", "s100b"): (-1.39077002573558, 0.164295175223054, -0.2876917446341914, 0.0488706064228094),
}
UNPAIRED = {
    ("wfns", "s100b"): (1.43490640926908, 0.152825378808796),
    ("wfns", "ndka"): (3.10125096778969, 0.00220950791756457),
    ("ndka", "s100b"): (-1.55995743389685, 0.120192832430845),
}
NEAR_TIES = [
    *[(1, 0.960602681556147), (0, 0.0794407386056549), (0, 0.144842404246611), (1, 0.931816485855784)],
    *[(1, 0.931816485855784), (0, 0.97764041048215), (1, 0.6535494669979387), (1, 0.796401132206396)],
    *[(0, 0.427720540184519), (0, 0.811278021288732), (0, 0.0188323116581187), (1, 0.6535494669979386)],
    *[(0, 0.6535494669979385), (1, 0.959111701445925), (1, 0.931816485855784), (1, 0.663663279418747)],
    *[(1, 0.800100838413179), (1, 0.780456095511079)],
]

# Up to 30 rows with two of each class; few distinct scores, so that ties are common.
ROWS = st.lists(st.tuples(st.integers(0, 1), st.integers(-4, 4), st.integers(-4, 4)), min_size=4, max_size=30).filter(
    lambda rows: 2 <= sum(label for label, _, _ in rows) <= len(rows) - 2
)


def exactly(value):
    return pytest.approx(value, abs=1e-12, rel=0)


@pytest.fixture
def asah(shared_data):
    frame = pd.read_csv(shared_data("asah") / "aSAH.csv")
    return frame.assign(label=(frame["outcome"] == "Poor").astype(int))


# --- pROC ---------------------------------------------------------------------------------------------


def test_asah_aucs_variances_and_covariances_are_those_of_proc(asah):
    names = list(AUC)
    found = delong(asah["label"], asah[names])

    assert (found.n_positive, found.n_negative, found.reason) == (41, 72, None)
    assert found.auc.tolist() == exactly(list(AUC.values()))
    for i, name in enumerate(names):
        assert found.covariance[i, i] == exactly(VARIANCE[name])
    for (a, b), expected in COVARIANCE.items():
        assert found.covariance[names.index(a), names.index(b)] == exactly(expected)


@pytest.mark.parametrize("pair", PAIRED)
def test_asah_paired_tests_are_those_of_proc(asah, pair):
    first, second = pair
    test = paired_auc_test(asah["label"], asah[second], asah[first])  # B - A is first - second

    assert (test.statistic, test.p, test.low, test.high) == exactly(PAIRED[pair])


def test_one_sided_tests_look_at_their_own_side(asah):
    greater = paired_auc_test(asah["label"], asah["s100b"], asah["wfns"], alternative="greater")
    less = paired_auc_test(asah["label"], asah["s100b"], asah["wfns"], alternative="less")

    assert (greater.p, less.p) == exactly((0.0135878911145941, 0.986412108885406))


@pytest.mark.parametrize("pair", UNPAIRED)
def test_asah_unpaired_tests_are_those_of_proc(asah, pair):
    first, second = pair
    test = unpaired_auc_test(asah["label"], asah[second], asah["label"], asah[first])

    assert (test.statistic, test.p) == exactly(UNPAIRED[pair])


def test_identical_curves_give_z_0_and_p_1(asah):
    test = paired_auc_test(asah["label"], asah["wfns"], asah["wfns"])

    assert (test.statistic, test.p, test.low, test.high) == (0.0, 1.0, 0.0, 0.0)


def test_asah_intervals_are_those_of_proc(asah):
    women = asah[asah["gender"] == "Female"]
    everyone = auc_interval(asah["label"], asah["ndka"], method="wald")
    some = auc_interval(women["label"], women["ndka"], method="wald")

    assert (everyone.low, everyone.value, everyone.high) == exactly((0.501244999271703, AUC["ndka"], 0.722670989888189))
    assert (some.low, some.value, some.high) == pytest.approx((0.5261398281, 0.6671428571, 0.8081458862), abs=1e-10)


def test_scores_that_nearly_tie_are_told_apart_to_the_last_bit():
    labels, scores = zip(*NEAR_TIES, strict=True)

    assert delong(labels, scores).auc[0] == float.fromhex("0x1.8ef606a63bd82p-1")


def test_power_of_one_auc_is_that_of_proc():
    assert power_of_auc(0.73, 41, 72) == pytest.approx(0.9897453, abs=1e-7)


def test_many_rows_do_not_overflow():
    # 144,720 rows are 20 rows 7,236 times over: 6.5e9 pairs, above 2**31, and the same AUC
    label, score, times = np.arange(20) % 3 == 0, np.array([*range(10), *range(5, 15)]), 7_236
    small, large = delong(label, score), delong(np.repeat(label, times), np.repeat(score, times))

    assert large.n_positive * large.n_negative > 2**31
    assert large.auc[0] == small.auc[0]
    assert large.covariance[0, 0] == pytest.approx(by_definition(label, score, times), rel=1e-12)
    assert small.covariance[0, 0] == pytest.approx(by_definition(label, score, 1), rel=1e-12)


def by_definition(label, score, times):
    """DeLong's variance pair by pair in fractions, each row standing `times` times."""

    def wins(x, y):
        return Fraction(1) if x > y else Fraction(1, 2) if x == y else Fraction(0)

    positives, negatives = score[label].tolist(), score[~label].tolist()
    over = [sum(wins(x, y) for y in negatives) / len(negatives) for x in positives]
    under = [sum(wins(x, y) for x in positives) / len(positives) for y in negatives]
    total = Fraction(0)
    for part in (over, under):
        mean, n = sum(part) / len(part), len(part) * times
        total += times * sum((each - mean) ** 2 for each in part) / (n - 1) / n
    return float(total)


# --- laws ---------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(ROWS)
def test_the_covariance_is_delongs_whatever_the_ties(rows):
    label, a, b = (np.array(column) for column in zip(*rows, strict=True))
    found = delong(label, np.column_stack([a, b]))

    for column, score in enumerate((a, b)):
        assert found.covariance[column, column] == pytest.approx(by_definition(label == 1, score, 1), abs=1e-14)
    # of the difference: from the matrix, and from the rows
    test = paired_auc_test(label, a, b)
    if test.se is not None:
        matrix = found.covariance[0, 0] + found.covariance[1, 1] - 2 * found.covariance[0, 1]
        assert test.se**2 == pytest.approx(matrix, abs=1e-14)


@settings(max_examples=60, deadline=None)
@given(ROWS, st.randoms())
def test_only_the_order_of_scores_counts_and_not_that_of_rows(rows, random):
    label, a, b = (np.array(column) for column in zip(*rows, strict=True))
    order = random.sample(range(len(rows)), len(rows))
    plain = paired_auc_test(label, a, b)

    assert paired_auc_test(label, np.exp(a), 3.0 * b - 7) == plain
    assert paired_auc_test(label[order], a[order], b[order]).p == (plain.p if plain.p is None else exactly(plain.p))
    flipped = paired_auc_test(1 - label, -a, -b)
    assert (flipped.auc_a, flipped.auc_b) == (plain.auc_a, plain.auc_b)
    assert delong(label, -a).auc[0] == exactly(1 - plain.auc_a)


@settings(max_examples=60, deadline=None)
@given(ROWS)
def test_swapping_a_and_b_turns_the_sign_and_nothing_else(rows):
    label, a, b = zip(*rows, strict=True)
    there, back = paired_auc_test(label, a, b), paired_auc_test(label, b, a)

    assert (back.difference, back.p) == (-there.difference, there.p)
    if there.low is not None:
        assert (back.low, back.high) == (-there.high, -there.low)


# --- degenerate and invalid ---------------------------------------------------------------------------


def test_perfect_separation_is_said_and_is_no_interval():
    interval = auc_interval([0] * 20 + [1] * 20, range(40))

    assert (interval.value, interval.low, interval.high) == (1.0, None, None)
    assert interval.reason == "degenerate: perfect separation, so the estimated variance is 0 and says nothing"


def test_equal_scores_are_chance_without_an_interval():
    interval = auc_interval([0, 1] * 20, [0.3] * 40)

    assert interval.value == 0.5
    assert interval.reason.startswith("degenerate: the placements do not vary")


@pytest.mark.parametrize("n", [20, 30, 70])
def test_placements_that_do_not_vary_have_a_variance_of_exactly_0(n):
    # a third of 2n, n times, has a mean that rounds
    places = Placements.of(np.arange(2 * n) >= n, np.arange(2.0 * n)[:, None])

    assert [places.variance(np.array([weight])) for weight in (1, 1 / 3, 0.1)] == [0.0, 0.0, 0.0]


def test_every_row_moved_alike_is_degenerate_and_not_certain():
    test = paired_auc_test([0] * 20 + [1] * 20, [0.3] * 40, range(40))

    assert (test.difference, test.p, test.low) == (0.5, None, None)
    assert test.reason.startswith("degenerate: every row moved alike")


def test_the_rule_chooses_the_scale_by_the_smaller_class():
    rng = np.random.default_rng(3)
    few, many = np.arange(2_000) < 199, np.arange(2_000) < 200
    score = rng.normal(size=2_000)

    assert auc_interval(few, score + few).method == "DeLong variance on the logit scale"
    assert auc_interval(~few, score - few).method == "DeLong variance on the logit scale"
    assert auc_interval(many, score + many).method == "DeLong variance"
    assert auc_interval(np.arange(2_000) < 9, score).reason == (
        "too few leads: 9 converted, 1,991 did not; at least 10 of each are needed"
    )


def test_an_interval_near_1_stays_below_it():
    label = np.arange(400) < 40
    interval = auc_interval(label, np.arange(400)[::-1] + 50.0 * (np.arange(400) % 9 == 0))

    assert 0.9 < interval.low < interval.value < interval.high < 1


def test_one_positive_has_an_auc_and_no_variance():
    found = delong([0, 0, 1], [1, 2, 3])

    assert (found.auc[0], found.covariance) == (1.0, None)
    assert found.reason == "one positive alone: a variance needs two rows in each class"
    with pytest.raises(ModelError, match="needs two rows in each class; 1 of 3 rows converted"):
        paired_auc_test([0, 0, 1], [1, 2, 3], [1, 2, 3])


@pytest.mark.parametrize(
    ("label", "score", "said"),
    [
        ([0, 0], [1, 2], "needs both classes; one class only: 0 of 2 rows converted"),
        ([0, 1], [1, math.inf], "1 of 2 scores are not a finite number: inf"),
        ([0, 1], [math.nan, 2], "1 of 2 scores are not a finite number: nan"),
        ([0, 1, 1], [1, 2], "3 labels and 2 scores: one score a label is needed"),
        ([0, 2], [1, 2], "1 of 2 labels are neither 0 nor 1: 2"),
        (["yes", "no"], [1, 2], "2 of 2 labels are neither 0 nor 1: 'yes', 'no'"),
        ([0, None], [1, 2], "1 of 2 labels are neither 0 nor 1: None"),
        ([0, 1], ["high", "low"], "scores are not all numbers: could not convert string to float: 'high'"),
        ([], [], "no rows"),
        ([[0, 1]], [1, 2], r"labels have shape \(1, 2\)"),
    ],
)
def test_what_has_no_auc_is_said_in_words(label, score, said):
    with pytest.raises(ModelError, match=said):
        delong(label, score)


def test_a_paired_test_needs_the_same_rows_and_a_known_side():
    with pytest.raises(ModelError, match=r"scores of A have shape \(3,\) and of B \(2,\)"):
        paired_auc_test([0, 1, 1], [1, 2, 3], [1, 2])
    with pytest.raises(ModelError, match="Did you mean 'greater'"):
        paired_auc_test([0, 0, 1, 1], [1, 2, 3, 4], [1, 2, 3, 4], alternative="grater")
    with pytest.raises(ModelError, match=r"confidence level is 95"):
        auc_interval([0, 1], [1, 2], level=95)


def test_everything_becomes_plain_json():
    label, a, b = [0] * 20 + [1] * 20, range(40), [*range(20), *range(10, 30)]
    for found in (delong(label, b), auc_interval(label, a), paired_auc_test(label, a, b)):
        record = found.to_json()
        assert json.loads(json.dumps(record, allow_nan=False)) == record
