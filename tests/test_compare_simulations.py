"""Does the verdict keep its promises? Worlds whose truth is known, many times over.

Each simulation runs small in the quick suite and in full with `-m slow`, where its figure is printed. Bands are
four binomial standard deviations at the full size.
"""

import math

import numpy as np
import pandas as pd
import pytest
from scipy.special import ndtr

from leadscore.compare import Scores, auc_interval, metric_intervals, smallest_detectable, verdict

ROWS, POSITIVES = 1_000, 100


def band(trials, rate=0.05):
    """Four binomial standard deviations above the rate: 9.4% at 400 trials."""
    return rate + 4 * math.sqrt(rate * (1 - rate) / trials)


def said(*pairs, **options):
    return verdict(*(Scores.of(*each, horizon="30d") for each in pairs), **options)


def classes(n=ROWS, positives=POSITIVES):
    return np.arange(n) < positives


def figure(capsys, trials, what, value, wanted):
    """Print what a full simulation found; a small one has none worth printing."""
    if trials >= 400:
        with capsys.disabled():
            print(f"\n  {what}: {value:.3f} (wanted {wanted})", end="")  # noqa: T201


def small_and_full(small, full):
    return pytest.mark.parametrize("trials", [small, pytest.param(full, marks=[pytest.mark.slow, LONG])])


LONG = pytest.mark.timeout(1_800)


# --- no true difference -------------------------------------------------------------------------------


def false_alarms_one_row(trials, seed=11):
    """Two models of equal AUC, each lead once."""
    rng, label, wrong = np.random.default_rng(seed), classes(), 0
    for _ in range(trials):
        latent = rng.normal(size=ROWS) + label
        a, b = (latent + 0.6 * rng.normal(size=ROWS) for _ in "ab")
        wrong += said((label, a), (label, b)).answer != "no evidence"
    return wrong / trials


@small_and_full(150, 2_000)
def test_equal_models_are_called_different_in_5_percent_with_one_row_a_lead(trials, capsys):
    rate = false_alarms_one_row(trials)

    figure(capsys, trials, "false alarms, one row a lead", rate, "0.03 to 0.07")
    assert rate <= (0.07 if trials >= 2_000 else band(trials))
    assert rate >= (0.03 if trials >= 2_000 else 0.0)


def false_alarms_snapshots(trials, resamples, by_lead=True, seed=12, leads=200, each=6):
    """Two models of equal AUC, six snapshots a lead; each model errs on a lead much alike every week."""
    rng, wrong = np.random.default_rng(seed), 0
    ids, weeks = np.repeat(np.arange(leads), each), np.tile(np.arange(each), leads)
    for _ in range(trials):
        label = np.repeat(rng.random(leads) < 0.15, each)
        latent = np.repeat(rng.normal(size=leads), each) + label
        a, b = (
            latent + np.repeat(0.6 * rng.normal(size=leads), each) + 0.2 * rng.normal(size=leads * each) for _ in "ab"
        )
        where = (ids, weeks) if by_lead else ()
        wrong += said((label, a, *where), (label, b, *where), resamples=resamples).answer != "no evidence"
    return wrong / trials


@pytest.mark.parametrize(("trials", "resamples"), [(40, 200), pytest.param(400, 2_000, marks=[pytest.mark.slow, LONG])])
def test_equal_models_are_called_different_in_5_percent_with_six_snapshots_a_lead(trials, resamples, capsys):
    rate = false_alarms_snapshots(trials, resamples)
    naive = false_alarms_snapshots(trials, resamples, by_lead=False)

    figure(capsys, trials, "false alarms, six snapshots a lead", rate, f"at most {band(trials):.3f}")
    figure(
        capsys, trials, "the same if rows were taken for leads", naive, "far more: what the bootstrap of leads is for"
    )
    assert rate <= band(trials)
    assert naive > 0.2


def refits_of_one_config(rng, label, seeds):
    """Refits differ in how well they separate (in truth) and in how they err on each lead."""
    latent = rng.normal(size=len(label))

    def run():
        return np.column_stack(
            [latent + (1 + 0.1 * rng.normal()) * label + 0.3 * rng.normal(size=len(label)) for _ in range(seeds)]
        )

    return run(), run()


def false_alarms_refits(trials, seeds, seed=13):
    rng, label, wrong = np.random.default_rng(seed), classes(), 0
    for _ in range(trials):
        a, b = refits_of_one_config(rng, label, seeds)
        wrong += said((label, a), (label, b)).answer != "no evidence"
    return wrong / trials


@pytest.mark.parametrize("seeds", [2, 3, 5])
@small_and_full(60, 800)
def test_identical_configs_with_other_seeds_are_called_different_in_at_most_5_percent(trials, seeds, capsys):
    rate = false_alarms_refits(trials, seeds)

    figure(capsys, trials, f"false alarms, identical configs with {seeds} seeds", rate, f"at most {band(trials):.3f}")
    assert rate <= band(trials)


def test_with_one_seed_identical_configs_do_look_different_and_the_verdict_says_what_it_did_not_check():
    assert false_alarms_refits(60, seeds=1) > 0.2

    label = classes()
    a, b = refits_of_one_config(np.random.default_rng(1), label, 1)
    assert "Refit noise was not checked" in said((label, a), (label, b)).text


def winners_that_beat_the_baseline(trials, models=50, family=50, seed=14):
    """The best of equal models against an equal baseline."""
    rng, label, wrong = np.random.default_rng(seed), classes(), 0
    for _ in range(trials):
        latent = rng.normal(size=ROWS) + label
        baseline, *sweep = (latent + 0.6 * rng.normal(size=ROWS) for _ in range(models + 1))
        best = max(sweep, key=lambda score: auc_interval(label, score).value)
        wrong += said((label, baseline), (label, best), family=family).answer == "better"
    return wrong / trials


