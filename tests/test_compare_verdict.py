"""The verdict between two runs: what it refuses, what it says, and the laws that it keeps."""

import json
import math

import numpy as np
import pandas as pd
import pytest

from leadscore.compare import STATISTICS, Scores, expected_gain_by_luck, paired_auc_test, top_k, verdict
from leadscore.errors import ConfigError, DataError, ModelError


def leads(n=600, seed=0, gain=0.0, seeds=1, refit=0.3, share=0.2):
    """Labels, and two models' probabilities (n, seeds): B separates by `gain` more."""
    rng = np.random.default_rng(seed)
    label = rng.random(n) < share
    latent = rng.normal(size=n) + label

    def model(extra):
        return 1 / (1 + np.exp(2 - latent[:, None] - extra * label[:, None] - refit * rng.normal(size=(n, seeds))))

    return label, model(0.0), model(gain)


def days(n, start="2024-03-01"):
    return pd.date_range(start, periods=n, freq="D", tz="UTC").astype("datetime64[us, UTC]")


def predictions(label, probability, **columns):
    n = len(label)
    ids = [f"u{number:04d}" for number in range(n)]
    frame = pd.DataFrame({"user_id": ids, "as_of": days(n), "label": np.asarray(label, int)})
    return frame.assign(probability=np.ravel(probability), **columns)


# --- answers ------------------------------------------------------------------------------------------


def test_a_better_run_is_better_by_the_numbers_of_the_paired_test():
    label, a, b = leads(gain=1.0)
    found = verdict(predictions(label, a), predictions(label, b))
    test = paired_auc_test(label, a[:, 0], b[:, 0])

    assert found.answer == "better"
    assert (found.difference, found.low, found.high, found.p) == (test.difference, test.low, test.high, test.p)
    assert (found.a, found.b, found.se) == (test.auc_a, test.auc_b, test.se)
    assert (found.n, found.positives, found.leads) == (600, int(label.sum()), 600)
    assert found.smallest_detectable == pytest.approx(2.8016 * test.se, rel=1e-4)
    assert found.method == "paired DeLong test"
    assert found.resamples is None
    assert found.text.startswith(f"B is better than A. ROC AUC {found.b:.4f} against {found.a:.4f}")
    assert f"Data like these show a difference of {found.smallest_detectable:.4f} four times in five." in found.text
    assert "Refit noise was not checked: one seed a run" in found.text
    assert found.refit.checked is False


def test_equal_runs_are_no_evidence():
    label, a, b = leads(gain=0.0)

    assert verdict(predictions(label, a), predictions(label, b)).answer == "no evidence"
    same = verdict(predictions(label, a), predictions(label, a))
    assert (same.answer, same.difference, same.p, same.smallest_detectable) == ("no evidence", 0.0, 1.0, None)
    assert "nothing to test" in same.text


@pytest.mark.parametrize("metric", [*STATISTICS, top_k(100)])
def test_swapping_the_runs_turns_the_answer(metric):
    label, a, b = leads(gain=1.5)
    there = verdict(predictions(label, a), predictions(label, b), metric=metric, resamples=400)
    back = verdict(predictions(label, b), predictions(label, a), metric=metric, resamples=400)

    assert (back.difference, back.low, back.high) == (-there.difference, -there.high, -there.low)
    assert (back.p, back.se) == (there.p, there.se)
    assert {there.answer, back.answer} in ({"better", "worse"}, {"no evidence"})


@pytest.mark.parametrize("metric", ["brier", "log_loss"])
def test_where_lower_is_better_a_smaller_loss_wins(metric):
    label, a, _ = leads()
    good = np.clip(a + 0.2 * label[:, None], 0, 1)
    found = verdict(predictions(label, a), predictions(label, good), metric=metric, resamples=400)

    assert found.difference < 0
    assert found.answer == "better"
    assert "Lower is better." in found.text


def test_neither_a_rising_map_nor_the_order_of_rows_changes_the_verdict():
    label, a, b = leads(gain=0.6)
    frame_a, frame_b = predictions(label, a), predictions(label, b)
    plain = verdict(frame_a, frame_b)
    mapped = verdict(frame_a, frame_b.assign(probability=frame_b["probability"] ** 3))
    shuffled = verdict(frame_a.sample(frac=1, random_state=1), frame_b.sample(frac=1, random_state=2))

    assert mapped == plain
    assert shuffled == plain


def test_a_row_twice_a_lead_goes_to_the_bootstrap_of_leads():
    label, a, b = leads(gain=1.0)
    ids = np.repeat([f"u{number}" for number in range(300)], 2)
    frames = [predictions(label, each).assign(user_id=ids) for each in (a, b)]
    found = verdict(*frames, resamples=500, seed=3)
    shuffled = verdict(frames[0].sample(frac=1, random_state=1), frames[1], resamples=500, seed=3)

    assert (found.leads, found.n) == (300, 600)
    assert found.method == "paired bootstrap of leads, 500 resamples"
    assert (found.resamples, found.seed) == (500, 3)
    assert shuffled == found


