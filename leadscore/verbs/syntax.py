"""The words that the command's grammar is written in: groups, verbs, and the options that many of them share.

Only the standard library is imported here, so that `--help` answers at once.
"""

import argparse
import sys
from typing import Any, NoReturn

from leadscore.errors import did_you_mean

__all__ = [
    "ANY",
    "DOORS",
    "ROOTS",
    "Parser",
    "add_group",
    "add_json",
    "add_plugins",
    "add_repeats",
    "add_roots",
    "add_verb",
]

ROOTS = ("outputs", "multirun")  # where runs lie unless --root says otherwise
DOORS = {"train": "python -m leadscore.train (or leadscore-train)", "score": "python -m leadscore.score"}
ANY = 1_000_000  # names a verb may be given
COMPOSED = """\
OVERRIDEs are those of the front door and may stand anywhere: data=crm features=+tickets "plugins=[my_features]"
window.delay=14d."""


class Parser(argparse.ArgumentParser):
    """Says which known word is nearest, in the way the other doors do, and leaves with 2.

    Attributes
    ----------
    default_verb : str
        Of a group: the verb that is meant when none is named; empty where one must be.
    """

    default_verb = ""

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


def add_group(groups: Any, name: str, what: str, *, default: str = "", epilog: str = "") -> Any:
    """Add a group of verbs and return it; `default` is the verb that the group's name alone stands for."""
    parser = groups.add_parser(name, help=what, description=f"{what[0].upper()}{what[1:]}.", epilog=epilog)
    parser.default_verb = default
    parser.set_defaults(group_parser=parser)
    return parser.add_subparsers(metavar="VERB", parser_class=Parser)


def add_verb(
    group: Any,
    name: str,
    run: str,
    what: str,
    *,
    names: str = "",
    wanted: tuple[int, int] = (0, 0),
    composes: bool = True,
    overrides: str = COMPOSED,
) -> Parser:
    """Add a verb; `names` is how its words are written in the usage, `wanted` how many, `overrides` what those are."""
    sentence = f"{what[0].upper()}{what[1:]}."
    words = " ".join(filter(None, [names, "[OPTION ...]", "[OVERRIDE ...]" if composes else ""]))
    parser: Parser = group.add_parser(
        name,
        help=what,
        usage=f"{group._prog_prefix} {name} {words}",
        description=f"{sentence}\n\n{overrides}" if composes else sentence,
    )
    parser.add_argument("words", nargs="*", help=argparse.SUPPRESS)
    parser.set_defaults(run=f"leadscore.verbs.{run}", wanted=wanted, composes=composes, verb_parser=parser)
    if composes:
        parser.add_argument("--config-dir", metavar="DIR", help="a folder with your own configs, laid out like conf/")
    return parser


def add_json(parser: Parser) -> None:
    """Add `--json`."""
    parser.add_argument("--json", action="store_true", help="for programs")


def add_roots(parser: Parser) -> None:
    """Add `--root`; `arguments.roots` is then a list of folders."""
    parser.add_argument(
        "--root",
        dest="roots",
        action="append",
        metavar="DIR",
        help=f"where runs lie, may be repeated (default: {' and '.join(ROOTS)})",
    )


def add_repeats(parser: Parser) -> None:
    """Add what a verb needs that reads a run's data again: `--data-dir` and `--plugin`."""
    parser.add_argument("--data-dir", metavar="DIR", help="where the data lie now (default: as recorded)")
    add_plugins(parser)


def add_plugins(parser: Parser, used_by: str = "run") -> None:
    """Add `--plugin`: a record's own list of modules is never imported."""
    parser.add_argument(
        "--plugin", action="append", metavar="MODULE", help=f"a module that the {used_by} used, may be repeated"
    )
