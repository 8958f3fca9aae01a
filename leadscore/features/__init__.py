"""Features: pure functions with a declaration, and the engine that calls them at each `as_of`.

The themes below are this package's index; importing them registers what they hold.
"""

from leadscore.features import acquisition, activity, business, engagement, firmographic, money, recency
from leadscore.features.audit import AuditReport, Finding, audit, raise_findings
from leadscore.features.build import FeatureTable, build
from leadscore.features.entries import register_aggregate
from leadscore.features.plan import Plan, make_plan
from leadscore.features.registry import DEFINITIONS, FEATURES, Feature, definition, feature
from leadscore.features.sources import check_sources, lacking_sources

__all__ = [
    "DEFINITIONS",
    "FEATURES",
    "AuditReport",
    "Feature",
    "FeatureTable",
    "Finding",
    "Plan",
    "acquisition",
    "activity",
    "audit",
    "build",
    "business",
    "check_sources",
    "definition",
    "engagement",
    "feature",
    "firmographic",
    "lacking_sources",
    "make_plan",
    "money",
    "raise_findings",
    "recency",
    "register_aggregate",
]
