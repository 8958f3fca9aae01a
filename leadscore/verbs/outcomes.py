"""`leadscore outcomes SCORES`: what really became of leads that were scored some time ago."""

from argparse import Namespace
from collections.abc import Callable, Iterable, Sequence

from leadscore.scoring.outcome_words import share_words
from leadscore.scoring.outcomes import Outcomes, outcomes_of
from leadscore.verbs.say import say, say_json, say_pairs, say_prose, say_table

__all__ = ["outcomes"]

Table = Callable[[Sequence[str], Iterable[Sequence[object]]], None]


def outcomes(arguments: Namespace) -> int:
    """Print the report; 0 also where nothing is known yet."""
    found = outcomes_of(arguments.names, arguments.overrides, config_dir=arguments.config_dir, roots=arguments.roots)
    if arguments.json:
        say_json(found.to_json())
    elif arguments.md:
        _say_markdown(found)
    else:
        _say(found)
    return 0


def _say(found: Outcomes) -> None:
    say_prose(found.sentence)
    say()
    say_pairs(_facts(found))
    if found.metrics:
        say()
        headings, rows = _metrics(found)
        say_table(headings, rows, whole=headings, right=("happened", "promised"))
        say()
        headings, rows = _bands(found)
        say_table(headings, rows, whole=headings, right=("rows", "leads", "converted"))
    for note in found.notes:
        say(f"note      {note}")


def _say_markdown(found: Outcomes) -> None:
    from leadscore.record.write import markdown_row

    def table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        say()
        say(markdown_row(headings))
        say("|" + "---|" * len(headings))
        for row in rows:
            say(markdown_row([str(cell) for cell in row]))

    say(f"**Outcomes of {', '.join(found.files)}** {found.sentence}")
    table(("", ""), _facts(found))
    if found.metrics:
        table(*_metrics(found))
        table(*_bands(found))
    for note in found.notes:
        say()
        say(f"- {note}")


def _facts(found: Outcomes) -> list[tuple[str, str]]:
    left = [f"{n:,} {reason}" for reason, n in found.counts.items() if reason not in ("scored", "known")]
    if found.abstained:
        left[0] += f" ({', '.join(f'{name} missing: {n:,}' for name, n in found.abstained.items())})"
    known = found.known
    return [
        ("run", found.run_id),
        ("tables", f"complete up to {found.data_end:%Y-%m-%d %H:%M} UTC"),
        ("known", f"{len(known):,} of {found.counts['scored']:,} rows, {known['user_id'].nunique():,} leads"),
        ("left out", ", ".join(left) or "none"),
    ]


def _metrics(found: Outcomes) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    rows: list[tuple[str, ...]] = [
        (
            each.title,
            _number(each.value),
            _between(each.low, each.high),
            _number(each.promised),
            _between(each.promised_low, each.promised_high),
            each.verdict or (each.reason or ""),
        )
        for each in found.metrics.values()
    ]
    return ("metric", "happened", "95% interval", "promised", "95% interval ", "verdict"), rows


def _bands(found: Outcomes) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    rows: list[tuple[str, ...]] = []
    for each in found.bands:
        happened = "-" if each.rate is None else share_words(each.rate, each.low, each.high)
        promised = "-" if each.promised is None else share_words(each.promised, each.promised_low, each.promised_high)
        expected = "-" if each.expected is None else f"{each.expected:.1%}"
        counts = f"{each.n:,}", f"{each.leads:,}", f"{each.positives:,}"
        rows.append((each.band, *counts, expected, happened, promised, each.verdict))
    return ("band", "rows", "leads", "converted", "expected", "happened", "promised", "verdict"), rows


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _between(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f"[{low:.3f}, {high:.3f}]"