def test_a_leak_against_a_constant_is_seen_though_delong_has_no_variance():
    label, *_ = leads()
    found = verdict(predictions(label, np.full(600, 0.2)), predictions(label, label * 0.9))

    assert (found.answer, found.difference) == ("better", 0.5)
    assert found.method.startswith("paired bootstrap of leads")
    assert "its interval has no width" in found.text


# --- not comparable -----------------------------------------------------------------------------------


def test_other_rows_labels_and_horizons_are_told_apart_and_no_number_is_given():
    label, a, b = leads(n=100)
    frame_a, frame_b = predictions(label, a), predictions(label, b)
    changed = frame_b.iloc[2:].assign(label=frame_b["label"].where(frame_b.index != 5, 1 - frame_b["label"]))
    changed.loc[99, "as_of"] += pd.Timedelta("1h")

    found = verdict(Scores(frame_a, "30d", "8f1c"), Scores(changed, "60d", "f45a"))

    assert found.answer == "not comparable"
    assert found.difference is found.a is found.p is None
    assert found.differs == [
        "the horizon is 30d in 8f1c and 60d in f45a",
        "3 rows only in 8f1c: 'u0000 at 2024-03-01 00:00:00+00:00', "
        "'u0001 at 2024-03-02 00:00:00+00:00', 'u0099 at 2024-06-08 00:00:00+00:00'",
        "1 row only in f45a: 'u0099 at 2024-06-08 01:00:00+00:00'",
        "another label in 1 of 97 shared rows: 'u0005 at 2024-03-06 00:00:00+00:00'",
    ]
    assert found.text.startswith("8f1c and f45a are not comparable: the horizon is 30d in 8f1c")


