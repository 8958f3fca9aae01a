"""The split room: forward in time, training purged of outcomes that reach into validation."""

from leadscore.split.fold import Fold, draw_folds
from leadscore.split.splitters import make_folds

__all__ = ["Fold", "draw_folds", "make_folds"]
