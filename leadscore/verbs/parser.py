"""The grammar of the `leadscore` command, and what is said of a word that is not in it.

Only the standard library is imported here, so that `--help` answers at once.
"""

import argparse
import difflib
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from leadscore import __version__
from leadscore.errors import did_you_mean

__all__ = ["is_override", "parse"]

DOORS = {"train": "python -m leadscore.train (or leadscore-train)", "score": "python -m leadscore.score"}
ANY = 1_000_000  # names a verb may be given
COMPOSED = """\
OVERRIDEs are those of the front door and may stand anywhere: data=crm features=+tickets "plugins=[my_features]"
window.delay=14d."""


class Parser(argparse.ArgumentParser):
    """Says which known word is nearest, in the way the other doors do, and leaves with 2."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings, allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter)

    def error(self, message: str) -> NoReturn:
        """Print how the verb is used and what was wrong."""
        self.print_usage(sys.stderr)
        self.exit(2, f"leadscore: {message}\n")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is None or value in action.choices:
            return
        if action.option_strings:
            self.error(f"{action.option_strings[0]} {value}: {did_you_mean(str(value), action.choices, 'Allowed')}")
        if value in DOORS:
            self.error(f"'{value}' is a door of its own: {DOORS[value]}")
        self.error(f"unknown verb '{value}'. {did_you_mean(str(value), action.choices, 'Verbs')}")


def parse(line: Sequence[str]) -> argparse.Namespace:
    """Parse a command line into the verb to run and its arguments.

    Returns
    -------
    Namespace
        `run` is `module:function`; `names` and `overrides` are the words that are no options.

    Examples
    --------
    >>> parsed = parse(["features", "show", "data=crm", "is_active_user", "--json"])
    >>> parsed.run, parsed.names, parsed.overrides, parsed.json
    ('leadscore.verbs.show:show', ['is_active_user'], ['data=crm'], True)
    """
    parser = _grammar()
    parsed, rest = parser.parse_known_args(list(line))
    if getattr(parsed, "verb_parser", None) is None:
        _asks_for_more(parsed, parser)
    verb: Parser = parsed.verb_parser
    for word in rest:
        if word.startswith("-"):
            _unknown_option(word, verb)
    words = [*parsed.words, *rest]
    parsed.overrides = [word for word in words if is_override(word)]
    parsed.names = [word for word in words if not is_override(word)]
    if parsed.overrides and not parsed.composes:
        verb.error(f"{parsed.overrides[0]}: this verb composes no run, so it takes no overrides")
    least, most = parsed.wanted
    if len(parsed.names) < least:
        verb.error(
            f"{'NAME is' if least == 1 else f'{least} names are'} missing" if not parsed.names else "a name is missing"
        )
    if len(parsed.names) > most:
        verb.error(f"'{parsed.names[most]}' is one word too many (an override has the form KEY=VALUE)")
    return parsed


def is_override(word: str) -> bool:
    """Whether a word changes the composed run rather than name something.

    Examples
    --------
    >>> [word for word in ("data=crm", "~features.logins", "+features.x={}", "logins") if is_override(word)]
    ['data=crm', '~features.logins', '+features.x={}']
    """
    return "=" in word or word.startswith("~")


def _asks_for_more(parsed: argparse.Namespace, parser: Parser) -> NoReturn:
    chosen: Parser = getattr(parsed, "group_parser", None) or parser
    chosen.print_help(sys.stderr)
    sys.exit(2)


def _unknown_option(word: str, verb: Parser) -> NoReturn:
    if word in ("-m", "--multirun"):
        verb.error(f"{word}: several runs at once are for {DOORS['train']}; a verb composes one")
    known = [option for action in verb._actions for option in action.option_strings if option.startswith("--")]
    near = difflib.get_close_matches(word.partition("=")[0], known, n=1)
    hint = f"Did you mean {near[0]}? " if near else ""
    verb.error(f"unknown option {word}. {hint}Options: {', '.join(sorted(known))}.")


def _grammar() -> Parser:
    top = Parser(
        prog="leadscore",
        description="Ask about features, data and runs.\n"
        "Training is a door of its own: python -m leadscore.train --help",
    )
    top.add_argument("--version", action="version", version=f"leadscore {__version__}")
    groups = top.add_subparsers(metavar="VERB", parser_class=Parser)
    _features(_group(groups, "features", "what features there are, what they mean, and whether they keep their word"))
    _data(_group(groups, "data", "what is kept of the data on this machine"))
    _diff(groups)
    _confirm(groups)
    return top


def _group(groups: Any, name: str, what: str) -> Any:
    parser = groups.add_parser(name, help=what, description=f"{what[0].upper()}{what[1:]}.")
    parser.set_defaults(group_parser=parser)
    return parser.add_subparsers(metavar="VERB", parser_class=Parser)


def _verb(
    group: Any,
    name: str,
    run: str,
    what: str,
    *,
    names: str = "",
    wanted: tuple[int, int] = (0, 0),
    composes: bool = True,
) -> Parser:
    """Add a verb; `names` is how its words are written in the usage, `wanted` how many there are."""
    sentence = f"{what[0].upper()}{what[1:]}."
    words = " ".join(filter(None, [names, "[OPTION ...]", "[OVERRIDE ...]" if composes else ""]))
    parser: Parser = group.add_parser(
        name,
        help=what,
        usage=f"{group._prog_prefix} {name} {words}",
        description=f"{sentence}\n\n{COMPOSED}" if composes else sentence,
    )
    parser.add_argument("words", nargs="*", help=argparse.SUPPRESS)
    parser.set_defaults(run=f"leadscore.verbs.{run}", wanted=wanted, composes=composes, verb_parser=parser)
    if composes:
        parser.add_argument("--config-dir", metavar="DIR", help="a folder with your own configs, laid out like conf/")
    return parser


def _json(parser: Parser) -> None:
    parser.add_argument("--json", action="store_true", help="for programs")


def _features(group: Any) -> None:
    one: dict[str, Any] = {"names": "NAME", "wanted": (1, 1)}
    _json(_verb(group, "list", "listing:list_features", "list every feature by set, and every definition"))

    show = _verb(group, "show", "show:show", "show all there is to know about a feature or a definition", **one)
    show.add_argument("--no-data", action="store_true", help="read no data, so show no distribution")
    _json(show)

    check = _verb(
        group,
        "check",
        "check:check",
        "try whether features see the future or break their declaration (default: those of the composed run)",
        names="[NAME ...]",
        wanted=(0, ANY),
    )
    check.add_argument("--all", action="store_true", help="every registered feature and every set's")
    _json(check)

    new = _verb(group, "new", "new_feature:new", "write a feature, its entry in a set, and its test", **one)
    _new(new)

    dictionary = _verb(group, "dictionary", "dictionary:dictionary", "put every column of a run into words")
    form = dictionary.add_mutually_exclusive_group()
    form.add_argument("--md", action="store_const", dest="form", const="md", default="md", help="Markdown (default)")
    form.add_argument("--html", action="store_const", dest="form", const="html", help="a page of its own")
    form.add_argument("--json", action="store_const", dest="form", const="json", help="for programs")
    dictionary.add_argument("--out", metavar="FILE", help="write it there, by atomic replace; default: print it")

    impact = _verb(group, "impact", "impact:impact", "list what depends on a feature, a definition or a concept", **one)
    impact.add_argument(
        "--root", action="append", metavar="DIR", help="where runs lie, may be repeated (default: outputs and multirun)"
    )
    _json(impact)


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


def _diff(group: Any) -> None:
    diff = _verb(
        group,
        "diff",
        "diff:diff",
        "say whether run B is better than run A on the same leads, how sure that is, and what differs",
        names="A B",
        wanted=(2, 2),
        composes=False,
    )
    diff.add_argument("--metric", default="auc", metavar="NAME", help="what is compared (auc)")
    diff.add_argument(
        "--root", action="append", metavar="DIR", help="where runs lie, may be repeated (default: outputs and multirun)"
    )
    diff.add_argument("--md", action="store_true", help="Markdown, for a pull request")
    diff.add_argument(
        "--exit-code",
        action="store_true",
        help="leave with 0 when nothing moved, 1 when something did, 2 when the runs cannot be compared",
    )
    _json(diff)


def _confirm(group: Any) -> None:
    confirm = _verb(
        group,
        "confirm",
        "confirm:confirm",
        "score a run's saved model on the period that validation.seal kept away, and record the look",
        names="RUN",
        wanted=(1, 1),
        composes=False,
    )
    confirm.add_argument(
        "--root", action="append", metavar="DIR", help="where runs lie, may be repeated (default: outputs and multirun)"
    )
    confirm.add_argument("--tracking-root", metavar="DIR", help="the folder with seals.json (default: as recorded)")
    confirm.add_argument("--data-dir", metavar="DIR", help="where the data lie now (default: as recorded)")
    confirm.add_argument(
        "--plugin", action="append", metavar="MODULE", help="a module that the run used, may be repeated"
    )
    _json(confirm)


def _data(group: Any) -> None:
    cache = _verb(group, "cache", "data:cache", "list what is kept on disk so that later runs start faster")
    cache.add_argument("--prune", action="store_true", help="remove entries: by --older-than, --limit, --kind or --all")
    cache.add_argument("--older-than", metavar="DURATION", help="those not used for so long, as in 30d")
    cache.add_argument("--limit", metavar="SIZE", help="the least recently used, until the rest fits, as in 5GB")
    cache.add_argument("--kind", metavar="KIND", help="those of one kind")
    cache.add_argument("--all", action="store_true", help="all of them")
    _json(cache)
