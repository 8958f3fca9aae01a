"""`leadscore features list`: every feature by set, and every definition, one line each."""

from argparse import Namespace
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from leadscore.features import DEFINITIONS
from leadscore.verbs.catalog import Catalog, open_catalog
from leadscore.verbs.declared import declaration, reads, sees
from leadscore.verbs.say import say, say_json, say_table

if TYPE_CHECKING:
    from leadscore.features.plan import Planned

__all__ = ["list_features"]

HEADINGS = ("feature", "sees", "reads", "meaning")


def list_features(arguments: Namespace) -> int:
    """List all features."""
    catalog = open_catalog(arguments)
    others = [found for name in catalog.in_no_set for found in catalog.find(name)]
    if arguments.json:
        say_json(
            {
                "data": catalog.config.data.name,
                "sets": [
                    {
                        "name": each.name,
                        "what": each.what,
                        "reason": each.reason or None,
                        "features": [declaration(step) for step in each.plan.column_steps] if each.plan else [],
                    }
                    for each in catalog.sets
                ],
                "in_no_set": [{**declaration(each.step), "reason": each.reason or None} for each in others],
                "definitions": _definitions(catalog),
            }
        )
        return 0
    steps = [each.plan.column_steps if each.plan else [] for each in catalog.sets]
    names = [step.feature.name for some in steps for step in some] + [each.feature.name for each in others]
    width = max(map(len, names), default=0)
    for each, some in zip(catalog.sets, steps, strict=True):
        say(f"{each.name}{f' - {each.what}' if each.what else ''}")
        if each.reason:
            reason = each.reason.replace("\n", "\n  ")
            say(f"  cannot be planned on data={catalog.config.data.name}: {reason}")
        _table(some, width)
    if others:
        say("in no set (an entry NAME: {} in a set of yours adds one)")
        _table((each.step for each in others), width)
    say("definitions")
    say_table(
        ("definition", "concept", "chosen", "sees", "meaning"),
        [
            (each["name"], each["concept"], "yes" if each["chosen"] else "", each["lookback"] or "all", each["meaning"])
            for each in _definitions(catalog)
        ],
        whole=("definition", "concept"),
        least={"definition": width},
    )
    return 0


def _table(steps: "Iterable[Planned]", width: int) -> None:
    rows = [(step.feature.name, sees(step.feature), reads(step.feature), step.meaning) for step in steps]
    if rows:
        say_table(HEADINGS, rows, whole=("feature",), least={"feature": width})
    say()


def _definitions(catalog: Catalog) -> list[dict[str, Any]]:
    return [
        {
            "concept": concept,
            "chosen": catalog.config.definitions.get(concept) == found.feature.name,
            **declaration(found.step),
        }
        for concept in sorted(DEFINITIONS)
        for found in catalog.find(concept)
    ]