@small_and_full(40, 400)
def test_the_winner_of_50_equal_models_beats_the_baseline_in_at_most_5_percent(trials, capsys):
    rate = winners_that_beat_the_baseline(trials)
    careless = winners_that_beat_the_baseline(trials, family=1)

    figure(capsys, trials, "winner of 50 equal models beats the baseline, Holm", rate, f"at most {band(trials):.3f}")
    figure(capsys, trials, "the same without Holm", careless, "far more: what the family is for")
    assert rate <= band(trials)
    assert careless > 0.15


# --- a true difference --------------------------------------------------------------------------------


def coverage(trials, seed=15, n=2_000, positives=200):
    """How often the interval of one AUC holds the true one, a binormal world."""
    rng, label, held = np.random.default_rng(seed), classes(n, positives), 0
    truth = float(ndtr(1 / math.sqrt(2)))
    for _ in range(trials):
        interval = auc_interval(label, rng.normal(size=n) + label)
        held += interval.low <= truth <= interval.high
    return held / trials


@small_and_full(300, 4_000)
def test_the_interval_of_an_auc_holds_the_truth_in_95_percent_at_200_positives(trials, capsys):
    rate = coverage(trials)

    figure(capsys, trials, "coverage, 200 positives", rate, "0.93 to 0.97")
    margin = 0.02 if trials >= 2_000 else 4 * math.sqrt(0.95 * 0.05 / trials)
    assert 0.95 - margin <= rate <= 0.95 + margin


def clustered_coverage(trials, resamples, seed=16, leads=1_000, each=3):
    """The same for leads with three rows, by the bootstrap of leads."""
    rng, held = np.random.default_rng(seed), 0
    ids, label = np.repeat(np.arange(leads), each), np.repeat(classes(leads, 200), each)
    truth = float(ndtr(1 / math.sqrt(2 * (1 + 0.25))))
    for _ in range(trials):
        score = np.repeat(rng.normal(size=leads), each) + label + 0.5 * rng.normal(size=leads * each)
        interval = metric_intervals(label, score, lead=ids, metrics=["auc"], resamples=resamples)["auc"]
        held += interval.low <= truth <= interval.high
    return held / trials


@pytest.mark.parametrize(("trials", "resamples"), [(30, 200), pytest.param(600, 1_000, marks=[pytest.mark.slow, LONG])])
def test_the_interval_holds_the_truth_for_leads_with_several_rows(trials, resamples, capsys):
    rate = clustered_coverage(trials, resamples)

    margin = 4 * math.sqrt(0.95 * 0.05 / trials)
    figure(capsys, trials, "coverage, 200 converted leads with three rows each", rate, f"at least {0.95 - margin:.3f}")
    assert 0.95 - margin <= rate <= 1.0


def pair_of_models(rng, label, gain):
    latent = rng.normal(size=len(label)) + label
    return latent + 0.6 * rng.normal(size=len(label)), latent + gain * label + 0.6 * rng.normal(size=len(label))


def gain_that_is_just_detectable(seed=17, n=2_000, positives=200):
    """Find the separation whose true difference in AUC is the smallest difference that verdicts state for it."""
    rng, label, spread = np.random.default_rng(seed), classes(n, positives), math.sqrt(2 * (1 + 0.36))
    gain = 0.1
    for _ in range(4):
        stated = np.mean(
            [said(*((label, each) for each in pair_of_models(rng, label, gain))).smallest_detectable for _ in range(8)]
        )
        grid = np.linspace(0, 1, 2_001)
        truth = ndtr((1 + grid) / spread) - ndtr(1 / spread)
        gain = float(grid[np.argmin(abs(truth - stated))])
    return gain, label


@small_and_full(120, 1_000)
def test_the_stated_smallest_difference_is_found_in_80_percent(trials, capsys):
    gain, label = gain_that_is_just_detectable()
    rng, found = np.random.default_rng(18), 0
    for _ in range(trials):
        found += said(*((label, each) for each in pair_of_models(rng, label, gain))).answer == "better"
    rate = found / trials

    figure(capsys, trials, "power at the stated smallest difference", rate, "0.75 to 0.85")
    margin = 0.05 if trials >= 1_000 else 4 * math.sqrt(0.8 * 0.2 / trials)
    assert 0.8 - margin <= rate <= 0.8 + margin


@pytest.mark.parametrize(
    ("n", "correlation", "se"),
    [(1_000, 0.7, 0.021), (1_000, 0.9, 0.012), (5_000, 0.7, 0.0093), (5_000, 0.9, 0.0054), (20_000, 0.7, 0.0046)],
)
def test_the_stated_difference_has_the_size_of_known_standard_errors(n, correlation, se):
    # paired standard errors of an AUC difference at 10% positives, known from simulation
    rng = np.random.default_rng(19)
    label, noise = classes(n, n // 10), math.sqrt(1 / correlation - 1)
    latent = rng.normal(size=n) + 1.2 * label
    a, b = (latent + noise * rng.normal(size=n) for _ in "ab")

    assert said((label, a), (label, b)).smallest_detectable == pytest.approx(smallest_detectable(se), rel=0.15)


def test_a_figure_is_of_the_verdict_a_user_gets():
    # the simulations hand over arrays; a frame as a run leaves it gives the same answer
    rng, label = np.random.default_rng(20), classes()
    a, b = pair_of_models(rng, label, 0.5)
    frame = pd.DataFrame({"user_id": [f"u{i:04d}" for i in range(ROWS)], "as_of": 0, "label": label.astype(int)})
    by_frame = verdict(frame.assign(probability=a), frame.assign(probability=b))

    assert (by_frame.answer, by_frame.p) == ("better", said((label, a), (label, b)).p)
