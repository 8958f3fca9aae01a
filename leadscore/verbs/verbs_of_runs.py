"""The grammar of the verbs about one run or two."""

from typing import Any

from leadscore.verbs.syntax import add_json, add_plugins, add_repeats, add_roots, add_verb

__all__ = ["add_run_verbs"]


def add_run_verbs(group: Any) -> None:
    """Add `show`, `diff`, `ablate`, `report`, `verify`, `confirm` and `resume`."""
    _show(group)
    _diff(group)
    _ablate(group)
    _report(group)
    _verify(group)
    _confirm(group)
    _resume(group)


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
    form = diff.add_mutually_exclusive_group()
    form.add_argument("--md", action="store_true", help="Markdown, for a pull request")
    form.add_argument(
        "--html",
        metavar="[FILE.html]",
        help="one self-contained page with pictures (default: comparisons/A..B.html in the first root)",
    )
    form.add_argument("--json", action="store_true", help="for programs")
    diff.add_argument(
        "--exit-code",
        action="store_true",
        help="leave with 0 when nothing moved, 1 when something did, 2 when the runs cannot be compared",
    )


def _report(group: Any) -> None:
    report = add_verb(
        group,
        "report",
        "report:report",
        "make a static site over all runs, or bring it up to date; with RUN, draw that run's report.html anew",
        names="[RUN]",
        wanted=(0, 1),
        composes=False,
    )
    add_roots(report)
    report.add_argument("--out", metavar="DIR", help="the site's folder (default: site); with RUN, the page's file")
    report.add_argument(
        "--newest",
        type=int,
        metavar="N",
        help="set the N newest runs against the champion or the run before, and draw their missing reports (10)",
    )
    add_plugins(report)
    add_json(report)


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
    add_repeats(ablate)
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
    add_repeats(verify)
    add_json(verify)


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
    add_repeats(confirm)
    add_json(confirm)


def _resume(group: Any) -> None:
    resume = add_verb(
        group,
        "resume",
        "resume:resume",
        "go on with a sweep: run what is missing, failed or was interrupted",
        names="FOLDER",
        wanted=(1, 1),
        overrides="OVERRIDEs change how the jobs are gone through, not what they are: sweep.timeout=2h\n"
        "hydra/launcher=parallel compute.workers=2.",
    )
    add_plugins(resume, "sweep")
