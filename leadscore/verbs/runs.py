"""`leadscore runs`: the log as a table; what all runs have in common is said once above it."""

import gc
import sys
from argparse import Namespace
from collections.abc import Sequence

from leadscore.errors import ConfigError
from leadscore.record.log import COLUMNS, content_of
from leadscore.record.rows import LogRow, check_name, logged, matching, parse_condition, sort_rows
from leadscore.verbs.say import say

__all__ = ["list_runs"]

LIMIT = 50  # rows of the table; programs get all
NOTE = 40  # characters of a note in the table
NUMBERS = {"auc": "auc", "precision_at_0_8_recall": "precision"}  # columns, and their headings
HASHES = {"config_hash": "config", "identity": "identity"}
Table = dict[str, list[str]]  # heading to cells


def list_runs(arguments: Namespace) -> int:
    """List the runs that match, in the order asked for."""
    gc.disable()  # a log of 100,000 rows is many small objects, none of which is garbage before the end
    if arguments.limit is not None and arguments.limit < 0:
        raise ConfigError(f"--limit {arguments.limit}: a number of runs, 0 for all")
    conditions = [parse_condition(text) for text in arguments.where or ()]
    everything = logged(arguments.roots)
    rows = matching(everything, conditions)
    if arguments.sort_by:
        check_name("--sort-by", arguments.sort_by, everything)
        direction = _direction(arguments.sort_by, rows)
        rows = sort_rows(rows, arguments.sort_by, direction=direction, ascending=arguments.ascending)
    elif arguments.ascending:
        rows.reverse()
    limit = arguments.limit if arguments.limit is not None else 0 if arguments.form in ("csv", "json") else LIMIT
    shown = rows[:limit] if limit else rows
    if arguments.form == "json":
        lines = ",\n".join(row.to_json() for row in shown)
        say(f"[\n{lines}\n]" if lines else "[]")
    elif arguments.form == "csv":
        sys.stdout.write(content_of(row.cells for row in shown).decode())
    elif arguments.form == "md":
        _say_markdown(shown, arguments.sort_by)
        _say_count(len(shown), len(rows))
    else:
        _say(shown, arguments.sort_by)
        _say_count(len(shown), len(rows))
    return 0


def _direction(name: str, rows: Sequence[LogRow]) -> str:
    """Return which end of a column comes first: what is better, the latest, the alphabet's start, the largest."""
    if name == "timestamp":
        return "higher"
    if name in COLUMNS and name not in NUMBERS:
        return "lower"
    from leadscore.evaluate import METRICS

    return METRICS[name].direction if name in METRICS else "higher"


def _say_count(shown: int, matched: int) -> None:
    rest = "" if shown == matched else f" of {matched:,}; --limit 0 shows all"
    say(f"\n{shown:,} {'run' if shown == matched == 1 else 'runs'}{rest}")


def _table(rows: Sequence[LogRow], sort_by: str | None) -> tuple[dict[str, str], Table]:
    """Return what all rows have in common by its heading, and a column for each of the rest."""
    columns: Table = {"run": [str(row["run_id"] or "") for row in rows]}
    columns["ended"] = [str(row["timestamp"] or "")[:16].replace("T", " ") for row in rows]
    for name in ("model", "features", "status"):
        columns[name] = [_text(row[name]) for row in rows]
    for name, heading in NUMBERS.items():
        columns[heading] = [_figure(row, name) for row in rows]
    if sort_by and sort_by not in COLUMNS:
        columns[sort_by] = [_figure(row, sort_by) for row in rows]
    columns["checks"] = [_checks(row) for row in rows]
    for name, heading in HASHES.items():
        columns[heading] = [str(row[name] or "")[:8] for row in rows]
    columns["notes"] = [_shortened(_text(row["notes"])) for row in rows]
    if len(rows) < 2:
        return {}, columns
    own = {"run", "ended", sort_by, {**NUMBERS, **HASHES}.get(str(sort_by))}  # told of each row, whatever they hold
    common = {heading: cells[0] for heading, cells in columns.items() if len(set(cells)) == 1 and heading not in own}
    rest = {heading: cells for heading, cells in columns.items() if heading not in common}
    return {heading: cell for heading, cell in common.items() if cell}, rest


def _figure(row: LogRow, name: str) -> str:
    value = row[name]
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.3f}"
    return _text(value)


def _checks(row: LogRow) -> str:
    said = [(row[f"checks.{result}"], result) for result in ("problem", "note")]
    return ", ".join(f"{n} {result}{'s' if n != 1 else ''}" for n, result in said if n) or (
        "-" if said[0][0] is None else "ok"
    )


def _text(value: object) -> str:
    """Return a text on one line, without what would steer a terminal."""
    text = "" if value is None else str(value)
    return text if text.isprintable() else "".join(each if each.isprintable() else " " for each in text)


def _shortened(text: str) -> str:
    return text if len(text) <= NOTE else f"{text[: NOTE - 3].rstrip()}..."


def _say(rows: Sequence[LogRow], sort_by: str | None) -> None:
    common, columns = _table(rows, sort_by)
    if common:
        say("all: " + ", ".join(f"{heading} {cell}" for heading, cell in common.items()))
        say()
    if not rows:
        return
    numbers = {*NUMBERS.values(), sort_by} - {"notes"}
    padded = []
    for heading, cells in columns.items():
        widths = [_width(cell) for cell in (heading, *cells)]
        widest = max(widths)
        right = heading in numbers
        padded.append(
            [
                f"{' ' * (widest - width)}{cell}" if right else f"{cell}{' ' * (widest - width)}"
                for cell, width in zip((heading, *cells), widths, strict=True)
            ]
        )
    for line in zip(*padded, strict=True):
        say("  ".join(line).rstrip())


def _width(text: str) -> int:
    if text.isascii():
        return len(text)
    from rich.cells import cell_len  # an ideograph takes two columns

    return cell_len(text)


def _say_markdown(rows: Sequence[LogRow], sort_by: str | None) -> None:
    from leadscore.record.write import markdown_row

    common, columns = _table(rows, sort_by)
    if common:
        say("All: " + ", ".join(f"{heading} `{cell}`" for heading, cell in common.items()))
        say()
    say(markdown_row(columns))
    say("|" + "---|" * len(columns))
    for cells in zip(*columns.values(), strict=True):
        say(markdown_row(cells))
