"""The comparison room: metrics with uncertainty, and a verdict between two runs.

Usable with plain arrays: `paired_auc_test(label, a, b)`, `metric_intervals(label, score, lead=...)`,
`verdict(Scores.of(label, a), Scores.of(label, b))`.
"""

from leadscore.compare.aligned import Scores
from leadscore.compare.answer import Verdict
from leadscore.compare.auc import auc_interval, paired_auc_test, power_of_auc, unpaired_auc_test
from leadscore.compare.calibration import BrierParts, CalibrationError, brier_parts, calibration_error
from leadscore.compare.intervals import mean_intervals, metric_intervals
from leadscore.compare.judgement import verdict
from leadscore.compare.multiple import benjamini_hochberg, expected_gain_by_luck, holm, smallest_detectable
from leadscore.compare.placements import DeLong, delong
from leadscore.compare.proportions import independent_difference, mcnemar, mcnemar_at, share_interval, wilson
from leadscore.compare.refits import corrected_t_test
from leadscore.compare.resampling import Bootstrap, Sample, bootstrap, resample
from leadscore.compare.results import AucTest, Interval, PairTest
from leadscore.compare.slices import Slice, measure_slices
from leadscore.compare.statistics import (
    CALIBRATION,
    STATISTICS,
    Statistic,
    gain,
    lift,
    precision_at_recall,
    top_k,
    weighted,
)

__all__ = [
    "CALIBRATION",
    "STATISTICS",
    "AucTest",
    "Bootstrap",
    "BrierParts",
    "CalibrationError",
    "DeLong",
    "Interval",
    "PairTest",
    "Sample",
    "Scores",
    "Slice",
    "Statistic",
    "Verdict",
    "auc_interval",
    "benjamini_hochberg",
    "bootstrap",
    "brier_parts",
    "calibration_error",
    "corrected_t_test",
    "delong",
    "expected_gain_by_luck",
    "gain",
    "holm",
    "independent_difference",
    "lift",
    "mcnemar",
    "mcnemar_at",
    "mean_intervals",
    "measure_slices",
    "metric_intervals",
    "paired_auc_test",
    "power_of_auc",
    "precision_at_recall",
    "resample",
    "share_interval",
    "smallest_detectable",
    "top_k",
    "unpaired_auc_test",
    "verdict",
    "weighted",
    "wilson",
]
