"""What changed between two runs: what was asked, the code, the data, the surroundings, the numbers, the leads."""

from leadscore.changes.between import RunDiff, diff_runs

__all__ = ["RunDiff", "diff_runs"]
