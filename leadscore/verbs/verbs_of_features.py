"""The grammar of the verbs about features and data."""

from typing import Any

from leadscore.verbs.syntax import ANY, Parser, add_json, add_roots, add_verb

__all__ = ["add_data_verbs", "add_definition_verbs", "add_feature_verbs"]


def add_feature_verbs(group: Any) -> None:
    """Add `features list`, `show`, `check`, `new`, `dictionary` and `impact`."""
    one: dict[str, Any] = {"names": "NAME", "wanted": (1, 1)}
    add_json(add_verb(group, "list", "listing:list_features", "list every feature by set, and every definition"))

    show = add_verb(group, "show", "show:show", "show all there is to know about a feature or a definition", **one)
    show.add_argument("--no-data", action="store_true", help="read no data, so show no distribution")
    add_json(show)

    check = add_verb(
        group,
        "check",
        "check:check",
        "try whether features see the future or break their declaration (default: those of the composed run)",
        names="[NAME ...]",
        wanted=(0, ANY),
    )
    check.add_argument("--all", action="store_true", help="every registered feature and every set's")
    add_json(check)

    new = add_verb(group, "new", "new_feature:new", "write a feature, its entry in a set, and its test", **one)
    _new(new)

    dictionary = add_verb(group, "dictionary", "dictionary:dictionary", "put every column of a run into words")
    form = dictionary.add_mutually_exclusive_group()
    form.add_argument("--md", action="store_const", dest="form", const="md", default="md", help="Markdown (default)")
    form.add_argument("--html", action="store_const", dest="form", const="html", help="a page of its own")
    form.add_argument("--json", action="store_const", dest="form", const="json", help="for programs")
    dictionary.add_argument("--out", metavar="FILE", help="write it there, by atomic replace; default: print it")

    impact = add_verb(
        group, "impact", "impact:impact", "list what depends on a feature, a definition or a concept", **one
    )
    add_roots(impact)
    add_json(impact)


def add_definition_verbs(group: Any) -> None:
    """Add `definitions`."""
    definitions = add_verb(
        group,
        "definitions",
        "definitions:definitions",
        "show what each business word may mean, which meaning is chosen, and what rests on it",
        names="[NAME]",
        wanted=(0, 1),
    )
    add_roots(definitions)
    add_json(definitions)


def _new(new: Parser) -> None:
    from leadscore.verbs.kinds import KINDS

    kinds = "\n".join(f"  {name:12} {kind.what}" for name, kind in KINDS.items())
    new.epilog = f"kinds:\n{kinds}\n\nexample:\n  leadscore features new tickets_last_14_days --event-type ticket"
    new.add_argument("--kind", choices=list(KINDS), default="count", metavar="KIND", help="what it computes (count)")
    new.add_argument("--event-type", metavar="TYPE", help="only events of this type (default: all)")
    new.add_argument("--column", metavar="COLUMN", help="what sum, mean, max, distinct and last read")
    new.add_argument("--lookback", metavar="DURATION", help="how far back it sees (default 14d); all: no bound")
    new.add_argument("--set", metavar="SET", help="the feature set that gets it (default: the feature's name)")
    new.add_argument("--module", metavar="MODULE", default="my_features", help="the module that gets it (my_features)")
    new.add_argument("--into", metavar="DIR", default=".", help="the folder of all three files (default: this one)")


def add_data_verbs(group: Any) -> None:
    """Add `data cache`."""
    cache = add_verb(group, "cache", "data:cache", "list what is kept on disk so that later runs start faster")
    cache.add_argument("--prune", action="store_true", help="remove entries: by --older-than, --limit, --kind or --all")
    cache.add_argument("--older-than", metavar="DURATION", help="those not used for so long, as in 30d")
    cache.add_argument("--limit", metavar="SIZE", help="the least recently used, until the rest fits, as in 5GB")
    cache.add_argument("--kind", metavar="KIND", help="those of one kind")
    cache.add_argument("--all", action="store_true", help="all of them")
    add_json(cache)
