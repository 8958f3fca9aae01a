"""Metrics against hand-computed examples, published values and the laws that they must obey."""

import json
import math
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadscore.errors import ModelError
from leadscore.evaluate import METRICS, evaluate, summarise_folds

RANKING = [name for name, metric in METRICS.items() if metric.takes == "score"]

# y and score of up to 30 rows with both classes; few distinct scores, so that ties are common.
ROWS = st.lists(st.tuples(st.integers(0, 1), st.integers(-4, 4)), min_size=2, max_size=30).filter(
    lambda rows: {0, 1} == {label for label, _ in rows}
)


def value(name, labels, scores):
    return METRICS[name](pd.Series(labels), pd.Series(scores, dtype="float64")).value


# --- by hand ------------------------------------------------------------------------------------------


def test_auc_is_the_share_of_pairs_in_order():
    # positives .8 and .4, negatives .6 and .1: of four pairs, (.4, .6) is the one out of order
    assert value("auc", [1, 0, 1, 0], [0.8, 0.6, 0.4, 0.1]) == 0.75


def test_average_precision_averages_over_recalls_reached():
    # precision is 1/1 at the first positive and 2/3 at the second
    assert value("average_precision", [1, 0, 1, 0], [0.8, 0.6, 0.4, 0.1]) == pytest.approx((1 + 2 / 3) / 2)


def test_precision_is_taken_at_the_highest_score_that_reaches_80_percent_recall():
    # four of five positives are found with the score 4 (after one miss): 4 of 5 rows
    labels, scores = [1, 1, 0, 1, 1, 0, 0, 1], [8, 7, 6, 5, 4, 3, 2, 1]

    assert value("precision_at_0_8_recall", labels, scores) == 4 / 5


def test_precision_takes_all_rows_tied_at_its_threshold():
    # the fourth positive is tied with two misses: 4 of 6 rows, not 4 of 4
    labels, scores = [1, 1, 1, 1, 0, 0, 1, 0], [8, 7, 6, 5, 5, 5, 2, 1]

    assert value("precision_at_0_8_recall", labels, scores) == 4 / 6


def test_lift_compares_the_top_tenth_with_the_base_rate():
    labels = [1, 1, 0, 0, 0, 0, 0, 0, 0, 0] * 2
    scores = list(range(20, 0, -1))

    assert value("lift_at_10pct", labels, scores) == 5.0  # 2 of 2 against 4 of 20


def test_lift_rounds_the_tenth_up():
    labels = [1, 0] + [0] * 8 + [1]  # 11 rows: the top 2 are looked at

    assert value("lift_at_10pct", labels, range(11, 0, -1)) == pytest.approx((1 / 2) / (2 / 11))


def test_lift_expects_the_mean_of_the_rows_tied_at_the_cut():
    # top 2 of 20: one row above (converted), then one of four tied rows, two of which converted
    labels = [1, 1, 1, 0, 0] + [0] * 15
    scores = [9, 5, 5, 5, 5] + [1] * 15

    assert value("lift_at_10pct", labels, scores) == pytest.approx(((1 + 1 / 2) / 2) / (3 / 20))


def test_brier_log_loss_and_calibration_by_hand():
    metrics = evaluate(pd.Series([1, 0]), pd.Series([0.8, 0.4])).metrics

    assert metrics["brier"].value == pytest.approx((0.2**2 + 0.4**2) / 2)
    assert metrics["log_loss"].value == pytest.approx(-(math.log(0.8) + math.log(0.6)) / 2)
    assert metrics["calibration_in_the_large"].value == pytest.approx(0.6 - 0.5)


def test_log_loss_of_a_certain_mistake_is_large_and_finite():
    assert value("log_loss", [1, 0], [0.0, 0.0]) == pytest.approx(-math.log(2.220446049250313e-16) / 2)


# --- published values ---------------------------------------------------------------------------------

# pROC's own test of predictors that differ in the last digits (xrobin/pROC, tests/testthat).
NEAR_TIES = [
    *[(1, 0.960602681556147), (0, 0.0794407386056549), (0, 0.144842404246611), (1, 0.931816485855784)],
    *[(1, 0.931816485855784), (0, 0.97764041048215), (1, 0.6535494669979387), (1, 0.796401132206396)],
    *[(0, 0.427720540184519), (0, 0.811278021288732), (0, 0.0188323116581187), (1, 0.6535494669979386)],
    *[(0, 0.6535494669979385), (1, 0.959111701445925), (1, 0.931816485855784), (1, 0.663663279418747)],
    *[(1, 0.800100838413179), (1, 0.780456095511079)],
]


