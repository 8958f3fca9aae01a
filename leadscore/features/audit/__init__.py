"""The audit of features by behaviour: what still moves when the future is dropped, is a leak.

The engine hands a function only rows that were known before `as_of`, so a function that forgets a bound is harmless.
What is left to find is code that reads around the engine, and declarations that are not true: each check builds the
same observations in two worlds that differ in one thing, and compares the values row by row.

Two things no check can see: a number that was computed from the whole data before, and stands in the code as a
constant; and a feature that is honest in time, yet a by-product of the sale (a call that is booked when the contract
is signed). The second may show as a `review`; both are for a person to judge.
"""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pandas as pd

from leadscore.features.audit.bench import Bench
from leadscore.features.audit.checks import CHECKS
from leadscore.features.audit.report import AuditReport, Finding, raise_findings
from leadscore.features.audit.sample import draw
from leadscore.features.audit.say import finding
from leadscore.features.plan import Plan
from leadscore.features.registry import is_shipped
from leadscore.tables import Tables

__all__ = ["CHECKS", "AuditReport", "Finding", "audit", "raise_findings"]

LEADS = {"full": 320, "sample": 60}
OURS = ("contract", "truncate", "order")  # of a sample, on what leadscore ships: its tests hold it to the rest
LEFT_OUT = ("shift",)  # of a sample: a build that moves events in time tries that itself


def audit(
    plan: Plan,
    tables: Tables,
    observations: pd.DataFrame,
    *,
    names: Iterable[str] | None = None,
    level: str = "full",
    seed: int = 0,
) -> AuditReport:
    """Try every check on features, on a sample of leads at two instants.

    Parameters
    ----------
    plan : Plan
    tables : Tables
    observations : DataFrame (n_observations, ...)
        `user_id`, `as_of`, `lead_row`, and where it is known `label`; they say near which instants to look.
    names : iterable of str, optional
        Features and definitions of the plan; default all.
    level : {'full', 'sample'}
        About 320 leads and every check; or 60 leads, rows altered only for code that captures something, and a few
        checks at one instant for what leadscore ships.
    seed : int
        Of the draw and of the alterations.

    Returns
    -------
    AuditReport
        Nothing is raised for what is found.

    Examples
    --------
    >>> from leadscore.features.plan import make_plan
    >>> from leadscore.testing import make_world
    >>> plan = make_plan({"sessions_last_7_days": {}, "lead_age_days": {}}, {}, {})
    >>> report = audit(plan, *make_world(plan))
    >>> report.ok, "truncate" in report.checks["lead_age_days"]
    (True, True)
    """
    known = [step.feature.name for step in plan.steps]
    wanted = known if names is None else [name for name in known if name in set(names)]
    if not wanted or not len(observations):
        return AuditReport()
    findings: list[Finding] = []
    tried: dict[str, tuple[str, ...]] = {}
    rng = np.random.default_rng(seed)
    sample = draw(plan, tables, observations, LEADS[level], rng)
    shipped = [step.feature.name for step in plan.steps if is_shipped(step.feature) and step.feature.name in wanted]
    if level == "full":
        groups = [(Bench(plan, sample, wanted, rng), tuple(CHECKS))]
    else:
        users = [name for name in wanted if name not in shipped]
        once = replace(sample, instants=sample.instants[-1:])
        groups = [
            (Bench(plan, sample, users, rng, trusting=True), tuple(name for name in CHECKS if name not in LEFT_OUT)),
            (Bench(plan, once, shipped, rng), OURS),
        ]
    for bench, checks in groups:
        if bench.names:
            findings += _audited(bench, checks)
            tried |= dict.fromkeys(bench.names, checks)
    order = {name: place for place, name in enumerate(known)}
    findings.sort(key=lambda each: (each.severity != "error", order[each.feature]))
    return AuditReport(tuple(findings), tried)


def _audited(bench: Bench, checks: Iterable[str]) -> list[Finding]:
    """Run checks, and keep the first finding of each feature and check."""
    found: dict[tuple[str, str], Finding] = {}
    with bench.set_up():
        bench.start()
        for name in checks:
            if name in CHECKS:
                for seen in CHECKS[name].run(bench):
                    new = finding(bench, CHECKS[name], seen)
                    held = found.get((seen.feature, name))
                    if held is None or (held.severity, new.severity) == ("review", "error"):
                        found[seen.feature, name] = new
    return list(found.values())
