"""leadscore: lead-scoring runs that are composed, named, checked, comparable and reversible."""

__version__ = "0.1.0"
