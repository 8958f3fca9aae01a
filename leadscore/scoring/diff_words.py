"""Why scores moved, in a few plain sentences."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from leadscore.scoring.score_diff import ScoreDiff

__all__ = ["CAUSES", "sentence_of"]

CAUSES = {"data": "the leads' own data", "model": "the model", "calibration": "calibration",
          "rewritten": "what was rewritten since"}  # fmt: skip
STILL = 1e-9  # log-odds


def sentence_of(found: "ScoreDiff") -> str:
    """Return what the numbers say, for who reads no table."""
    return " ".join(_sentences(found))


def _sentences(found: "ScoreDiff") -> Iterator[str]:
    counts, frame = found.counts, found.frame
    yield (
        f"{counts['both']:,} leads are in both files, {counts['only_old']:,} only in the old one and "
        f"{counts['only_new']:,} only in the new one."
    )
    if not counts["both"]:
        yield "There is no lead whose score could have moved."
        return
    if counts["unscored"]:
        yield f"{counts['unscored']:,} of them have no score in one of the two."
    if counts["gone"]:
        yield f"{counts['gone']:,} are not in today's lead table any more, and cannot be computed again."
    if not len(frame):
        return
    moved = (frame["total"].abs() > STILL).sum()
    if not moved:
        yield f"The scores of all {len(frame):,} are the same."
        return
    changed = (frame["band_old"] != frame["band_new"]).sum()
    parts = found.parts
    yield (
        f"Of {len(frame):,} leads with two scores {moved:,} moved, {changed:,} into another band; their mean "
        f"probability went from {frame['old'].mean():.1%} to {frame['new'].mean():.1%}, and on the log-odds scale a "
        f"score moved by {parts['total']['mean_size']:.3f} on average."
    )
    if found.same_run:
        yield "One model gave both scores, so only the leads' own data can have moved them."
    else:
        sizes = sorted(CAUSES, key=lambda name: -parts[name]["mean_size"])
        told = [f"{CAUSES[name]} {parts[name]['mean_size']:.3f}" for name in sizes if parts[name]["mean_size"] > STILL]
        yield f"Mean size of the parts: {', '.join(told)}."
    strongest = found.columns[found.columns["mean_size"] > STILL].head(3)
    if len(strongest):
        named = ", ".join(f"{row.column} ({row.mean_size:.3f})" for row in strongest.itertuples())
        yield f"Of the data's part most came from {named}."
    yield _recomputed(found)


def _recomputed(found: "ScoreDiff") -> str:
    n, both = len(found.frame), found.recomputed
    if not any(both.values()):
        return f"Computed again from today's tables, all {2 * n:,} probabilities are the recorded ones."
    return (
        f"Computed again from today's tables, {both['old']:,} of {n:,} old probabilities and {both['new']:,} new ones "
        f"are not the recorded ones: the tables, or the features' code, have since been rewritten. That part stands "
        f"apart."
    )
