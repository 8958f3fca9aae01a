"""Each check on a fit that it should pass and on one that it should not."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from leadscore.evaluate import CHECKS, CheckContext, Gain, run_checks


def index(prefix, n):
    ids = [f"{prefix}{number}" for number in range(n)]
    return pd.MultiIndex.from_product([ids, [pd.Timestamp("2024-03-01", tz="UTC")]], names=["user_id", "as_of"])


def rows(prefix, n):
    """Return X, y and p of n observations, one in four converted; the score knows half of it."""
    rng = np.random.default_rng(n)
    y = pd.Series(np.arange(n) % 4 == 0, index=index(prefix, n)).astype("int64")
    X = pd.DataFrame({"sessions": y + rng.normal(size=n)}, index=y.index).assign(
        country=pd.Series(["DE", "FR", "IT"] * (n // 3), dtype="str").to_numpy()
    )
    X = X.astype({"country": "str"})
    return X, y, (0.1 + 0.3 * X["sessions"].rank(pct=True)).astype("float64")


@pytest.fixture
def fit():
    X_train, y_train, p_train = rows("train", 600)
    X_valid, y_valid, p_valid = rows("valid", 240)
    return CheckContext(
        X_train,
        y_train,
        p_train,
        X_valid,
        y_valid,
        p_valid,
        p_baseline=pd.Series(0.25, index=y_valid.index),
        observations=1000,
        used=840,
        immature=100,
        adversarial=(0.55, "sessions"),
    )


def found(code, context):
    (check,) = [check for check in run_checks(context) if check.code == code]
    return check


def test_a_sound_fit_passes_every_check(fit):
    checks = run_checks(fit)

    assert [check.code for check in checks] == sorted(CHECKS)
    answered = [check for check in checks if check.result != "not_applicable"]
    assert {check.code for check in checks} - {check.code for check in answered} == {"LS009", "LS010"}
    assert {check.result for check in answered} == {"ok"}
    assert {check.action for check in answered} == {""}
    assert all(check.sentence.endswith(".") for check in checks)


def test_what_was_found_is_plain_json(fit):
    record = [check.to_json() for check in run_checks(fit)]

    assert json.loads(json.dumps(record)) == record
    assert list(record[0]) == ["code", "title", "result", "sentence", "action"]


def test_codes_are_declared_once_in_order():
    assert all(code == rule.code for code, rule in CHECKS.items())


def test_ls001_a_model_that_the_baseline_equals_is_a_problem(fit):
    check = found("LS001", replace(fit, p_valid=fit.p_baseline))

    assert check.result == "problem"
    assert check.sentence == "Validation AUC is 0.500; the baseline's is 0.500."
    assert found("LS001", replace(fit, p_baseline=None)).result == "not_applicable"
    assert found("LS001", replace(fit, y_valid=fit.y_valid * 0)).result == "not_applicable"


def test_ls001_a_gain_that_chance_explains_is_noted(fit):
    check = found("LS001", replace(fit, gain=Gain(0.03, -0.055, 0.115, 0.49, 1, None, sure=False)))

    assert check.result == "note"
    assert check.sentence.endswith("the baseline's is 0.500, +0.030 [-0.055, +0.115], p = 0.49.")
    assert check.action.startswith("These rows cannot tell the model from the baseline")


def test_ls001_says_how_many_looks_at_the_rows_weigh_on_the_answer(fit):
    check = found("LS001", replace(fit, gain=Gain(0.09, 0.007, 0.173, 0.34, 10, None, sure=False)))

    assert check.result == "note"
    assert check.sentence.endswith("p = 0.34 after 10 looks at these rows.")
    assert found("LS001", replace(fit, gain=Gain(0.2, 0.1, 0.3, 0.001, 10, None, sure=True))).result == "ok"


def test_ls001_too_few_to_say_is_noted_with_the_reason(fit):
    few = Gain(0.2, None, None, None, 1, "too few leads: 8 converted", sure=False)

    check = found("LS001", replace(fit, gain=few))

    assert check.result == "note"
    assert check.sentence.endswith("(too few leads: 8 converted).")


def test_ls002_a_model_that_knows_its_training_rows_by_heart_is_noted(fit):
    check = found("LS002", replace(fit, p_train=0.2 + 0.5 * fit.y_train))

    assert check.result == "note"
    assert check.sentence.startswith("AUC is 1.000 on training and 0.7")
    assert found("LS002", replace(fit, y_train=fit.y_train * 0)).result == "not_applicable"


def test_ls003_a_number_known_in_hindsight_is_a_problem(fit):
    paid = 1.0 - fit.y_train
    check = found(
        "LS003",
        replace(fit, X_train=fit.X_train.assign(invoice=paid), X_valid=fit.X_valid.assign(invoice=0.0)),
    )

    assert check.result == "problem"
    assert check.sentence == "1 of 3 features rank conversions almost perfectly alone: invoice (AUC 1.000)."
    assert "hindsight" in check.action


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_ls003_being_missing_can_be_the_hindsight(fit, sign):
    def reason_lost(X, y):
        # converted leads are missing or beyond all others, on the side of `sign`
        known = np.where(y == 1, 1e6, np.arange(len(y))) * sign
        return X.assign(lost_after=np.where((y == 1) & (np.arange(len(y)) % 8 == 0), np.nan, known))

    context = replace(fit, X_train=reason_lost(fit.X_train, fit.y_train), X_valid=reason_lost(fit.X_valid, fit.y_valid))

    assert "lost_after (AUC 1.000)" in found("LS003", context).sentence


def test_ls003_a_category_known_in_hindsight_is_a_problem(fit):
    def plan(X, y):
        return X.assign(plan=y.map({0: "free", 1: "paid"}).astype("str"))

    context = replace(fit, X_train=plan(fit.X_train, fit.y_train), X_valid=plan(fit.X_valid, fit.y_valid))

    assert "plan (AUC 1.000)" in found("LS003", context).sentence


def test_ls003_a_category_of_ids_is_no_hindsight(fit):
    def ids(X):
        return X.assign(code=pd.Series(X.index.get_level_values("user_id"), index=X.index).astype("str"))

    check = found("LS003", replace(fit, X_train=ids(fit.X_train), X_valid=ids(fit.X_valid)))

    assert check.result == "ok"
    assert check.sentence.startswith("The strongest single feature is sessions with an AUC of 0.7")


def test_ls003_says_nothing_about_a_handful_of_conversions(fit):
    few = fit.y_valid.copy()
    few.iloc[9:] = 0

    check = found("LS003", replace(fit, y_valid=few))

    assert check.result == "not_applicable"
    assert "The rarer class has 3 rows" in check.sentence


@pytest.mark.parametrize(
    ("factor", "result"), [(1.0, "ok"), (1.3, "note"), (0.7, "note"), (1.6, "problem"), (0.4, "problem")]
)
def test_ls004_a_mean_probability_off_the_base_rate(fit, factor, result):
    flat = pd.Series(0.25 * factor, index=fit.y_valid.index)

    check = found("LS004", replace(fit, p_valid=flat))

    assert check.result == result
    assert f"{0.25 * factor:.3f}; 0.250 converted ({factor - 1:+.0%})" in check.sentence
    assert found("LS004", replace(fit, y_valid=fit.y_valid * 0)).result == "not_applicable"


@pytest.mark.parametrize(
    ("converted", "result"), [(50, "ok"), (49, "note"), (10, "note"), (9, "problem"), (0, "problem")]
)
def test_ls005_few_of_one_class(fit, converted, result):
    few = pd.Series((np.arange(240) < converted).astype("int64"), index=fit.y_valid.index)

    check = found("LS005", replace(fit, y_valid=few))
    mirrored = found("LS005", replace(fit, y_valid=1 - few))

    assert check.result == mirrored.result == result
    assert check.sentence == f"The rarer class has 150 of 600 rows in training and {converted} of 240 in validation."


def test_ls006_leads_on_both_sides_are_counted(fit):
    shared = fit.X_valid.copy()
    shared.index = pd.MultiIndex.from_arrays(
        [["train0", "train0", "train1", *[f"new{number}" for number in range(237)]], range(240)],
        names=["user_id", "as_of"],
    )
    y, p = (series.set_axis(shared.index) for series in (fit.y_valid, fit.p_valid))

    check = found("LS006", replace(fit, X_valid=shared, y_valid=y, p_valid=p, p_baseline=None))

    assert check.result == "note"
    assert check.sentence == "2 of 239 validation leads also have training rows."


def test_ls007_a_window_that_leaves_most_observations_unused(fit):
    check = found("LS007", replace(fit, used=499))

    assert check.result == "note"
    assert check.sentence == "499 of 1000 observations (50%) are trained or validated on."
    assert found("LS007", replace(fit, used=500)).result == "ok"
    assert found("LS007", replace(fit, used=None)).result == "not_applicable"


def test_ls008_a_value_that_only_converters_have_is_written_afterwards(fit):
    def with_contract(X, y):
        return X.assign(contract=np.where(y == 1, 5.0, np.nan))

    context = replace(
        fit, X_train=with_contract(fit.X_train, fit.y_train), X_valid=with_contract(fit.X_valid, fit.y_valid)
    )

    check = found("LS008", context)
    assert check.result == "problem"
    assert (
        "1 of 3 features have values for one class only: contract (210 of 210 converted, 0 of 630 others)"
        in check.sentence
    )


def test_ls008_a_range_in_which_nobody_converts_is_noted(fit):
    def with_call(X, y):
        return X.assign(call_seconds=np.where(y == 1, 100.0, 0.0) + np.arange(len(y)) % 200)

    y = pd.concat([fit.y_train] * 4)
    X_train, X_valid = with_call(pd.concat([fit.X_train] * 4), y), with_call(fit.X_valid, fit.y_valid)
    check = found("LS008", replace(fit, X_train=X_train, y_train=y, p_train=y * 0.5, X_valid=X_valid))
    assert check.result == "note"
    assert "1 of 3 features have a range where nobody converts: call_seconds below 100 (" in check.sentence
    assert "conversions expected)" in check.sentence


def spread_over(X, y, p, start):
    """Give each row an instant of its own, a day apart."""
    as_of = pd.date_range(start, periods=len(X), freq="D", tz="UTC")
    at = pd.MultiIndex.from_arrays([X.index.get_level_values("user_id"), as_of], names=["user_id", "as_of"])
    return X.set_axis(at), y.set_axis(at), p.set_axis(at)


def over_time(fit):
    X_train, y_train, p_train = spread_over(fit.X_train, fit.y_train, fit.p_train, "2022-01-01")
    X_valid, y_valid, p_valid = spread_over(fit.X_valid, fit.y_valid, fit.p_valid, "2023-10-01")
    return replace(
        fit,
        X_train=X_train,
        y_train=y_train,
        p_train=p_train,
        X_valid=X_valid,
        y_valid=y_valid,
        p_valid=p_valid,
        p_baseline=None,
    )


def test_ls009_rows_that_stand_on_both_sides_under_other_ids_are_counted(fit):
    wide = replace(
        fit,
        X_train=fit.X_train.assign(other=np.arange(600.0)),
        X_valid=fit.X_valid.assign(other=np.arange(1000.0, 1240.0)),
    )
    assert found("LS009", wide).sentence.startswith("0 of 240 validation rows (0.0%) repeat a training row")
    copied = pd.concat([wide.X_train.iloc[:60].set_axis(wide.X_valid.index[:60]), wide.X_valid.iloc[60:]])
    check = found("LS009", replace(wide, X_valid=copied))
    assert check.result == "problem"
    assert check.sentence.startswith("60 of 240 validation rows (25.0%)")


def test_ls010_conversions_that_stop_before_the_data_do(fit):
    late = over_time(fit)
    assert found("LS010", late).result == "ok"
    y = late.y_valid.copy()
    y.iloc[-110:] = 0
    check = found("LS010", replace(late, y_valid=y))
    assert check.result == "problem"
    assert check.sentence == "In the last eighth of the rows 0.000 converted, before it 0.249."
    assert "data.data_end" in check.action


@pytest.mark.parametrize(("immature", "result"), [(None, "not_applicable"), (300, "ok"), (500, "note")])
def test_ls011_many_outcomes_that_have_not_had_their_time(fit, immature, result):
    assert found("LS011", replace(fit, immature=immature)).result == result


@pytest.mark.parametrize(("auc", "result"), [(0.6, "ok"), (0.85, "note"), (0.99, "problem")])
def test_ls012_validation_rows_that_a_model_can_tell(fit, auc, result):
    check = found("LS012", replace(fit, adversarial=(auc, "lead_age_days")))
    assert check.result == result
    assert f"with an AUC of {auc:.3f}, most by lead_age_days" in check.sentence


def test_ls013_a_random_split_of_rows_with_times_is_a_problem(fit):
    assert found("LS013", replace(fit, shuffled=True)).result == "problem"


def test_a_muted_check_is_recorded_and_not_heard(fit):
    (check,) = [each for each in run_checks(replace(fit, shuffled=True), ["LS013"]) if each.code == "LS013"]
    assert (check.result, check.muted, check.speaks) == ("problem", True, False)
    assert check.to_json()["muted"] is True
