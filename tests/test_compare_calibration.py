"""The Brier score in parts, and the calibration error without its bias."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadscore.compare import brier_parts, calibration_error, weighted
from leadscore.errors import ModelError

ROWS = st.lists(st.tuples(st.integers(0, 1), st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.9, 1.0])), min_size=1, max_size=40)


@settings(max_examples=60, deadline=None)
@given(ROWS, st.sampled_from([None, 1, 3, 10]))
def test_the_parts_add_up_to_the_brier_score(rows, bins):
    label, p = zip(*rows, strict=True)
    parts = brier_parts(label, p, bins=bins)

    total = parts.reliability - parts.resolution + parts.uncertainty + parts.within
    assert total == pytest.approx(parts.brier, abs=1e-12)
    assert parts.brier == pytest.approx(weighted("brier", label, p), abs=1e-12)
    if bins is None:
        assert parts.within == 0.0
        assert parts.bins == len(set(p))


@settings(max_examples=60, deadline=None)
@given(ROWS, st.randoms())
def test_the_order_of_rows_does_not_matter(rows, random):
    label, p = zip(*rows, strict=True)
    other_label, other_p = zip(*random.sample(rows, len(rows)), strict=True)

    here, there = calibration_error(label, p, bins=4), calibration_error(other_label, other_p, bins=4)
    assert (here.value, here.debiased) == pytest.approx((there.value, there.debiased), abs=1e-12)
    assert here.bins == there.bins <= 4


def test_a_constant_forecast_has_no_resolution():
    parts = brier_parts([0, 1, 1, 0], [0.3] * 4)

    assert (parts.resolution, parts.uncertainty, parts.bins) == (0.0, 0.25, 1)
    assert parts.reliability == pytest.approx(0.04)


def test_bins_have_equal_mass_and_equal_probabilities_stay_together():
    label = [0, 1] * 50
    even = calibration_error(label, np.linspace(0, 1, 100), bins=10)
    tied = calibration_error(label, [0.2] * 70 + [0.8] * 30, bins=10)

    assert (even.bins, even.smallest) == (10, 10)
    assert (tied.bins, tied.asked, tied.smallest) == (2, 10, 30)
    assert tied.value == pytest.approx(0.3)


def test_the_bias_of_a_calibrated_model_is_taken_out():
    rng = np.random.default_rng(0)
    found = []
    for _ in range(200):
        p = rng.beta(2, 8, size=500)
        found.append(calibration_error(rng.random(500) < p, p, bins=10))

    value = np.mean([each.value for each in found])
    assert value == pytest.approx(np.mean([each.if_calibrated for each in found]), rel=0.05)
    assert np.mean([each.debiased for each in found]) < 0.6 * value


def test_a_large_gap_is_seen_for_what_it_is():
    rng = np.random.default_rng(1)
    p = rng.beta(2, 8, size=50_000)
    error = calibration_error(rng.random(50_000) < p + 0.1, p, bins=10)

    assert error.debiased == pytest.approx(0.1, abs=0.005)


def test_what_is_not_allowed_is_said_and_the_rest_is_json():
    with pytest.raises(ModelError, match="bins is 0: at least 1"):
        calibration_error([0, 1], [0.1, 0.2], bins=0)
    with pytest.raises(ModelError, match=r"1 of 2 scores are not a probability in \[0, 1\]: 1.2"):
        brier_parts([0, 1], [0.1, 1.2])
    for found in (calibration_error([0, 1], [0.1, 0.2]), brier_parts([0, 1], [0.1, 0.2])):
        assert json.loads(json.dumps(found.to_json(), allow_nan=False)) == found.to_json()
