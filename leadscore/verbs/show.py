"""`leadscore features show NAME`: what a feature or definition means, declares, computes, and how its values lie."""

from argparse import Namespace
from typing import Any

from leadscore.errors import LeadscoreError
from leadscore.verbs.catalog import Catalog, Found, dependents, open_catalog
from leadscore.verbs.declared import bounds_in_words, code_of, declaration, explanation, place_of, reads
from leadscore.verbs.distribution import Distribution, distribution_of
from leadscore.verbs.say import say, say_json, say_pairs, say_table

__all__ = ["show"]

CALENDARS: dict[bool | str, str] = {
    False: "",
    True: "weekdays and times of day, UTC",
    "date": "dates, or clock times of a zone",
}


def show(arguments: Namespace) -> int:
    """Show one feature, or each definition of a concept."""
    catalog = open_catalog(arguments)
    found = catalog.find(arguments.names[0])
    shown = [_shown(each, catalog, read=not arguments.no_data) for each in found]
    if arguments.json:
        say_json(shown[0][0] if len(shown) == 1 else [each for each, _ in shown])
        return 0
    for number, (each, (facts, spread)) in enumerate(zip(found, shown, strict=True)):
        if number:
            say()
        _say(each, facts, catalog)
        if spread is not None:
            _say_distribution(spread, catalog.config.data.name)
    return 0


def _shown(each: Found, catalog: Catalog, *, read: bool) -> tuple[dict[str, Any], Distribution | None]:
    facts = {
        **declaration(each.step),
        "concept": each.concept or None,
        "chosen": catalog.config.definitions.get(each.concept) == each.feature.name if each.concept else None,
        "explanation": explanation(each.feature),
        "used_by": _users(each, catalog),
        "place": place_of(each.feature) or None,
        "code": code_of(each.feature),
        "reason": each.reason or None,
        "distribution": None,
    }
    if not read or each.reason:
        return facts, None
    try:
        spread = distribution_of(each, catalog)
    except LeadscoreError as error:  # the rest is worth showing also where the data do not have what it reads
        return {**facts, "reason": str(error)}, None
    return {**facts, "distribution": spread.to_json()}, spread


def _users(each: Found, catalog: Catalog) -> dict[str, list[str]]:
    takers = dependents(each.feature.name)
    touched = {each.feature.name, *takers}
    return {
        "sets": [some.name for some in catalog.sets if touched & some.names],
        "features": takers,
        "experiments": [some.name for some in catalog.experiments if touched & some.names],
    }


def _say(found: Found, facts: dict[str, Any], catalog: Catalog) -> None:
    each = found.feature
    kind = f"definition of {found.concept}" if found.concept else "declared aggregate" if each.aggregate else "feature"
    say(f"{each.name}: {kind}")
    say()
    for line in facts["explanation"].splitlines():
        say(f"  {line}".rstrip())
    say()
    chosen = {None: "", True: "yes", False: f"no; definitions.{found.concept}={each.name} chooses it"}[facts["chosen"]]
    users = facts["used_by"]
    say_pairs(
        [
            ("chosen", chosen),
            ("reads", reads(each)),
            ("window", each.window),
            ("without such rows", "" if each.no_events is None else _plain(each.no_events)),
            ("missing means", each.missing or "nothing: a missing value is an error"),
            ("unit", each.unit),
            ("dtype", each.dtype),
            ("bounds", bounds_in_words(each)),
            ("calendar", CALENDARS[each.calendar]),
            ("across leads", "compares leads observed at the same instant" if each.across_leads else ""),
            ("parameters", _parameters(facts)),
            ("takes", "\n".join(_inputs(facts, catalog))),
            ("in sets", ", ".join(users["sets"]) or "none"),
            ("used by", ", ".join(users["features"])),
            ("experiments", ", ".join(users["experiments"])),
            ("code", facts["place"] or "as an entry of a set:"),
        ]
    )
    say()
    for line in facts["code"].splitlines():
        say(f"  {line}".rstrip())
    if facts["reason"]:
        say(f"\nno values are shown on data={catalog.config.data.name}: {facts['reason']}")


def _parameters(facts: dict[str, Any]) -> str:
    return "\n".join(
        f"{key}={value!r}" + ("" if value == facts["defaults"][key] else f" (default {facts['defaults'][key]!r})")
        for key, value in facts["parameters"].items()
    )


def _inputs(facts: dict[str, Any], catalog: Catalog) -> list[str]:
    return [
        f"{argument}, which is {name or catalog.config.definitions.get(argument, 'not set')} here"
        if name != argument
        else argument
        for argument, name in facts["inputs"].items()
    ]


def _say_distribution(spread: Distribution, data: str) -> None:
    say(f"\nvalues on data={data}: {spread.n:,} observations, {spread.converted:.1%} convert")
    say()
    numbers = spread.numbers or {}
    say_pairs(
        [
            ("missing", f"{spread.missing:.1%}"),
            ("as without rows", "" if spread.at_no_events is None else f"{spread.at_no_events:.1%}"),
            *((name, _plain(numbers[name])) for name in numbers),
        ]
    )
    say()
    rows = [(group.value, f"{group.n:,}", f"{group.share:.1%}", f"{group.converted:.1%}") for group in spread.groups]
    say_table(
        ("values", "observations", "share", "convert"),
        rows,
        whole=("values",),
        right=("observations", "share", "convert"),
    )


def _plain(value: float | str) -> str:
    return f"{value:,.4g}" if isinstance(value, int | float) else repr(value)
