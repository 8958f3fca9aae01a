"""A later batch laid beside training: the same is no drift, another is, and chance is not called drift."""

import json

import numpy as np
import pandas as pd
import pytest

from leadscore.profiles import ColumnProfile


def texts(*values):
    return pd.Series(values, dtype="str")


def test_training_itself_has_no_drift():
    numbers = pd.Series(np.random.default_rng(0).exponential(size=500))
    words = texts(*["DE"] * 30, *["FR"] * 20, None)

    assert ColumnProfile.of(numbers).psi(numbers) == 0
    assert ColumnProfile.of(words).psi(words) == 0


def test_the_index_is_the_sum_over_bins_by_hand():
    profile = ColumnProfile.of(texts("a", "a", "a", "b"))
    # 0.75, 0.25 became 0.5, 0.5
    due = (0.5 - 0.75) * np.log(0.5 / 0.75) + (0.5 - 0.25) * np.log(0.5 / 0.25)

    assert profile.psi(["a", "b"]) == pytest.approx(due)


def test_bins_and_missing_values_add_up_to_all_rows():
    profile = ColumnProfile.of(pd.Series([0.0, 0.0, 0.0, 1.0, 2.0, 7.0, np.nan, np.nan]))

    assert sum(profile.expected) == pytest.approx(1)
    assert profile.missing == 0.25
    assert profile.typical == 0.5
    assert profile.edges[1:] == (0.0, 1.0, 2.0, 7.0)
    assert profile.shares == (0.0, 0.375, 0.125, 0.125, 0.125, 0.0)


@pytest.mark.parametrize("value", [-5.0, 99.0, np.nan])
def test_values_below_above_and_missing_are_drift_even_of_a_constant(value):
    profile = ColumnProfile.of(pd.Series([3.0] * 100))

    assert profile.psi([3.0] * 50) == 0
    assert profile.psi([value] * 50) > 0.25


def test_a_shifted_number_drifts_and_a_fresh_sample_does_not():
    rng = np.random.default_rng(0)
    profile = ColumnProfile.of(pd.Series(rng.normal(size=5_000)))

    assert profile.psi(rng.normal(size=5_000)) < 0.02
    assert profile.psi(rng.normal(loc=1, size=5_000)) > 0.25


def test_a_small_batch_reaches_the_usual_limits_by_chance():
    rng = np.random.default_rng(0)
    profile = ColumnProfile.of(pd.Series(rng.normal(size=5_000)))
    by_chance = profile.psi_by_chance(100)

    drawn = [profile.psi(rng.normal(size=100)) for _ in range(400)]

    assert 0.1 < by_chance < 0.25
    # bins that come out empty weigh more than the approximation has it
    assert 0.01 < np.mean([psi > by_chance for psi in drawn]) < 0.12


def test_what_training_did_not_have_is_unseen_and_rare_levels_are_not():
    levels = [f"level {n}" for n in range(60)]
    profile = ColumnProfile.of(texts(*levels, *levels[:50]))

    assert len(profile.levels) == 50
    assert len(profile.rare) == 10
    assert profile.other == pytest.approx(10 / 110)
    assert profile.unseen_share(texts("level 3", "level 59", "new", None)) == 0.25
    assert profile.psi(texts(*["new"] * 10)) > 0.25
    assert ColumnProfile.of(pd.Series([1.0])).unseen_share([9.0]) == 0


def test_a_column_without_a_value_and_a_batch_without_a_row():
    empty = ColumnProfile.of(pd.Series([np.nan, np.nan]))

    assert empty.typical is None
    assert empty.psi([np.nan]) == 0
    assert empty.psi([1.0, 2.0]) > 0.25
    assert empty.psi([]) == 0
    assert ColumnProfile.of(texts(None, None)).psi(texts("DE")) > 0.25
    assert empty.missing_share([]) == 0
    assert empty.missing_share([1.0, None]) == 0.5


@pytest.mark.parametrize("column", [pd.Series([0.1, 0.1, 2.5, np.nan]), texts("DE", "DE", None, "{x}")])
def test_json_gives_a_profile_back_to_the_bit(column):
    profile = ColumnProfile.of(column)

    assert ColumnProfile.from_json(json.loads(json.dumps(profile.to_json(), allow_nan=False))) == profile
