"""Folds drawn by lot: leads, accounts or rows on one side only, seeded, and said to be no look ahead."""

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadscore.config.schema import GroupedValidation, HoldoutValidation, RandomValidation
from leadscore.errors import ConfigError, WindowError
from leadscore.pipeline import build_dataset, compose, walk_to_folds
from leadscore.split import UnitFold, caveats, draw_folds, legend, make_folds

DAY = timedelta(days=1)
HORIZON = 30 * DAY
START = pd.Timestamp("2024-01-01", tz="UTC")


def snapshots(n_leads: int, n_rows: int = 3) -> pd.DataFrame:
    """Leads seen on several days; every third lead converts."""
    rows = [
        (f"u{lead:03d}", START + (lead + 7 * row) * DAY, lead % 3 == 0)
        for row in range(n_rows)
        for lead in range(n_leads)
    ]
    frame = pd.DataFrame(rows, columns=["user_id", "as_of", "label"])
    return frame.astype({"user_id": "str", "as_of": "datetime64[us, UTC]", "label": "int8"})


def sides(frame: pd.DataFrame, fold: UnitFold) -> tuple[pd.DataFrame, pd.DataFrame]:
    assert not fold.purged(frame).any()
    assert (fold.train(frame) ^ fold.valid(frame)).all()
    return frame[fold.train(frame)], frame[fold.valid(frame)]


# --- leads and accounts -----------------------------------------------------------------------------------


def test_a_lead_stands_on_one_side_with_all_its_rows():
    frame = snapshots(40)
    (fold,) = make_folds(frame, HORIZON, GroupedValidation(share=0.25))
    train, valid = sides(frame, fold)
    assert not set(train["user_id"]) & set(valid["user_id"])
    assert valid["user_id"].nunique() == 10
    assert len(valid) == 30


def test_an_account_stands_on_one_side_with_all_its_leads():
    frame = snapshots(40)
    account = frame["user_id"].str[-1].rename("account")  # ten accounts of four leads
    (fold,) = make_folds(frame, HORIZON, GroupedValidation(share=0.3, group="account"), groups=account)
    train, valid = sides(frame, fold)
    assert not set(account[train.index]) & set(account[valid.index])
    assert (fold.n_drawn, fold.n_units) == (3, 10)
    assert len(valid) == 3 * 4 * 3


def test_accounts_that_share_a_lead_are_one():
    frame = snapshots(30, n_rows=2)
    account = pd.Series([f"a{row % 10}" for row in range(60)])  # the second row of each lead is of the same account
    account[30] = "a1"  # but u000 is of a0 first and of a1 later: a0 and a1 go together
    for seed in range(20):
        (fold,) = make_folds(frame, HORIZON, GroupedValidation(share=0.3, group="x", seed=seed), groups=account)
        train, valid = sides(frame, fold)
        assert not set(train["user_id"]) & set(valid["user_id"])
        assert not set(account[train.index]) & set(account[valid.index])
        assert fold.n_units == 9


def test_a_lead_without_an_account_is_its_own():
    frame = snapshots(30, n_rows=1)
    (fold,) = make_folds(frame, HORIZON, GroupedValidation(group="x"), groups=pd.Series([None] * 30, dtype="str"))
    assert fold.n_units == 30


@settings(max_examples=50, deadline=None)
@given(order=st.permutations(range(60)), seed=st.integers(0, 2**62))
def test_who_is_drawn_does_not_hang_on_the_order_of_rows(order, seed):
    frame = snapshots(20)
    shuffled = frame.iloc[list(order)]
    for validation in (GroupedValidation(seed=seed), RandomValidation(seed=seed)):
        (one,), (other,) = (make_folds(rows, HORIZON, validation) for rows in (frame, shuffled))
        assert one.valid(frame).tolist() == other.valid(frame).tolist()


def test_more_leads_leave_most_of_the_lot_as_it_was():
    few, many = snapshots(200, n_rows=1), snapshots(220, n_rows=1)
    (before,), (after,) = (make_folds(frame, HORIZON, GroupedValidation()) for frame in (few, many))
    stayed = (before.valid(few) == after.valid(few)).mean()
    assert stayed > 0.95


def test_the_lot_has_a_seed_of_its_own():
    frame = snapshots(100, n_rows=1)
    drawn = [make_folds(frame, HORIZON, GroupedValidation(seed=seed))[0].valid(frame).tolist() for seed in (0, 0, 1)]
    assert drawn[0] == drawn[1] != drawn[2]
    asked = ["validation=grouped", "data.n_leads=300"]
    first, other = (walk_to_folds(compose([*asked, f"seed={seed}"])) for seed in (0, 5))
    assert first.folds[0].valid(first.observations.frame).equals(other.folds[0].valid(other.observations.frame))