def test_scores_that_nearly_tie_are_told_apart():
    labels, scores = zip(*NEAR_TIES, strict=True)

    assert value("auc", labels, scores) == pytest.approx(float.fromhex("0x1.8ef606a63bd82p-1"), abs=1e-15)


@pytest.fixture(scope="module")
def asah():
    shared = Path(os.environ.get("LEADSCORE_SHARED_DATA", Path(__file__).parents[2] / "shared" / "data"))
    path = shared / "asah" / "aSAH.csv"
    if not path.exists():
        pytest.skip("aSAH data absent: set LEADSCORE_SHARED_DATA to the folder that has asah/aSAH.csv")
    return pd.read_csv(path)


@pytest.mark.parametrize(
    ("predictor", "auc", "average_precision", "precision", "lift"),
    [
        ("wfns", 0.823678861788618, 0.6803366371169433, 0.527027027027027, 2.254988913525499),
        ("s100b", 0.7313685636856369, 0.6856209231721957, 0.4358974358974359, 2.7560975609756095),
        ("ndka", 0.611957994579946, 0.48624872262242125, 0.4074074074074074, 1.6077235772357725),
    ],
)
def test_asah_gives_the_published_values(asah, predictor, auc, average_precision, precision, lift):
    y = (asah["outcome"] == "Poor").astype("int64")
    score = asah[predictor].astype("float64")

    for name, expected in {
        "auc": auc,  # as pROC's own tests assert it
        "average_precision": average_precision,
        "precision_at_0_8_recall": precision,
        "lift_at_10pct": lift,
    }.items():
        assert METRICS[name](y, score).value == pytest.approx(expected, abs=1e-12), name


def test_asah_scaled_into_probabilities_ranks_the_same(asah):
    y = (asah["outcome"] == "Poor").astype("int64")
    score = asah["s100b"]

    evaluation = evaluate(y, score / score.max())

    assert (evaluation.n, evaluation.positives) == (113, 41)
    assert evaluation.metrics["auc"].value == pytest.approx(0.7313685636856369, abs=1e-12)


# --- laws ---------------------------------------------------------------------------------------------


@settings(max_examples=50, deadline=None)
@given(ROWS, st.randoms())
def test_neither_row_order_nor_a_rising_map_changes_a_ranking_metric(rows, random):
    labels, scores = zip(*rows, strict=True)
    mapped = [math.exp(score) for score in scores]
    shuffled = random.sample(rows, len(rows))

    for name in RANKING:
        plain = value(name, labels, scores)
        assert value(name, labels, mapped) == plain, name
        assert value(name, *zip(*shuffled, strict=True)) == pytest.approx(plain, abs=1e-12), name


@settings(max_examples=50, deadline=None)
@given(ROWS)
def test_the_auc_of_the_opposite_is_the_rest(rows):
    labels, scores = zip(*rows, strict=True)

    assert value("auc", labels, [-score for score in scores]) == pytest.approx(1 - value("auc", labels, scores))


@settings(max_examples=50, deadline=None)
@given(ROWS)
def test_equal_scores_are_chance_exactly(rows):
    labels = [label for label, _ in rows]

    assert value("lift_at_10pct", labels, [0.3] * len(rows)) == 1.0
    assert value("auc", labels, [0.3] * len(rows)) == 0.5


@settings(max_examples=50, deadline=None)
@given(ROWS)
def test_lift_is_the_mean_over_all_orders_of_tied_rows(rows):
    labels, scores = (np.array(column) for column in zip(*rows, strict=True))
    k = math.ceil(len(rows) / 10)
    cut = np.sort(scores)[::-1][k - 1]
    slots = k - (scores > cut).sum()
    expected = labels[scores > cut].sum() + slots * labels[scores == cut].mean()

    assert value("lift_at_10pct", labels, scores) == pytest.approx((expected / k) / labels.mean())


# --- undefined and invalid ----------------------------------------------------------------------------


