"""The grammar of the verbs about one run or two."""

from typing import Any

from leadscore.verbs.syntax import Parser, add_json, add_roots, add_verb

__all__ = ["add_run_verbs"]


def add_run_verbs(group: Any) -> None:
    """Add `show`, `diff`, `ablate`, `verify` and `confirm`."""
    _show(group)
    _diff(group)
    _ablate(group)
    _verify(group)
    _confirm(group)


def _show(group: Any) -> None:
    show = add_verb(
        group,
        "show",
        "show_run:show_run",
        "show a run on one page: what it asked and of what, how it did, and how to repeat it",
        names="RUN",
        wanted=(1, 1),
        composes=False,
    )
    show.add_argument("--lead", metavar="ID", help="one lead instead: its values, what each adds to the score, and why")
    show.add_argument("--as-of", metavar="TIME", help="with --lead: which of its validation rows (default: the latest)")
    add_roots(show)
    add_json(show)


def _diff(group: Any) -> None:
    diff = add_verb(
        group,
        "diff",
        "diff:diff",
        "say whether run B is better than run A on the same leads, how sure that is, and what differs",
        names="A B",
        wanted=(2, 2),
        composes=False,
    )
    diff.add_argument("--metric", default="auc", metavar="NAME", help="what is compared (auc)")
    add_roots(diff)
    diff.add_argument("--md", action="store_true", help="Markdown, for a pull request")
    diff.add_argument(
        "--exit-code",
        action="store_true",
        help="leave with 0 when nothing moved, 1 when something did, 2 when the runs cannot be compared",
    )
    add_json(diff)


def _ablate(group: Any) -> None:
    ablate = add_verb(
        group,
        "ablate",
        "ablate:ablate",
        "say what each feature is worth on a run's leads: the model without it, and on it alone",
        names="RUN",
        wanted=(1, 1),
        composes=False,
    )
    ablate.add_argument(
        "--by", default="feature", choices=("feature", "set"), help="what is left out at a time (default: feature)"
    )
    add_roots(ablate)
    ablate.add_argument("--tracking-root", metavar="DIR", help="the folder with ledger.jsonl (default: as recorded)")
    _repeats(ablate)
    ablate.add_argument("--md", action="store_true", help="Markdown, for a pull request")
    add_json(ablate)


def _verify(group: Any) -> None:
    verify = add_verb(
        group,
        "verify",
        "verify:verify",
        "run a run again from its record, in a fresh process, and compare the predictions bit for bit",
        names="RUN",
        wanted=(1, 1),
        composes=False,
    )
    verify.add_argument(
        "--parity",
        action="store_true",
        help="do not train again: score the validation rows with the saved model from raw tables, as a batch is scored",
    )
    add_roots(verify)
    _repeats(verify)
    add_json(verify)


def _repeats(parser: Parser) -> None:
    """Add what a verb needs that reads a run's data again."""
    parser.add_argument("--data-dir", metavar="DIR", help="where the data lie now (default: as recorded)")
    parser.add_argument(
        "--plugin", action="append", metavar="MODULE", help="a module that the run used, may be repeated"
    )


def _confirm(group: Any) -> None:
    confirm = add_verb(
        group,
        "confirm",
        "confirm:confirm",
        "score a run's saved model on the period that validation.seal kept away, and record the look",
        names="RUN",
        wanted=(1, 1),
        composes=False,
    )
    add_roots(confirm)
    confirm.add_argument("--tracking-root", metavar="DIR", help="the folder with seals.json (default: as recorded)")
    _repeats(confirm)
    add_json(confirm)
