"""`leadscore score-diff OLD NEW`: why scores moved between two batches."""

from argparse import Namespace
from typing import Any

from leadscore.scoring.diff_words import CAUSES
from leadscore.scoring.score_diff import ScoreDiff, diff_scores
from leadscore.scoring.splitting import NAMED, PARTS
from leadscore.verbs.say import say, say_json, say_pairs, say_prose, say_table

__all__ = ["score_diff"]

SHOWN = 10  # columns in sum


def score_diff(arguments: Namespace) -> int:
    """Print what moved."""
    old, new = arguments.names
    found = diff_scores(
        old,
        new,
        arguments.overrides,
        lead=arguments.lead,
        config_dir=arguments.config_dir,
        roots=arguments.roots,
    )
    if arguments.json:
        say_json(found.to_json())
    elif arguments.lead is not None:
        _say_lead(found)
    else:
        _say(found)
    return 0


def _say(found: ScoreDiff) -> None:
    say_prose(found.sentence)
    say()
    say_pairs([(side, _side(past)) for side, past in (("old", found.old), ("new", found.new))])
    if len(found.frame):
        _say_parts(found)
        _say_bands(found)
        _say_movers(found)
    for note in found.notes:
        say(f"note      {note}")


def _side(past: Any) -> str:
    times = past.frame["as_of"]
    when = f", as of {_time(times.min())} to {_time(times.max())}" if len(times) else ""
    return f"{past.name}: {len(past.frame):,} leads by {past.run.model.name} of run {past.run.run_id}{when}"


def _time(instant: Any) -> str:
    return f"{instant:%Y-%m-%d %H:%M}"


def _say_parts(found: ScoreDiff) -> None:
    say()
    parts = found.parts
    say_table(
        ("log-odds moved by", "sum", "mean", "mean size", "largest for"),
        [
            (CAUSES.get(name, name), *(f"{part[key]:+.3f}" for key in ("sum", "mean")), f"{part['mean_size']:.3f}",
             f"{part['largest_for']:,}")
            for name, part in parts.items()
        ],
        right=("sum", "mean", "mean size", "largest for"),
    )  # fmt: skip
    rows = found.columns[found.columns["mean_size"] > 0].head(SHOWN)
    if len(rows):
        say()
        say_table(
            ("column of the data's part", "sum", "mean size", "strongest for"),
            [(row.column, f"{row.sum:+.3f}", f"{row.mean_size:.3f}", f"{row.strongest_for:,}")
             for row in rows[["column", "mean_size", "strongest_for"]].assign(sum=rows["sum"]).itertuples()],
            right=("sum", "mean size", "strongest for"),
        )  # fmt: skip


def _say_bands(found: ScoreDiff) -> None:
    bands = found.bands
    used = [band for band in bands.index if bands.loc[band].sum() or bands[band].sum()]
    say()
    headings = ("band", *(f"now {band}" for band in used))
    rows = [(f"was {old}", *(f"{bands.loc[old, new]:,}" for new in used)) for old in used]
    say_table(headings, rows, right=headings[1:])


def _say_movers(found: ScoreDiff) -> None:
    say()
    headings = ("user_id", "before", "now", "bands", "total", *PARTS, "columns that moved it")
    rows = [
        (
            page["user_id"],
            f"{page['old']:.3f}",
            f"{page['new']:.3f}",
            f"{page['band_old']} {page['band_new']}",
            *(f"{page[part]:+.3f}" for part in ("total", *PARTS)),
            ", ".join(_column(each) for each in page["columns"][:NAMED] if abs(each["part"]) > 1e-9),
        )
        for page in found.leads
    ]
    say_table(headings, rows, whole=("user_id",), right=("before", "now", "total", *PARTS))


def _column(each: dict[str, Any]) -> str:
    old, new = _plain(each["old"]), _plain(each["new"])
    return f"{each['column']} {old if old == new else f'{old} -> {new}'} ({each['part']:+.2f})"


def _plain(value: float | str | None) -> str:
    if value is None:
        return "missing"
    return f"{value:.4g}" if isinstance(value, float) else value


def _say_lead(found: ScoreDiff) -> None:
    for number, page in enumerate(found.leads):
        if number:
            say()
        say(f"lead {page['user_id']}")
        say_pairs(
            [
                ("before", _scored(page, "old", found.old)),
                ("now", _scored(page, "new", found.new)),
                ("moved", f"{page['total']:+.3f} log-odds: {', '.join(f'{name} {page[name]:+.3f}' for name in PARTS)}"),
            ]
        )
        say()
        rows = [
            (each["column"], _plain(each["old"]), _plain(each["new"]), f"{each['part']:+.3f}")
            for each in page["columns"]
        ]
        headings = ("column", "before", "now", "adds to the data's part")
        say_table(headings, rows, whole=headings[:1], right=headings[1:])
    if not found.leads:
        say_prose(found.sentence)
    for note in found.notes:
        say(f"note      {note}")


def _scored(page: dict[str, Any], side: str, past: Any) -> str:
    return f"{page[side]:.3f} (band {page[f'band_{side}']}) at {page[f'as_of_{side}']} by run {past.run.run_id}"
