"""`leadscore features check`: does a feature see the future, or break its declaration? Tried on the configured data."""

import math
import re
import time
from argparse import Namespace
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from leadscore.errors import ConfigError, FeatureError, LeadscoreError, raise_all
from leadscore.features import check_sources
from leadscore.pipeline import walk_to_folds
from leadscore.verbs.catalog import Catalog, dependents, open_catalog
from leadscore.verbs.say import say, say_json, say_table

if TYPE_CHECKING:
    from leadscore.features.audit import AuditReport, Finding
    from leadscore.tables import Tables

__all__ = ["check"]


@dataclass
class _Chosen:
    """What is to be checked.

    `entries` is a feature mapping that can be planned, `columns` what of it is meant, `skipped` what cannot be computed
    on these data and why.
    """

    entries: dict[str, Any] = field(default_factory=dict)
    columns: list[str] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)


def check(arguments: Namespace) -> int:
    """Audit features; 1 when one of them is at fault."""
    from leadscore.features.audit import audit

    if arguments.all and arguments.names:
        raise ConfigError(f"--all: checks everything, so no name ({arguments.names[0]}) can be given beside it")
    catalog = open_catalog(arguments)
    asked = _by_name(arguments.names, catalog)
    started = time.perf_counter()
    windows = walk_to_folds(replace(catalog.config, features={}))
    chosen = _everything(catalog, windows.tables) if arguments.all else asked or _composed(catalog)
    plan = catalog.planned(chosen.entries)
    check_sources(plan, windows.tables)
    report = audit(plan, windows.tables, windows.observations.frame, names=chosen.columns)
    seconds = time.perf_counter() - started
    columns = sorted({*chosen.columns, *(finding.feature for finding in report.findings)})
    if arguments.json:
        say_json(_as_json(report, columns, chosen, catalog, seconds))
    else:
        _say(report, columns, chosen, catalog, seconds)
    return 0 if report.ok else 1


def _by_name(names: list[str], catalog: Catalog) -> _Chosen | None:
    """Choose what the names say; None when no name was given."""
    if not names:
        return None
    chosen, problems = _Chosen(), []
    for name in dict.fromkeys(names):
        try:
            (found, *others) = catalog.find(name)
        except FeatureError as error:
            problems.append(str(error))
            continue
        if found.concept or others:
            takers = ", ".join(dependents(name)) or "none takes it"
            problems.append(f"'{name}' is a definition, and is checked in the features that take it: {takers}")
        elif found.reason:
            problems.append(f"'{name}' cannot be computed here: {found.reason}")
        else:
            assert found.entry is not None
            chosen.entries[found.entry[0]] = found.entry[1]
            chosen.columns.append(name)
    raise_all(FeatureError, problems)
    return chosen


def _composed(catalog: Catalog) -> _Chosen:
    return _Chosen(dict(catalog.config.features), [each.name for each in catalog.plan.columns])


def _everything(catalog: Catalog, tables: "Tables") -> _Chosen:
    """Choose all that can be computed on these data; of two entries that make one column, the first."""
    chosen = _Chosen()
    for key, entry in _all_entries(catalog):
        if key in chosen.entries:
            if chosen.entries[key] != entry:
                chosen.skipped[f"{key} ({entry})"] = f"another set has it with {chosen.entries[key]}"
            continue
        try:
            alone = catalog.planned({key: entry})
            check_sources(alone, tables)
            catalog.planned({**chosen.entries, key: entry})
        except LeadscoreError as error:
            chosen.skipped[key] = str(error)
            continue
        chosen.entries[key] = entry
        chosen.columns += [each.name for each in alone.columns if each.name not in chosen.columns]
    return chosen


def _all_entries(catalog: Catalog) -> Iterator[tuple[str, Any]]:
    yield from catalog.config.features.items()
    for each in catalog.sets:
        yield from (each.entries or {}).items()
    for name in catalog.in_no_set:
        yield name, {}


def _say(report: "AuditReport", columns: list[str], chosen: _Chosen, catalog: Catalog, seconds: float) -> None:
    say_table(
        ("feature", "", "checks"),
        [(name, _verdict(name, report), len(report.checks.get(name, ()))) for name in columns],
        whole=("feature", ""),
        right=("checks",),
    )
    for finding in report.findings:
        mark = "" if finding.severity == "error" else f"{finding.severity}: "
        say(f"\n{mark}{finding.message}")
    if chosen.skipped:
        say("\nnot checked:")
        for name, reason in chosen.skipped.items():
            say("  " + f"{name}: {_first_sentences(reason)}".replace("\n", "\n  "))
    wrong = {finding.feature for finding in report.findings if finding.severity == "error"}
    counted = f"{len(columns)} feature{'' if len(columns) == 1 else 's'} on data={catalog.config.data.name}"
    say(f"\n{counted}: {f'{len(wrong)} at fault' if wrong else 'no fault found'}, in {seconds:.1f} s")


def _first_sentences(reason: str) -> str:
    """Return each line's first sentence: what is known instead is the same for all, and --json has it.

    Examples
    --------
    >>> _first_sentences("no event has it. Types in the log: login, session. Map names with data.event_types")
    'no event has it'
    """
    return "\n".join(re.sub(r"\. (?=[A-Z]).*", "", line) for line in reason.splitlines())


def _verdict(name: str, report: "AuditReport") -> str:
    found = {finding.severity for finding in report.findings if finding.feature == name}
    return "ERROR" if "error" in found else "review" if found else "ok"


def _as_json(
    report: "AuditReport", columns: list[str], chosen: _Chosen, catalog: Catalog, seconds: float
) -> Mapping[str, Any]:
    return {
        "data": catalog.config.data.name,
        "ok": report.ok,
        "seconds": round(seconds, 3),
        "features": [
            {
                "name": name,
                "result": _verdict(name, report).lower(),
                "checks": list(report.checks.get(name, ())),
                "findings": [_finding(each) for each in report.findings if each.feature == name],
            }
            for name in columns
        ],
        "skipped": chosen.skipped,
    }


def _finding(each: "Finding") -> dict[str, Any]:
    return {
        "check": each.check,
        "severity": each.severity,
        "lead": each.lead,
        "before": _plain(each.before),
        "after": _plain(each.after),
        "line": each.line,
        "message": each.message,
    }


def _plain(value: Any) -> Any:
    """Return a value that JSON knows; what is missing as null."""
    if isinstance(value, float):
        return None if math.isnan(value) else float(value)
    return value if value is None or isinstance(value, bool | int | str) else str(value)
