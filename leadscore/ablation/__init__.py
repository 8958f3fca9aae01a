"""What each feature of a run is worth on its leads: the model fitted again without it, and on it alone."""

from leadscore.ablation.results import Ablation, Measured, Worth
from leadscore.ablation.walk import ablate_run

__all__ = ["Ablation", "Measured", "Worth", "ablate_run"]
