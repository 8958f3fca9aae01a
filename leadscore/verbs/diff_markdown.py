"""A diff as a comment under a pull request: the answer in sight, the parts folded, never too long to post."""

from collections.abc import Iterable, Sequence

from leadscore.changes import RunDiff
from leadscore.changes.config import Change
from leadscore.changes.words import MOVERS, becomes, in_words, metric_rows, movers_rows, movers_words
from leadscore.record.write import markdown_row

__all__ = ["LIMIT", "markdown"]

LIMIT = 60_000  # bytes; a comment may hold 65,536 characters
LISTED = 40  # lines of a part
SOURCE = 120  # lines of one function's diff


def markdown(found: RunDiff) -> str:
    """Return the comment, under `LIMIT` bytes: parts that no longer fit are named instead."""
    blocks = [f"**{found.verdict.answer}**: {_text(found.verdict.text)}", _table(["", "A", "B"], metric_rows(found))]
    moved = ", ".join(f"`{each['part']}`" for each in found.moved)
    blocks.append(f"Moved: {moved or 'nothing: the runs ask and answer the same'}.")
    if found.config:
        blocks.append(f"```text\n{becomes(found)}\n```")
    parts = [
        ("What was asked", _changes(found.config)),
        ("Found by search", _changes(found.found)),
        ("Code", _code(found)),
        ("Data", _changes(found.data)),
        ("Environment", _changes(found.environment)),
        ("Windows", _changes(found.windows)),
        ("Leads that moved", _movers(found)),
        ("Aside: decides no number", _changes(found.aside)),
        ("Notes", "\n".join(f"- {_text(note)}" for note in (*found.verdict.notes, *found.notes))),
    ]
    left_out = []
    for title, content in parts:
        block = f"<details><summary>{title}</summary>\n\n{content}\n\n</details>"
        if content and sum(len(each.encode()) + 2 for each in (*blocks, block)) < LIMIT - 500:
            blocks.append(block)
        elif content:
            left_out.append(title)
    if left_out:
        blocks.append(f"Too long for a comment and left out: {', '.join(left_out)}; `leadscore diff` prints all.")
    return "\n\n".join(blocks)


def _text(text: str) -> str:
    """Escape what Markdown or HTML would take for its own."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace("@", "@\u200b")


def _table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [markdown_row(headings), "|" + "---|" * len(headings)]
    return "\n".join([*lines, *(markdown_row(_text(str(cell)) for cell in row) for row in rows)])


def _changes(part: Sequence[Change]) -> str:
    if not part:
        return ""
    table = _table(["", "A", "B"], [(each.key, in_words(each.a), in_words(each.b)) for each in part[:LISTED]])
    return table + (f"\n\n... and {len(part) - LISTED} more" if len(part) > LISTED else "")


def _code(found: RunDiff) -> str:
    blocks = [f"Moved for {', '.join(f'`{name}`' for name in found.things)}."] if found.things else []
    for which in ("only A", "only B"):
        names = [f"`{each.name}`" for each in found.code if each.what == which]
        blocks += [f"{which}: {', '.join(names)}"] if names else []
    for each in found.code:
        if each.what != "changed":
            continue
        blocks.append(f"`{each.name}`")
        blocks += [f"- `{name}`: `{old}` -> `{new}`" for name, (old, new) in each.constants.items()]
        lines = each.diff.splitlines()[2:]
        if lines:
            cut = [f"... {len(lines) - SOURCE} more lines"] if len(lines) > SOURCE else []
            fence = "`" * (3 + each.diff.count("```"))
            blocks.append("\n".join([f"{fence}diff", *lines[:SOURCE], *cut, fence]))
    return "\n\n".join(blocks)


def _movers(found: RunDiff) -> str:
    movers = found.movers
    if movers is None:
        return ""
    said = "\n".join(f"- {_text(' '.join(line.split()))}" for line in movers_words(movers))
    return f"{said}\n\n{_table(MOVERS, movers_rows(movers))}" if movers.rows else said
