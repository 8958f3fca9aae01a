"""Folds go forward in time, and nothing that training knows reaches into validation."""

from datetime import timedelta

import pandas as pd
import pytest
from conftest import utc
from hypothesis import given, settings
from hypothesis import strategies as st

from leadscore.config.schema import HoldoutValidation, RollingValidation
from leadscore.errors import WindowError
from leadscore.split import Fold, draw_folds, make_folds

START = pd.Timestamp("2024-01-01", tz="UTC")
DAY = timedelta(days=1)


def daily(n: int) -> pd.DataFrame:
    """One observation a day; every third converts."""
    as_of = pd.Series(pd.date_range(START, periods=n, freq="D", unit="us"))
    return pd.DataFrame({"as_of": as_of, "label": [day % 3 == 0 for day in range(n)]}).astype({"label": "int8"})


def test_the_outcome_of_the_last_training_row_is_known_when_validation_starts():
    fold = Fold(START, START + 60 * DAY, START + 90 * DAY, horizon=30 * DAY)
    rows = daily(90)
    assert fold.train(rows).sum() == 31  # days 0 .. 30: day 30 + 30 days is the border itself, which is allowed
    assert fold.purged(rows).sum() == 29
    assert fold.valid(rows).sum() == 30


def test_one_microsecond_past_the_border_is_purged():
    fold = Fold(START, START + 60 * DAY, START + 90 * DAY, horizon=30 * DAY)
    rows = pd.DataFrame({"as_of": utc("2024-01-31T00:00:00Z", "2024-01-31T00:00:00.000001Z")})
    assert fold.train(rows).tolist() == [True, False]
    assert fold.purged(rows).tolist() == [False, True]


def test_without_a_horizon_a_row_on_the_border_validates_and_does_not_train():
    fold = Fold(START, START + 60 * DAY, START + 90 * DAY, horizon=0 * DAY)
    rows = daily(90)
    assert (fold.train(rows).sum(), fold.valid(rows).sum()) == (60, 30)


def test_the_embargo_widens_the_purge():
    fold = Fold(START, START + 60 * DAY, START + 90 * DAY, horizon=30 * DAY, embargo=5 * DAY)
    assert fold.train(daily(90)).sum() == 26


US = timedelta(microseconds=1)
FIRST = START.to_pydatetime()  # plain instants and one row a time: ten thousand cases take seconds
lengths = st.timedeltas(timedelta(0), 40 * DAY)


def no_training_outcome_overlaps_validation(horizon, embargo, room, length, anywhere):
    last = FIRST + room
    border = last + horizon + embargo
    fold = Fold(FIRST, border, border + length, horizon, embargo)
    near = [place + ticks * US for place in (FIRST, last, border, border + length) for ticks in (-1, 0, 1)]
    for as_of in [*near, FIRST + anywhere, border - anywhere]:
        row = {"as_of": as_of}
        # Written once more by interval: [as_of, as_of + horizon) and the embargo after it lie before validation.
        known = as_of + horizon + embargo <= border
        assert fold.valid(row) == (border <= as_of < border + length)
        assert fold.train(row) == (FIRST <= as_of < border and known)
        assert fold.purged(row) == (as_of < border and not known)


any_fold = given(horizon=lengths, embargo=lengths, room=lengths, length=st.timedeltas(US, 40 * DAY), anywhere=lengths)


@settings(max_examples=1_000, deadline=None)
@any_fold
def test_no_training_outcome_overlaps_validation(horizon, embargo, room, length, anywhere):
    """14 instants each, on and beside every border: 14,000 cases."""
    no_training_outcome_overlaps_validation(horizon, embargo, room, length, anywhere)


@pytest.mark.slow
@settings(max_examples=10_000, deadline=None)
@any_fold
def test_no_training_outcome_overlaps_validation_in_many_more_cases(horizon, embargo, room, length, anywhere):
    no_training_outcome_overlaps_validation(horizon, embargo, room, length, anywhere)


def test_a_fold_out_of_order_names_every_wrong_pair():
    with pytest.raises(WindowError) as refused:
        Fold(START + 50 * DAY, START + 60 * DAY, START + 55 * DAY, horizon=30 * DAY)
    said = str(refused.value)
    assert "train_start 2024-02-20 00:00 is after last training as_of 2024-01-31 00:00" in said
    assert "valid_start 2024-03-01 00:00 is after valid_end 2024-02-25 00:00" in said
    assert "window.horizon" in said


def test_holdout_validates_the_last_share_length_or_from_a_date():
    frame = daily(100)
    for validation in (
        HoldoutValidation(share=0.2),
        HoldoutValidation(length="20d"),
        HoldoutValidation(start="2024-03-21T00:00:00Z"),
    ):
        (fold,) = make_folds(frame, 10 * DAY, validation)
        assert abs(int(fold.valid(frame).sum()) - 20) <= 1, validation
        assert fold.train(frame).sum() in (70, 71)


def test_rolling_folds_follow_each_other_and_expand():
    frame = daily(100)
    folds = make_folds(frame, 5 * DAY, RollingValidation(folds=3, length="20d"))
    assert [fold.valid(frame).sum() for fold in folds] == [20, 20, 20]
    assert [fold.train(frame).sum() for fold in folds] == [35, 55, 75]
    assert folds[0].valid_end == folds[1].valid_start


def test_rolling_folds_slide_with_a_training_length():
    frame = daily(100)
    folds = make_folds(frame, 5 * DAY, RollingValidation(folds=2, length="20d", train_length="30d"))
    assert [fold.train(frame).sum() for fold in folds] == [30, 30]


@pytest.mark.parametrize(
    ("validation", "trained"),
    [
        (HoldoutValidation(share=0.2, embargo="5d"), [71]),
        (RollingValidation(folds=2, length="20d", embargo="5d"), [50, 70]),
        (RollingValidation(folds=2, length="20d", train_length="30d", embargo="5d"), [30, 30]),
    ],
    ids=["holdout", "rolling", "sliding"],
)
def test_every_protocol_keeps_its_embargo(validation, trained):
    frame = daily(100)
    folds = make_folds(frame, 5 * DAY, validation)
    assert [fold.train(frame).sum() for fold in folds] == trained
    for fold in folds:
        assert frame["as_of"][fold.train(frame)].max() + 10 * DAY <= fold.valid_start


def test_too_long_a_horizon_leaves_nothing_to_train_on_and_says_which_keys_decide():
    with pytest.raises(WindowError, match=r"window\.horizon"):
        make_folds(daily(100), 90 * DAY, HoldoutValidation(share=0.2))


def test_training_on_one_class_is_refused():
    frame = daily(100).assign(label=0)
    with pytest.raises(WindowError, match="all unconverted: a model needs both classes"):
        make_folds(frame, 10 * DAY, HoldoutValidation(share=0.2))


def test_a_validation_start_after_the_data_is_refused():
    with pytest.raises(WindowError, match="valid_start"):
        make_folds(daily(100), 10 * DAY, HoldoutValidation(start="2025-01-01T00:00:00Z"))


def test_the_picture_has_a_line_a_fold():
    folds = make_folds(daily(100), 5 * DAY, RollingValidation(folds=2, length="20d"))
    header, first, second = draw_folds(folds, width=50).splitlines()
    assert header.startswith("2024-01-01")
    assert first.count("*") == 10
    assert second.index("*") > first.index("*")
