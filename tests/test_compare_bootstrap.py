"""The bootstrap of leads, the rule of intervals."""

import json

import numpy as np
import pandas as pd
import pytest

from leadscore.compare import STATISTICS, bootstrap, metric_intervals, top_k, weighted
from leadscore.compare.resampling import bootstrap_p, percentile_interval
from leadscore.errors import ConfigError, ModelError


def funnel(seed=0, leads=200, rows=3):
    """Rows of leads that convert or not, with two models' probabilities."""
    rng = np.random.default_rng(seed)
    lead = np.repeat(np.arange(leads), rows)
    label = np.repeat(rng.random(leads) < 0.2, rows)
    latent = np.repeat(rng.normal(size=leads), rows) + label
    scores = 1 / (1 + np.exp(2 - latent[:, None] - 0.5 * rng.normal(size=(leads * rows, 2))))
    return lead, label, scores


def test_a_resample_draws_leads_with_all_their_rows():
    lead, label, scores = funnel(leads=30)
    drawn = np.random.default_rng(7).integers(0, 30, size=(1, 30))  # the first draw of seed 7
    rows = np.concatenate([np.flatnonzero(lead == each) for each in drawn[0]])

    measured = bootstrap(label, scores, lead=lead, metrics=list(STATISTICS), resamples=1, seed=7)

    for number, name in enumerate(STATISTICS):
        for model in (0, 1):
            expected = weighted(name, label[rows], scores[rows, model])
            assert measured.draws[0, number, model] == pytest.approx(expected, abs=1e-12), name


def test_models_meet_the_same_resamples():
    lead, label, scores = funnel()
    measured = bootstrap(label, scores[:, [0, 0]], lead=lead, metrics=list(STATISTICS), resamples=200)

    for name in STATISTICS:
        difference = measured.difference(name)
        assert (difference.value, difference.low, difference.high, measured.p(name)) == (0.0, 0.0, 0.0, 1.0)


def test_the_seed_decides_and_the_size_of_blocks_does_not(monkeypatch):
    lead, label, scores = funnel()
    first = bootstrap(label, scores, lead=lead, resamples=50, seed=1)
    monkeypatch.setattr("leadscore.compare.resampling.BLOCK", 1_300)
    blocks = bootstrap(label, scores, lead=lead, resamples=50, seed=1)
    other = bootstrap(label, scores, lead=lead, resamples=50, seed=2)

    assert (first.draws == blocks.draws).all()
    assert (first.draws != other.draws).any()
    assert first.interval("auc").seed == 1
    assert first.interval("auc").resamples == 50


def test_six_snapshots_of_a_lead_are_not_six_leads():
    rng = np.random.default_rng(2)
    label, score = rng.random(300) < 0.2, rng.random(300)
    six = np.repeat(np.arange(300), 6)
    once = bootstrap(label, score, resamples=500).interval("auc")
    honest = bootstrap(label[six], score[six], lead=six, resamples=500).interval("auc")
    naive = bootstrap(label[six], score[six], resamples=500).interval("auc")

    assert (honest.low, honest.high) == pytest.approx((once.low, once.high), abs=1e-12)
    assert (naive.high - naive.low) < 0.5 * (honest.high - honest.low)


def test_asah_difference_has_the_spread_of_a_stratified_bootstrap(shared_data):
    # drawn within each class, 10,000 times: sd .04204, interval [.0142, .1794]; classes drawn too, a little wider
    frame = pd.read_csv(shared_data("asah") / "aSAH.csv")
    measured = bootstrap(frame["outcome"] == "Poor", frame[["s100b", "wfns"]], metrics=["auc"], seed=0)
    difference = measured.difference("auc")

    assert difference.value == pytest.approx(0.0923102981, abs=1e-9)
    assert np.std(measured.draws[:, 0, 1] - measured.draws[:, 0, 0]) == pytest.approx(0.04204, rel=0.05)
    assert (difference.low, difference.high) == pytest.approx((0.0142, 0.1794), abs=0.01)
    assert measured.p("auc") == pytest.approx(0.0272, abs=0.015)