def test_other_folds_are_not_comparable():
    label, a, b = leads(n=100)
    first = predictions(label, a, fold=np.arange(100) // 50)
    second = predictions(label, b, fold=np.arange(100) // 60)

    assert verdict(first, second).differs[0].startswith("another fold in 10 of 100 shared rows: 'u0050 at")


def test_ids_of_another_type_are_not_comparable():
    label, a, b = leads(n=100)
    found = verdict(predictions(label, a), predictions(label, b).assign(user_id=np.arange(100)))

    assert found.differs == ["user_id is str in A and int64 in B"]


def test_times_without_a_zone_are_not_those_with_one():
    label, a, b = leads(n=100)
    naive = predictions(label, b).assign(as_of=days(100).tz_localize(None))

    assert verdict(predictions(label, a), naive).differs == [
        "as_of is datetime64[us, UTC] in A and datetime64[us] in B"
    ]


def test_how_a_column_is_stored_does_not_matter():
    label, a, b = leads()
    plain = predictions(label, b)
    backwards = pd.CategoricalDtype(sorted(plain["user_id"], reverse=True), ordered=True)
    stored = plain.assign(
        user_id=plain["user_id"].astype(backwards),
        as_of=plain["as_of"].astype("datetime64[ns, UTC]"),
        label=plain["label"].astype("int8"),
    )

    assert verdict(predictions(label, a), stored) == verdict(predictions(label, a), plain)


def test_equal_horizons_may_be_spelled_differently_and_a_missing_one_is_noted():
    label, a, b = leads()
    frame_a, frame_b = predictions(label, a), predictions(label, b)

    assert verdict(Scores(frame_a, "7d"), Scores(frame_b, "1w")).notes == []
    noted = verdict(Scores(frame_a, "7d"), frame_b)
    assert noted.notes == ["the horizons were not compared: state both"]
    assert noted.text.endswith("Note: the horizons were not compared: state both.")


# --- too few ------------------------------------------------------------------------------------------


def test_nine_conversions_are_no_verdict():
    label = np.arange(300) < 9
    found = verdict(predictions(label, np.linspace(0, 1, 300)), predictions(label, np.linspace(1, 0, 300)))

    assert (found.answer, found.low, found.p) == ("too few positives", None, None)
    assert found.difference == pytest.approx(1.0)
    assert found.text.startswith(
        "No verdict on B against A: too few leads: 9 converted, 291 did not; at least 10 of each are needed."
    )


def test_one_class_alone_is_no_verdict_and_no_nan():
    label = np.zeros(50)
    for metric in STATISTICS:
        found = verdict(predictions(label, np.full(50, 0.1)), predictions(label, np.full(50, 0.2)), metric=metric)
        assert found.answer == "too few positives"
        json.dumps(found.to_json(), allow_nan=False)


def test_sixty_rows_of_nine_converted_leads_are_no_verdict():
    label, a, b = leads(n=600)
    ids = np.where(label, np.arange(600) % 9, np.arange(600))
    frames = [predictions(label, each).assign(user_id=ids) for each in (a, b)]

    assert verdict(*frames).reason == "too few leads: 9 converted, 485 did not; at least 10 of each are needed"


def test_the_weakest_fold_decides():
    label, a, b = leads(n=600)
    label[550:] = False
    label[555] = True
    fold = np.arange(600) // 550
    found = verdict(predictions(label, a, fold=fold), predictions(label, b, fold=fold))

    assert found.reason == "fold 1 has too few leads: 1 converted, 49 did not; at least 10 of each are needed"
    assert {each.low for each in found.folds} == {None}


# --- folds, seeds, families ---------------------------------------------------------------------------


def test_folds_are_averaged_and_each_is_shown():
    label, a, b = leads(n=900, gain=1.0)
    fold = np.arange(900) // 300
    found = verdict(predictions(label, a, fold=fold), predictions(label, b, fold=fold))
    alone = [paired_auc_test(label[fold == f], a[fold == f, 0], b[fold == f, 0]) for f in range(3)]

    assert found.difference == pytest.approx(np.mean([each.difference for each in alone]), abs=1e-15)
    assert found.se == pytest.approx(math.sqrt(sum(each.se**2 for each in alone)) / 3, rel=1e-12)
    assert [(each.number, each.low, each.high) for each in found.folds] == [
        (number, each.low, each.high) for number, each in enumerate(alone)
    ]
    assert [each.n for each in found.folds] == [300, 300, 300]
    assert f"Mean over 3 folds: {alone[0].difference:+.4f}, " in found.text


def test_a_lead_in_two_folds_is_drawn_for_both():
    label, a, b = leads(n=600, gain=0.5)
    fold, ids = np.arange(600) // 300, np.arange(600) % 300
    frames = [predictions(label, each, fold=fold).assign(user_id=ids) for each in (a, b)]
    # the same rows in both folds: no more is known than from one
    doubled = [
        pd.concat([each.head(300), each.head(300).assign(fold=1, as_of=days(300, "2025-03-01"))]) for each in frames
    ]
    one = verdict(*(each.head(300) for each in frames), metric="average_precision", resamples=500)
    two = verdict(*doubled, metric="average_precision", resamples=500)

    assert verdict(*frames, resamples=200).method.startswith("paired bootstrap of leads")
    assert two.se == pytest.approx(one.se, rel=1e-9)


def seeded(label, probability):
    return pd.concat([predictions(label, probability[:, s], seed=s) for s in range(probability.shape[1])])


def test_refits_that_differ_widen_the_interval_and_are_shown():
    label, a, _ = leads(gain=1.0, seeds=4, refit=0.5)
    strength = np.array([0.2, 1.0, 1.6, 2.4])
    uneven = a ** (1 / (1 + strength[None, :] * label[:, None]))
    found = verdict(seeded(label, a), seeded(label, uneven))

    assert found.refit.checked
    assert (found.refit.seeds_a, found.refit.seeds_b) == (4, 4)
    assert found.refit.sd_b > 3 * found.refit.sd_a
    assert 0 < found.refit.share < 1
    assert found.p > found.refit.p_without
    assert "and that of refits in a t with" in found.method
    aucs = [paired_auc_test(label, a[:, s], uneven[:, s]) for s in range(4)]
    assert found.difference == pytest.approx(np.mean([each.difference for each in aucs]), abs=1e-12)
    assert found.refit.sd_a == pytest.approx(np.std([each.auc_a for each in aucs], ddof=1), rel=1e-9)


def test_what_leads_alone_would_call_better_can_be_the_luck_of_a_refit():
    label, a, _ = leads(n=4_000, seeds=3, refit=0.1)
    luck = np.array([[-1.0, 0.1, 1.6]])
    found = verdict(seeded(label, a), seeded(label, 1 / (1 + np.exp(-(np.log(a / (1 - a)) + luck * label[:, None])))))

    assert found.refit.p_without < 0.01
    assert found.answer == "no evidence"
    assert found.refit.exceeds is False
    assert "so the difference may be a refit's luck" in found.text


def test_identical_refits_were_not_checked():
    label, a, b = leads(gain=1.0)
    found = verdict(seeded(label, np.repeat(a, 3, axis=1)), seeded(label, np.repeat(b, 3, axis=1)))

    assert found.refit.checked is False
    assert found.refit.text == "Refit noise was not checked: the refits of each run are identical."
    assert found.p == verdict(predictions(label, a), predictions(label, b)).p


def test_a_run_of_one_seed_is_taken_to_scatter_like_the_other():
    label, a, b = leads(gain=1.0, seeds=3)
    found = verdict(predictions(label, a[:, 0]), seeded(label, b))

    assert found.refit.checked
    assert (found.refit.sd_a, found.refit.seeds_a) == (None, 1)
    assert "(A has one seed and is taken to scatter alike)" in found.text


def test_clustered_rows_carry_refit_noise_too():
    label, a, b = leads(gain=1.0, seeds=3)
    ids = np.arange(600) // 2
    frames = [pd.concat([predictions(label, p[:, s], seed=s).assign(user_id=ids) for s in range(3)]) for p in (a, b)]
    found = verdict(*frames, resamples=300)

    assert found.refit.checked
    assert found.method.startswith("paired bootstrap of leads, 300 resamples; its variance and that of refits")


def test_a_family_makes_evidence_dearer():
    label, a, b = leads(gain=0.25)
    frames = predictions(label, a), predictions(label, b)
    alone = verdict(*frames)
    assert alone.answer == "better"
    assert alone.p_adjusted is None

    of_many = verdict(*frames, family=1_000)
    assert (of_many.answer, of_many.family) == ("no evidence", 1_000)
    assert of_many.p == alone.p
    assert of_many.p_adjusted == min(1.0, 1_000 * alone.p)
    assert "Of 1,000 comparisons on these rows: p = " in of_many.text
    assert "comparisons on these rows" not in verdict(*frames, family=1).text
    # with the others' p-values Holm is exact: two smaller ones come first
    among = verdict(*frames, family=[1e-9, 1e-8, 0.9])
    assert (among.family, among.p_adjusted) == (4, pytest.approx(2 * alone.p))


def test_the_winner_of_a_sweep_is_told_what_luck_gives():
    label, a, b = leads(gain=0.5)
    found = verdict(predictions(label, a), predictions(label, b), family=51, best_of=50)

    assert found.expected_by_luck == pytest.approx(expected_gain_by_luck(50, found.se))
    assert f"B is the best of 50: of equal models the best looks {found.expected_by_luck:.4f} better" in found.text


def test_everything_becomes_plain_json():
    label, a, b = leads(n=900, gain=1.0, seeds=2)
    fold = np.arange(900) // 450
    frames = [pd.concat([predictions(label, p[:, s], seed=s, fold=fold) for s in (0, 1)]) for p in (a, b)]
    for found in (verdict(*frames), verdict(frames[0], frames[1].iloc[:-3].query("seed == 0"))):
        record = found.to_json()
        assert json.loads(json.dumps(record, allow_nan=False)) == record


def test_arrays_are_enough_in_a_notebook():
    label, a, b = leads(gain=1.0)

    assert verdict(Scores.of(label, a), Scores.of(label, b)).answer == "better"
    with_ids = verdict(
        Scores.of(label, a, np.arange(600) // 3, np.arange(600) % 3, "30d", "old"),
        Scores.of(label, b, np.arange(600) // 3, np.arange(600) % 3, "30d", "new"),
        resamples=200,
    )
    assert (with_ids.leads, with_ids.name_b) == (200, "new")


# --- mistakes -----------------------------------------------------------------------------------------


def test_what_is_wrong_with_a_run_is_said_with_its_name():
    label, a, _ = leads(n=50)
    good = predictions(label, a)

    with pytest.raises(DataError, match="the predictions of B lack as_of, probability; they have user_id, label"):
        verdict(good, good[["user_id", "label"]])
    with pytest.raises(DataError, match="the predictions of B have no rows"):
        verdict(good, good.head(0))
    with pytest.raises(DataError, match=r"1 rows of old repeat a \(user_id, as_of\) of the same seed: 'u0000 at"):
        verdict(Scores(pd.concat([good, good.head(1)]), name="old"), good)
    with pytest.raises(DataError, match="1 of 50 rows of A have no user_id, as_of, fold or seed"):
        verdict(good.assign(as_of=good["as_of"].where(good.index != 3)), good)
    with pytest.raises(DataError, match="the seeds of B have different rows, folds or labels: seed 0 has 50 rows"):
        verdict(good, pd.concat([good.assign(seed=0), good.iloc[5:].assign(seed=1)]))
    with pytest.raises(ModelError, match="B: 50 of 50 scores are not a finite number: nan"):
        verdict(good, good.assign(probability=math.nan))
    with pytest.raises(DataError, match="the predictions of A are a list"):
        verdict([0, 1], good)


def test_unknown_metrics_and_empty_families_are_refused():
    label, a, b = leads()
    with pytest.raises(ConfigError, match=r"no metric 'acu'. Did you mean 'auc'\?"):
        verdict(predictions(label, a), predictions(label, b), metric="acu")
    with pytest.raises(ModelError, match="family is 0: this comparison is one of them"):
        verdict(predictions(label, a), predictions(label, b), family=0)
