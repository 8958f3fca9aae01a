"""`leadscore features impact NAME`: what changes when a feature, a definition or a concept does."""

import json
import logging
from argparse import Namespace
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from leadscore.errors import LeadscoreError
from leadscore.features import DEFINITIONS
from leadscore.record.find import Run, all_runs, champion_of, run_of
from leadscore.verbs.catalog import Catalog, dependents, open_catalog, steps_of
from leadscore.verbs.say import say, say_json, say_table

__all__ = ["impact", "impact_of"]

log = logging.getLogger(__name__)

SHOWN = 20  # runs, for people; --json has them all


@dataclass(frozen=True)
class _Changes:
    """What a name stands for, and what its change reaches."""

    name: str
    meant: frozenset[str]  # the feature, or the definitions meant
    takers: tuple[str, ...]

    def reaches(self, names: set[str]) -> bool:
        return bool(self.meant & names)


def impact(arguments: Namespace) -> int:
    """List what depends on a name."""
    facts = impact_of(arguments.names[0], open_catalog(arguments), arguments.roots)
    if arguments.json:
        say_json(facts)
    else:
        _say(facts, arguments.roots)
    return 0


def impact_of(name: str, catalog: Catalog, roots: Any) -> dict[str, Any]:
    """Return the features, sets, experiments and runs that a change of what a name stands for would reach."""
    found = catalog.find(name)
    changes = _Changes(name, frozenset(each.feature.name for each in found), tuple(dependents(name)))
    touched = changes.meant | set(changes.takers)
    known: dict[str, set[str]] = {}  # many runs ask for the same features
    return {
        "name": name,
        "concept": found[0].concept or None,
        "chosen": catalog.config.definitions.get(found[0].concept),
        "features": list(changes.takers),
        "sets": [each.name for each in catalog.sets if touched & each.names],
        "experiments": [each.name for each in catalog.experiments if touched & each.names],
        "runs": list(_runs(changes, catalog, roots, known)),
        "champion": _champion(changes, catalog, roots, known),
    }


def _runs(changes: _Changes, catalog: Catalog, roots: Any, known: dict[str, set[str]]) -> Iterator[dict[str, Any]]:
    """Yield the runs whose config uses the name, newest first."""
    for run in reversed(all_runs(roots)):
        try:
            names = _names(run, catalog, known)
        except Exception as error:  # one folder, damaged in whatever way, must not hide all others
            log.warning("%s: its config.yaml cannot be read (%s); passed over", run.folder, str(error).splitlines()[0])
            continue
        if changes.reaches(names):
            yield {
                "run_id": run.run_id,
                "status": run.identity.get("status"),
                "model": run.config["model"]["name"],
                "config_hash": run.identity.get("config_hash"),
                "notes": run.config.get("notes", ""),
                "folder": str(run.folder),
            }


def _champion(changes: _Changes, catalog: Catalog, roots: Any, known: dict[str, set[str]]) -> dict[str, Any] | None:
    """Return the champion's run_id and whether it uses the name, None where its config cannot be read."""
    entry = champion_of(roots)
    if entry is None:
        return None
    try:
        uses = changes.reaches(_names(run_of(entry), catalog, known))
    except Exception as error:  # the rest is worth showing also where its folder is gone or damaged
        log.warning("the champion's config cannot be read (%s)", error)
        uses = None
    return {"run_id": entry.run_id, "uses": uses}


def _names(run: Run, catalog: Catalog, known: dict[str, set[str]]) -> set[str]:
    """Return the features and definitions that a run computed, from its own config.

    Planned by today's declarations; of what is registered no longer, the names as they are written.
    """
    asked = {key: run.config[key] for key in ("features", "definitions")}
    attributes = run.config["data"].get("known_at_creation", {})
    key = json.dumps([asked, attributes], sort_keys=True)
    if key not in known:
        known[key] = set()
        for name, entry in asked["features"].items():
            known[key] |= _planned_names(name, entry, asked["definitions"], attributes, catalog)
    return known[key]


def _planned_names(
    name: str, entry: Any, definitions: Mapping[str, str], attributes: Mapping[str, str], catalog: Catalog
) -> set[str]:
    as_it_was = replace(
        catalog.config,
        definitions=dict(definitions),
        data=replace(catalog.config.data, known_at_creation=dict(attributes)),
    )
    try:
        return steps_of(replace(catalog, config=as_it_was).planned({name: entry}))
    except LeadscoreError:
        return {name}


def _say(facts: dict[str, Any], roots: Any) -> None:
    name = facts["name"]
    if facts["concept"] is None:
        say(f"{name}, a feature")
    elif name in DEFINITIONS:
        say(f"{name}, a concept; {facts['chosen'] or 'no definition'} is chosen")
    else:
        say(f"{name}, a definition of {facts['concept']}; {facts['chosen'] or 'no definition'} is chosen")
    for what in ("features", "sets", "experiments"):
        say(f"{what:12} {', '.join(facts[what]) or 'none'}")
    runs = facts["runs"]
    where = ", ".join(map(str, roots))
    say(f"{'runs':12} {f'{len(runs)} under {where}, newest first' if runs else f'none under {where}'}")
    champion = facts["champion"]
    say(f"{'champion':12} {_in_words(champion)}")
    if not runs:
        return
    say()
    headings = ("run_id", "status", "model", "config_hash", "folder", "notes")
    rows = [{**each, "config_hash": str(each["config_hash"] or "")[:8]} for each in runs[:SHOWN]]
    for row in rows:
        if champion and row["run_id"] == champion["run_id"]:
            row["status"] = f"{row['status']}, champion"
    say_table(headings, [[each[key] for key in headings] for each in rows], whole=headings[:4])
    if len(runs) > SHOWN:
        say(f"... and {len(runs) - SHOWN} older ones (--json lists all)")


def _in_words(champion: dict[str, Any] | None) -> str:
    if champion is None:
        return "none yet"
    uses = {True: "uses it", False: "does not use it", None: "cannot be read, so nobody knows whether it uses it"}
    return f"{champion['run_id']} {uses[champion['uses']]}"
