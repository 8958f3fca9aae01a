"""The split room: who trains and who validates, training purged of outcomes that reach into validation."""

from leadscore.split.adversary import Sides, compare_sides
from leadscore.split.draw import caveats, draw_folds, legend
from leadscore.split.fold import Fold
from leadscore.split.inner import inner_fold
from leadscore.split.lateness import AUTO, embargo_of
from leadscore.split.origins import inner_periods
from leadscore.split.resample import resample_leads
from leadscore.split.seal import Seal, keep_off
from leadscore.split.splitters import make_folds
from leadscore.split.unit_fold import UnitFold

__all__ = [
    "AUTO",
    "Fold",
    "Seal",
    "Sides",
    "UnitFold",
    "caveats",
    "compare_sides",
    "draw_folds",
    "embargo_of",
    "inner_fold",
    "inner_periods",
    "keep_off",
    "legend",
    "make_folds",
    "resample_leads",
]