@pytest.mark.parametrize("label", [0, 1])
def test_one_class_has_probability_metrics_and_reasons_for_the_others(label):
    evaluation = evaluate(pd.Series([label, label]), pd.Series([0.2, 0.4]))

    for name in RANKING:
        assert evaluation.metrics[name].value is None
        assert evaluation.metrics[name].reason == f"one class only: {2 * label} of 2 rows converted"
    assert evaluation.metrics["brier"].value == pytest.approx(((label - 0.2) ** 2 + (label - 0.4) ** 2) / 2)
    assert evaluation.metrics["log_loss"].value is not None
    assert evaluation.metrics["calibration_in_the_large"].value == pytest.approx(0.3 - label)


def test_no_rows_are_a_reason_and_no_nan():
    evaluation = evaluate(pd.Series([], dtype="int64"), pd.Series([], dtype="float64"))

    assert evaluation.base_rate is None
    assert {metric.value for metric in evaluation.metrics.values()} == {None}
    assert {metric.reason for metric in evaluation.metrics.values()} == {"no rows"}


def test_the_record_is_plain_json():
    record = evaluate(pd.Series([0, 0]), pd.Series([0.5, 0.5])).to_json()

    assert json.loads(json.dumps(record, allow_nan=False)) == record
    assert record["metrics"]["auc"] is None
    assert record["metrics"]["brier"] == 0.25
    assert sorted(record["reasons"]) == sorted(RANKING)
    assert (record["n"], record["positives"], record["base_rate"]) == (2, 0, 0.0)


def test_all_that_is_wrong_with_the_input_is_said_at_once():
    with pytest.raises(ModelError) as refused:
        evaluate(pd.Series([0, 2, 1]), pd.Series([0.5, math.nan, 1.5, -0.1]))

    assert "labels (3 rows) and scores (4 rows) do not have the same index" in str(refused.value)
    assert "1 of 3 labels are neither 0 nor 1: 2" in str(refused.value)
    assert "3 of 4 scores are not a probability in [0, 1]: nan, 1.5, -0.1" in str(refused.value)


def test_labels_and_probabilities_of_other_rows_are_refused():
    with pytest.raises(ModelError, match="do not have the same index"):
        evaluate(pd.Series([0, 1], index=["a", "b"]), pd.Series([0.1, 0.9], index=["b", "a"]))


def test_a_ranking_takes_any_finite_score_but_no_infinite_one():
    assert value("auc", [0, 1], [-1e300, 1e300]) == 1.0
    with pytest.raises(ModelError, match="1 of 2 scores are not a finite number: inf"):
        METRICS["auc"](pd.Series([0, 1]), pd.Series([0.0, math.inf]))
    with pytest.raises(ModelError, match=r"2 of 2 scores are not a probability in \[0, 1\]"):
        METRICS["brier"](pd.Series([0, 1]), pd.Series([-1.0, 3.0]))


# --- folds --------------------------------------------------------------------------------------------


def test_folds_give_the_mean_with_each_beside_it():
    first = evaluate(pd.Series([0, 1, 0, 1]), pd.Series([0.1, 0.2, 0.3, 0.4]))
    second = evaluate(pd.Series([0, 1]), pd.Series([0.2, 0.9]))

    summary = summarise_folds([first, second])

    assert summary["metrics"]["auc"] == pytest.approx((0.75 + 1.0) / 2)  # a fold counts once, whatever its size
    assert [fold["metrics"]["auc"] for fold in summary["folds"]] == [0.75, 1.0]
    assert summary["reasons"] == {}


def test_a_fold_without_a_metric_makes_the_mean_null():
    both = evaluate(pd.Series([0, 1]), pd.Series([0.2, 0.9]))
    one = evaluate(pd.Series([0, 0]), pd.Series([0.2, 0.9]))

    summary = summarise_folds([both, one])

    assert summary["metrics"]["auc"] is None
    assert summary["reasons"]["auc"] == "fold 1: one class only: 0 of 2 rows converted"
    assert summary["metrics"]["brier"] == pytest.approx((both.metrics["brier"].value + one.metrics["brier"].value) / 2)


def test_every_metric_declares_itself():
    assert [name for name, metric in METRICS.items() if metric.direction == "lower"] == ["brier", "log_loss"]
    for metric in METRICS.values():
        assert metric.title
        assert metric.unit
        assert metric.ties.endswith(".")
