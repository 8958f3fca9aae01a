"""The grammar of the verbs about the log and its folders: `runs`."""

from typing import Any

from leadscore.verbs.syntax import add_json, add_roots, add_verb

__all__ = ["add_runs_verbs"]


def add_runs_verbs(group: Any) -> None:
    """Add `runs list`, `rebuild`, `prune` and `sync`."""
    _list(group)
    rebuild = add_verb(
        group,
        "rebuild",
        "rebuild:rebuild",
        "make the log of the first root anew from the run folders under all roots; the old one is kept beside it",
        composes=False,
    )
    add_roots(rebuild)
    rebuild.add_argument("--drop-missing", action="store_true", help="drop rows whose run folder is gone")
    add_json(rebuild)
    _prune(group)
    _sync(group)


def _list(group: Any) -> None:
    listed = add_verb(group, "list", "runs:list_runs", "list the runs in the logs, latest first", composes=False)
    listed.add_argument(
        "--sort-by", metavar="COLUMN", help="a column or metric: what is better first, missing values last"
    )
    listed.add_argument("--ascending", action="store_true", help="the smallest first, whatever is better")
    listed.add_argument(
        "--where",
        action="append",
        metavar="COND",
        help="NAME=VALUE, or one of != >= <= > < for =; may be repeated, and all must hold",
    )
    listed.add_argument("--limit", type=int, metavar="N", help="at most so many (default: 50 in the table; 0: all)")
    add_roots(listed)
    form = listed.add_mutually_exclusive_group()
    form.add_argument("--csv", action="store_const", dest="form", const="csv", help="as in the log")
    form.add_argument("--md", action="store_const", dest="form", const="md", help="Markdown")
    form.add_argument("--json", action="store_const", dest="form", const="json", help="for programs")


def _prune(group: Any) -> None:
    prune = add_verb(
        group,
        "prune",
        "prune:prune",
        "show which run folders would be deleted, and delete them with --yes; rows in the log stay",
        composes=False,
    )
    prune.add_argument("--keep", type=int, metavar="N", help="not the latest N (of those with --status)")
    prune.add_argument("--older-than", metavar="DURATION", help="only those that started longer ago, as in 90d")
    prune.add_argument(
        "--status",
        action="append",
        metavar="STATUS",
        choices=("done", "failed", "cancelled", "interrupted"),
        help="only those that are done, failed, cancelled or interrupted; may be repeated",
    )
    prune.add_argument("--yes", action="store_true", help="delete them")
    add_roots(prune)
    add_json(prune)


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