def test_the_interval_and_p_agree_and_swapping_turns_the_sign():
    lead, label, scores = funnel(seed=3)
    for shift in (0.0, 0.05, 0.1):
        moved = np.column_stack([scores[:, 0], scores[:, 1] + shift * label * scores[:, 1]])
        measured = bootstrap(label, moved, lead=lead, resamples=999)
        there, back = measured.difference("auc", 0, 1), measured.difference("auc", 1, 0)
        assert (back.low, back.high) == (-there.high, -there.low)
        assert measured.p("auc", 0, 1) == measured.p("auc", 1, 0)
        assert (measured.p("auc") < 0.05) == (not there.low <= 0 <= there.high)


def test_a_short_tail_is_not_counted_on():
    rng = np.random.default_rng(0)
    draws = rng.normal(5.0, 1.0, size=2_000)  # five standard errors: no resample beyond 0

    assert bootstrap_p(5.0, draws) == pytest.approx(5.7e-7, rel=0.5)
    assert bootstrap_p(-5.0, -draws) == bootstrap_p(5.0, draws)
    assert bootstrap_p(0.5, np.full(2_000, 0.5)) == pytest.approx(2 / 2_001)  # no spread: the count alone
    assert bootstrap_p(0.5, np.full(20, np.nan)) is None
    assert percentile_interval(draws)[0] == np.sort(draws)[49]


def test_resamples_of_one_class_are_counted_and_left_out():
    lead = np.array([0, 0, 1, 1, 2, 2, 3, 3, 4, 4])
    label = lead == 0
    interval = bootstrap(label, np.arange(10)[::-1] / 10, lead=lead, resamples=400).interval("auc")

    assert 80 < interval.undefined < 200  # (4/5)**5 is a third
    assert interval.value == interval.low == interval.high == 1.0
    one = bootstrap([0, 0], [0.1, 0.2], resamples=10).interval("auc")
    assert (one.value, one.reason) == (None, "undefined: 0 of 2 rows converted")


def test_intervals_follow_the_rule():
    lead, label, scores = funnel()
    one_row = metric_intervals(label[::3], scores[::3, 0], resamples=300)
    clustered = metric_intervals(label, scores[:, 0], lead=lead, resamples=300)
    capacity = metric_intervals(label, scores[:, 0], lead=lead, metrics=[top_k(20)], resamples=300)

    assert list(one_row) == list(STATISTICS)
    assert one_row["auc"].method == "DeLong variance on the logit scale"
    assert clustered["auc"].method == "bootstrap of leads, percentiles"
    assert (clustered["auc"].n, clustered["auc"].leads) == (600, 200)
    for name, interval in (clustered | one_row | capacity).items():
        assert interval.low < interval.value < interval.high, name
        assert json.loads(json.dumps(interval.to_json(), allow_nan=False)) == interval.to_json()


def test_leads_are_counted_and_not_rows_before_an_interval_is_given():
    lead, label = np.arange(60) // 6, np.arange(60) < 54  # 54 rows converted: nine leads
    intervals = metric_intervals(label, np.linspace(0, 1, 60), lead=lead)

    assert intervals["auc"].value == 0.0
    assert intervals["brier"].low is None
    assert {each.reason for each in intervals.values()} == {
        "too few leads: 9 converted, 1 did not; at least 10 of each are needed"
    }


def test_what_is_not_allowed_is_said():
    with pytest.raises(ModelError, match="2 lead ids for 3 rows"):
        bootstrap([0, 1, 1], [0.1, 0.2, 0.3], lead=["a", "b"])
    with pytest.raises(ModelError, match="1 of 2 lead ids are missing, first at row 1"):
        bootstrap([0, 1], [0.1, 0.2], lead=np.array(["a", None], dtype=object))
    with pytest.raises(ModelError, match="resamples is 0"):
        bootstrap([0, 1], [0.1, 0.2], resamples=0)
    with pytest.raises(ConfigError, match=r"no metric 'f1'. Known: auc, average_precision"):
        metric_intervals([0, 1], [0.1, 0.2], metrics=["f1"])
