"""The walk of a batch: a saved run, today's tables, who is at risk, features, scores with reasons, a file and a report.

The same edge, the same feature build and the same check of the model table as in training: nothing is computed twice.
Past batches are read back from here too: what became of their leads, and why two of them differ.
"""

from leadscore.scoring.batch import Batch, prepare_batch, score_leads, write_scores
from leadscore.scoring.composing import compose_score
from leadscore.scoring.outcomes import Outcomes, outcomes_of
from leadscore.scoring.parity import parity
from leadscore.scoring.score_diff import ScoreDiff, diff_scores

__all__ = [
    "Batch",
    "Outcomes",
    "ScoreDiff",
    "compose_score",
    "diff_scores",
    "outcomes_of",
    "parity",
    "prepare_batch",
    "score_leads",
    "write_scores",
]
