"""A small static site over all runs: an index, each run's report, and comparisons that somebody will ask for."""

from leadscore.site.build import NEWEST, Built, build_site

__all__ = ["NEWEST", "Built", "build_site"]
