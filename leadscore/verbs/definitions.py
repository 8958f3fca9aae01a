"""`leadscore definitions`: what each business word may mean, which meaning is chosen, and what rests on it."""

from argparse import Namespace
from typing import Any

from leadscore.config.compose import config_loader, group_choices
from leadscore.errors import FeatureError, did_you_mean
from leadscore.features import DEFINITIONS
from leadscore.verbs.catalog import Catalog, open_catalog
from leadscore.verbs.declared import declaration, place_of, reads, sees
from leadscore.verbs.impact import impact_of
from leadscore.verbs.say import say, say_json, say_table

__all__ = ["definitions"]


def definitions(arguments: Namespace) -> int:
    """List every concept, or the one that is named or that a named definition belongs to."""
    catalog = open_catalog(arguments)
    name = arguments.names[0] if arguments.names else None
    concepts = [_concept(each, catalog, arguments.roots) for each in _wanted(name)]
    if arguments.json:
        say_json(concepts if name is None else concepts[0])
        return 0
    if not concepts:
        say("no definition is registered")
    for number, concept in enumerate(concepts):
        if number:
            say()
        _say(concept)
    _say_choices(arguments)
    return 0


def _wanted(name: str | None) -> list[str]:
    if name is None:
        return sorted(DEFINITIONS)
    for concept, known in DEFINITIONS.items():
        if name == concept or name in known:
            return [concept]
    every = {*DEFINITIONS, *(each for known in DEFINITIONS.values() for each in known)}
    raise FeatureError(
        f"no concept or definition is called '{name}'. {did_you_mean(name, every)} Your own join by plugins=[my_words]."
    )


def _concept(name: str, catalog: Catalog, roots: Any) -> dict[str, Any]:
    rests = impact_of(name, catalog, roots)
    return {
        "concept": name,
        "chosen": rests["chosen"],
        "definitions": [_definition(each, catalog, roots) for each in catalog.find(name)],
        **{key: rests[key] for key in ("features", "sets", "experiments")},
    }


def _definition(found: Any, catalog: Catalog, roots: Any) -> dict[str, Any]:
    rests = impact_of(found.feature.name, catalog, roots)
    return {
        **declaration(found.step),
        "chosen": rests["chosen"] == found.feature.name,
        "reads": reads(found.feature),
        "sees": sees(found.feature),
        "place": place_of(found.feature) or None,
        "runs": rests["runs"],
        "champion": rests["champion"],
    }


def _say(concept: dict[str, Any]) -> None:
    say(f"{concept['concept']}: {concept['chosen'] or 'no definition'} is chosen")
    say()
    say_table(
        ("definition", "chosen", "sees", "reads", "runs", "champion", "meaning"),
        [
            (
                each["name"],
                "yes" if each["chosen"] else "",
                each["sees"],
                each["reads"],
                len(each["runs"]),
                _champion(each["champion"]),
                each["meaning"],
            )
            for each in concept["definitions"]
        ],
        whole=("definition",),
        right=("runs",),
    )
    say()
    for what in ("features", "sets", "experiments"):
        say(f"{what:12} {', '.join(concept[what]) or 'none'}")


def _champion(champion: dict[str, Any] | None) -> str:
    return "" if champion is None else {True: "uses it", False: "", None: "unreadable"}[champion["uses"]]


def _say_choices(arguments: Namespace) -> None:
    """Say which files of the group choose among them."""
    with config_loader(arguments.config_dir) as loader:
        choices = group_choices(loader).get("definitions", [])
    say()
    say(f"chosen by definitions={'|'.join(choices)}, or one by one by definitions.CONCEPT=DEFINITION")
