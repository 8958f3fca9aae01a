"""The grammar of the verbs about runs."""

from typing import Any

from leadscore.verbs.syntax import add_group, add_json, add_roots, add_verb

__all__ = ["add_run_verbs"]


def add_run_verbs(group: Any) -> None:
    """Add `diff`, `confirm` and `runs sync`."""
    _diff(group)
    _confirm(group)
    _sync(add_group(group, "runs", "what is recorded of runs"))


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
    confirm.add_argument("--data-dir", metavar="DIR", help="where the data lie now (default: as recorded)")
    confirm.add_argument(
        "--plugin", action="append", metavar="MODULE", help="a module that the run used, may be repeated"
    )
    add_json(confirm)


def _sync(group: Any) -> None:
    sync = add_verb(
        group,
        "sync",
        "sync:sync",
        "copy to Weights & Biases what runs with tracking=wandb could not copy, or copied only offline",
        composes=False,
    )
    add_roots(sync)
    sync.add_argument("--timeout", metavar="DURATION", help="the longest wait for one run (default: as recorded)")
    add_json(sync)
