"""How past scores did, in a few plain sentences."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import pandas as pd

from leadscore.window import IMMATURE

if TYPE_CHECKING:
    from leadscore.scoring.outcomes import Outcomes
    from leadscore.scoring.promises import BandKept

__all__ = ["sentence_of", "share_words"]


def share_words(value: float, low: float | None, high: float | None) -> str:
    """Return a share with its interval.

    Examples
    --------
    >>> share_words(0.132, 0.1, 0.17)
    '13.2% [10.0%, 17.0%]'
    """
    return f"{value:.1%}" + ("" if low is None or high is None else f" [{low:.1%}, {high:.1%}]")


def sentence_of(found: "Outcomes") -> str:
    """Return what the numbers say, for who reads no table."""
    return " ".join(_sentences(found))


def _sentences(found: "Outcomes") -> Iterator[str]:
    counts, frame = found.counts, found.frame
    if not counts["scored"]:
        yield "No lead was scored, so there is nothing to wait for."
        return
    first, last = frame["as_of"].min(), frame["as_of"].max()
    when = f"at {_time(first)}" if first == last else f"between {_time(first)} and {_time(last)}"
    leads = frame["user_id"].nunique()
    scored = f"{leads:,} leads" if leads == len(frame) else f"{len(frame):,} rows of {leads:,} leads"
    if not counts["known"]:
        yield f"Of {scored} scored {when}, no outcome is known yet."
        yield from _waiting(found)
        return
    assert found.rate is not None
    assert found.expected is not None
    n, positives = counts["known"], int(found.known["label"].sum())
    whole = "all" if n == counts["scored"] else f"{n:,}"
    within = "" if found.horizon == "0d" else f" within {found.horizon}"
    share = share_words(found.rate, found.low, found.high)
    yield (
        f"Of {scored} scored {when}, the outcome of {whole} is known: {positives:,} converted{within}, {share}, where "
        f"the scores expected {found.expected:.1%} ({n * found.expected:,.1f})."
    )
    yield _calibration(found)
    yield _ranking(found)
    yield from _bands(found.bands)
    yield from _waiting(found)


def _time(instant: pd.Timestamp) -> str:
    return f"{instant:%Y-%m-%d}" if instant == instant.floor("D") else f"{instant:%Y-%m-%d %H:%M} UTC"


def _calibration(found: "Outcomes") -> str:
    off = found.metrics["calibration_in_the_large"]
    assert off.value is not None
    assert off.low is not None
    assert off.high is not None
    if off.verdict != "off":
        return "On the whole the probabilities were right, within what chance allows."
    way = "high" if off.value > 0 else "low"
    return (
        f"The probabilities were too {way} by {abs(off.value) * 100:.1f} percentage points "
        f"[{min(abs(off.low), abs(off.high)) * 100:.1f}, {max(abs(off.low), abs(off.high)) * 100:.1f}], more than "
        f"chance allows."
    )


def _ranking(found: "Outcomes") -> str:
    auc = found.metrics["auc"]
    if auc.value is None:
        return f"How well they ranked cannot be said ({auc.reason})."
    if not auc.verdict:
        why = auc.reason or "validation has none to hold it against"
        return f"The ranking reached an AUC of {auc.value:.3f}, which is not judged: {why}."
    how = {"as promised": "as well as validation promised", "better": "better than validation promised",
           "worse": "worse than validation promised"}[auc.verdict]  # fmt: skip
    return (
        f"They ranked {how}: AUC {auc.value:.3f} [{auc.low:.3f}, {auc.high:.3f}], promised {auc.promised:.3f} "
        f"[{auc.promised_low:.3f}, {auc.promised_high:.3f}]."
    )


def _bands(bands: "Sequence[BandKept]") -> Iterator[str]:
    judged = [each for each in bands if each.level is not None]
    if not judged:
        yield "No band has enough rows to hold it to its promise."
        return
    broken = [each for each in judged if each.verdict != "kept"]
    for each in broken:
        assert each.rate is not None
        assert each.promised is not None
        yield (
            f"Band {each.band} {each.verdict}: {share_words(each.rate, each.low, each.high)} converted, promised "
            f"{share_words(each.promised, each.promised_low, each.promised_high)}."
        )
    kept = [each.band for each in judged if each.verdict == "kept"]
    if kept:
        n = sum(each.n for each in judged)
        which = f"Band {kept[0]}" if len(kept) == 1 else f"Bands {_listed(kept)}"
        yield f"{which} kept what validation promised, as far as {n:,} rows can tell."
    few = [each.band for each in bands if each.verdict == "too few"]
    if few:
        yield f"{'Band' if len(few) == 1 else 'Bands'} {_listed(few)} had too few rows to say."


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _waiting(found: "Outcomes") -> Iterator[str]:
    waiting = found.frame.loc[found.frame["left_out"] == IMMATURE, "matures_at"]
    if waiting.empty:
        return
    first, last = waiting.min(), waiting.max()
    when = f"at {_time(first)}" if first == last else f"between {_time(first)} and {_time(last)}"
    verb = "is immature and matures" if len(waiting) == 1 else "are immature and mature"
    yield f"{len(waiting):,} {verb} {when}; today's tables are complete up to {_time(found.data_end)}."
