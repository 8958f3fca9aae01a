"""A full audit of twenty features: the seventeen functions and three declared aggregates."""

from feature_ways import TYPES
from feature_ways.ours import observed, open_tables, store_of
from feature_ways.plain import registered
from feature_ways.process import Job, Watch
from leadscore.features import make_plan
from leadscore.features.audit import audit

__all__ = ["run"]

DECLARED = {
    "sessions_trend": {"aggregate": "trend", "event_type": "session", "recent": "7d", "lookback": "30d"},
    "largest_amount": {"aggregate": "max", "column": "amount"},
    "paid_share": {"aggregate": "share", "of": {"event_type": TYPES[4]}},
}


def run(job: Job, watch: Watch) -> None:
    """Audit them on the prepared log."""
    plan = make_plan(registered() | DECLARED, {}, {})
    tables = open_tables(job, store_of(job.store))
    if job.options.get("prepare"):
        return
    asked = observed(tables, job.scenario)
    with watch("compute"):
        report = audit(plan, tables, asked)
    severities = [each.severity for each in report.findings]
    watch.said |= {"features": len(plan.columns), "checks": max(map(len, report.checks.values()))}
    watch.said |= {"errors": severities.count("error"), "reviews": severities.count("review")}
    watch.said["messages"] = [each.message for each in report.findings]
