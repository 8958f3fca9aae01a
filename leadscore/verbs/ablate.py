"""`leadscore ablate RUN`: what each feature, or each set, is worth on the run's leads."""

from argparse import Namespace
from collections.abc import Iterator

from leadscore.ablation import Ablation, Measured, Worth, ablate_run
from leadscore.record import open_run
from leadscore.record.write import markdown_row
from leadscore.verbs.say import say, say_json, say_prose, say_table

__all__ = ["ablate"]

HEADINGS = ("AUC without", "difference", "95% interval", "p (Holm)", "AUC alone", "95% interval", "verdict")


def ablate(arguments: Namespace) -> int:
    """Take a run apart and say what came out."""
    from leadscore.terminal import Walk

    run = open_run(arguments.names[0], arguments.roots)
    with Walk(3 + 2 * len(run.config.get("features", ()))) as walk:
        found = ablate_run(
            run,
            arguments.by,
            plugins=arguments.plugin or (),
            data_dir=arguments.data_dir,
            tracking_root=arguments.tracking_root,
            step=walk.step,
        )
    if arguments.json:
        say_json(found.to_json())
    elif arguments.md:
        for line in _markdown(found):
            say(line)
    else:
        _say(found)
    return 0


def _say(found: Ablation) -> None:
    say_prose(_opening(found))
    say()
    headings = (found.by, *HEADINGS)
    rows = [_cells(each) for each in found.worths]
    say_table(headings, rows, whole=headings[:-1], right=("AUC without", "difference", "p (Holm)", "AUC alone"))
    say()
    for note in _notes(found):
        say_prose(f"note      {note}")


def _markdown(found: Ablation) -> Iterator[str]:
    yield _opening(found)
    yield ""
    yield markdown_row((found.by, *HEADINGS))
    yield "|" + "---|" * (len(HEADINGS) + 1)
    for each in found.worths:
        yield markdown_row(_cells(each))
    yield ""
    for note in _notes(found):
        yield f"- {note}"


def _opening(found: Ablation) -> str:
    several = f", mean of {found.folds} folds" if found.folds > 1 else ""
    rows = (
        ""
        if found.n is None
        else f" on {found.n:,} validation rows of {found.leads:,} leads, {found.positives:,} converted"
    )
    return f"Run {found.run_id}, {found.model}: AUC {_number(found.auc)} with all features{several}{rows}."


def _cells(worth: Worth) -> tuple[str, ...]:
    without, alone = worth.without, worth.alone
    return (
        worth.name,
        _number(without.auc if without else None),
        _number(without.difference if without else None, "+.4f"),
        _interval(without),
        _number(without.p_adjusted if without else None, ".2g"),
        _number(alone.auc if alone else None),
        _interval(alone, above=True),
        worth.sentence,
    )


def _number(value: float | None, form: str = ".3f") -> str:
    return "-" if value is None else format(value, form)


def _interval(found: Measured | None, *, above: bool = False) -> str:
    """Return an interval of the difference, or, above what it is compared with, of the AUC itself."""
    if found is None or found.low is None or found.high is None or found.auc is None or found.difference is None:
        return "-"
    if above:
        base = found.auc - found.difference
        return f"[{base + found.low:.3f}, {base + found.high:.3f}]"
    return f"[{found.low:+.4f}, {found.high:+.4f}]"


def _notes(found: Ablation) -> Iterator[str]:
    yield (
        "A difference is the AUC without it minus the AUC with all: below 0 where it was of use. Alone is the same "
        "model on it and on nothing else; on no feature at all the AUC is 0.5."
    )
    looks = f" and {found.earlier:,} earlier looks at these rows" if found.earlier else ""
    yield (
        f"p is after Holm for {found.comparisons:,} comparisons{looks}; each interval is for itself. "
        f"Method: {found.method}."
    )
    detectable = [each.without.smallest_detectable for each in found.worths if each.without]
    known = [value for value in detectable if value is not None]
    if known:
        ends = f"{min(known):.4f} to {max(known):.4f}" if len(known) > 1 else f"{known[0]:.4f}"
        yield f"Leads like these show a difference of {ends} four times in five; a smaller one often goes unseen."
    if found.refits:
        yield found.refits
    yield (
        f"{found.looks:,} looks at the validation rows were added to the ledger; what is chosen by them is flattered "
        f"by these rows."
    )
    for each in found.worths:
        for reason in each.reasons:
            yield f"{each.name}: {reason}"
    yield from found.notes
