"""How a line of the `leadscore` command is read, and what is said of a word that is not in its grammar.

Only the standard library is imported here, so that `--help` answers at once.
"""

import argparse
import difflib
import sys
from collections.abc import Sequence
from typing import NoReturn

from leadscore import __version__
from leadscore.verbs.syntax import DOORS, ROOTS, Parser, add_group
from leadscore.verbs.verbs_of_champion import add_champion_verbs
from leadscore.verbs.verbs_of_features import add_data_verbs, add_definition_verbs, add_feature_verbs
from leadscore.verbs.verbs_of_log import add_runs_verbs
from leadscore.verbs.verbs_of_runs import add_run_verbs
from leadscore.verbs.verbs_of_scores import add_score_verbs

__all__ = ["is_override", "parse"]


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
    parsed, rest = parser.parse_known_args(_with_page(_with_default_verb(list(line), parser)))
    if getattr(parsed, "verb_parser", None) is None:
        _asks_for_more(parsed, parser)
    verb: Parser = parsed.verb_parser
    for word in rest:
        if word.startswith("-"):
            _unknown_option(word, verb)
    if "roots" in parsed:
        parsed.roots = parsed.roots or list(ROOTS)
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


def _with_default_verb(line: list[str], parser: Parser) -> list[str]:
    """Name the verb that a group's name alone stands for: options follow it at once, or nothing does."""
    groups = next(action for action in parser._actions if isinstance(action.choices, dict)).choices
    assert isinstance(groups, dict)
    default = groups[line[0]].default_verb if line and line[0] in groups else ""
    second = line[1] if len(line) > 1 else "-"
    names_none = second.startswith("-") and second not in ("-h", "--help")
    return [line[0], default, *line[1:]] if default and names_none else line


def _with_page(line: list[str]) -> list[str]:
    """Let `diff --html` take the next word only where it names a page, as in `diff --html A B` it does not.

    Examples
    --------
    >>> _with_page(["diff", "--html", "a", "b"]), _with_page(["diff", "a", "b", "--html", "c.html"])
    (['diff', '--html=', 'a', 'b'], ['diff', 'a', 'b', '--html', 'c.html'])
    """
    if line[:1] != ["diff"]:
        return line
    pairs = zip(line, [*line[1:], ""], strict=True)
    return [f"{word}=" if word == "--html" and not after.endswith((".html", ".htm")) else word for word, after in pairs]


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
    add_feature_verbs(
        add_group(groups, "features", "what features there are, what they mean, and whether they keep their word")
    )
    add_definition_verbs(groups)
    add_data_verbs(add_group(groups, "data", "what is kept of the data on this machine"))
    add_runs_verbs(
        add_group(
            groups,
            "runs",
            "the runs that were made: list them, make their log anew, delete old ones",
            default="list",
            epilog="Without a VERB, list: leadscore runs --sort-by auc --where model=lightgbm",
        )
    )
    add_run_verbs(groups)
    add_champion_verbs(groups)
    add_score_verbs(groups)
    return top
