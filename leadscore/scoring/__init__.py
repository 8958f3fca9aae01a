"""The walk of a batch: a saved run, today's tables, who is at risk, features, scores with reasons, a file and a report.

The same edge, the same feature build and the same check of the model table as in training: nothing is computed twice.
"""

from leadscore.scoring.batch import Batch, prepare_batch, score_leads, write_scores
from leadscore.scoring.composing import compose_score
from leadscore.scoring.parity import parity

__all__ = ["Batch", "compose_score", "parity", "prepare_batch", "score_leads", "write_scores"]