def test_the_configured_account_reaches_the_lot():
    windows = walk_to_folds(compose(["validation=grouped", "validation.group=country", "data.n_leads=600"]))
    (fold,), frame = windows.folds, windows.observations.frame
    country = windows.tables.leads["country"].to_numpy()[frame["lead_row"]]
    train, valid = fold.train(frame).to_numpy(), fold.valid(frame).to_numpy()
    assert not set(country[train]) & set(country[valid])
    assert (train | valid).all()


def test_one_group_leaves_nothing_to_train_on_and_says_so():
    frame = snapshots(20)
    with pytest.raises(WindowError, match=r"has 0 training, 0 purged and 60 validation rows; .*share, group"):
        make_folds(frame, HORIZON, GroupedValidation(group="x"), groups=pd.Series(["one"] * 60))


def test_an_unknown_account_is_refused_with_the_nearest():
    with pytest.raises(ConfigError, match=r"validation.group contry is no column.*Did you mean 'country'\?"):
        compose(["validation=grouped", "validation.group=contry"])


def test_an_embargo_without_a_purge_is_refused():
    for embargo in ("1d", "auto"):
        with pytest.raises(ConfigError, match="validation=random draws by lot and purges nothing"):
            compose(["validation=random", f"validation.embargo={embargo}"])


# --- rows -------------------------------------------------------------------------------------------------


def test_random_draws_a_share_of_the_rows():
    frame = snapshots(100)
    (fold,) = make_folds(frame, HORIZON, RandomValidation(share=0.2))
    train, valid = sides(frame, fold)
    assert len(valid) == 60
    assert set(train["user_id"]) & set(valid["user_id"])


def test_copies_of_an_observation_stay_together():
    once = snapshots(50, n_rows=1)
    frame = pd.concat([once, once, once], ignore_index=True)
    (fold,) = make_folds(frame, HORIZON, RandomValidation(share=0.3))
    _, valid = sides(frame, fold)
    assert len(valid) == 45
    assert valid["user_id"].nunique() == 15
    assert (fold.n_drawn, fold.n_units) == (15, 50)  # a share of the observations, however often each stands there


# --- what is said -----------------------------------------------------------------------------------------


def test_random_is_said_to_be_optimistic_where_rows_have_times():
    frame = snapshots(40)
    folds = make_folds(frame, HORIZON, RandomValidation())
    (said,) = caveats(folds, frame)
    assert said.startswith("validation=random is optimistic, because the rows have times: training has scores from")
    assert "validation leads are trained on too; validation=holdout shows" in said


def test_nothing_is_said_of_rows_without_times_and_of_folds_in_time():
    frame = snapshots(40, n_rows=1)
    assert caveats(make_folds(frame, 5 * DAY, HoldoutValidation()), frame) == []
    timeless = frame.assign(as_of=START)
    assert caveats(make_folds(timeless, HORIZON, RandomValidation()), timeless) == []


def test_grouped_says_that_nothing_is_purged_between_leads():
    frame = snapshots(40)
    (said,) = caveats(make_folds(frame, HORIZON, GroupedValidation()), frame)
    assert "keeps each lead on one side and is no look ahead" in said
    assert "nothing is purged between different leads" in said


def test_a_lot_is_drawn_as_shares_and_explained():
    folds = make_folds(snapshots(40), HORIZON, GroupedValidation(share=0.25, seed=3))
    sentence, bar = draw_folds(folds, width=40).splitlines()
    assert sentence == "10 of 40 drawn by user_id, validation.seed 3"
    assert (bar.count("="), bar.count("*")) == (30, 10)
    assert "nothing is purged" in legend(folds)
    assert folds[0].to_json() == {"by": "user_id", "drawn": 10, "of": 40, "seed": 3}


def test_the_run_carries_the_warning():
    from leadscore.pipeline import train_model
    from leadscore.record.write import metrics_of

    config = compose(["validation=random", "data.n_leads=500"])
    trained = train_model(build_dataset(config), config)
    assert trained.warnings[0].startswith("validation=random is optimistic")
    assert metrics_of(trained)["warnings"][0] == trained.warnings[0]
    assert "LS013" in [check.code for check in trained.checks if check.result == "problem"]


def test_rows_without_times_can_be_split():
    """Every row at one instant: time says nothing, and random is the protocol that is left."""
    n = 60
    frame = pd.DataFrame({"user_id": [f"u{row}" for row in range(n)], "as_of": START, "label": np.arange(n) % 2})
    (fold,) = make_folds(frame, timedelta(0), RandomValidation(share=0.5))
    assert (fold.train(frame).sum(), fold.valid(frame).sum()) == (30, 30)
