"""Which two runs the site sets side by side: few, and those that somebody will ask about."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from leadscore.record.champion import Entry
from leadscore.site.rows import Listed

__all__ = ["Pair", "wanted_pairs"]

PROMOTIONS = 10  # the latest, each against the champion that it replaced


@dataclass(frozen=True)
class Pair:
    """Run `b` against run `a`; `why` says what A is to B."""

    a: str
    b: str
    why: str

    @property
    def place(self) -> str:
        """Its page in the site."""
        return f"comparisons/{self.a}..{self.b}.html"


def wanted_pairs(rows: Sequence[Listed], entries: Sequence[Entry], newest: int) -> list[Pair]:
    """Return the pairs to draw, each once, whichever of the two is A.

    Each of the newest measured runs stands against the champion where that was measured on the same rows, else against
    the run before it on these rows that is not of the same sweep; each champion against the one that it replaced.

    Parameters
    ----------
    rows : sequence of Listed
        The latest first.
    entries : sequence of Entry
        The champion's history, oldest first.
    newest : int
        How many runs.
    """
    measured = {row.run_id: row for row in rows if row.is_measured}
    champion = measured.get(entries[-1].run_id) if entries else None
    found: dict[frozenset[str], Pair] = {}
    for pair in [*_promotions(entries[-PROMOTIONS:], measured), *_newest(list(measured.values()), champion, newest)]:
        found.setdefault(frozenset((pair.a, pair.b)), pair)
    return list(found.values())


def _promotions(entries: Sequence[Entry], measured: Mapping[str, Listed]) -> list[Pair]:
    return [
        Pair(entry.replaces, entry.run_id, "the champion before")
        for entry in entries
        if entry.action == "promote" and entry.replaces is not None and {entry.replaces, entry.run_id} <= {*measured}
    ]


def _newest(measured: Sequence[Listed], champion: Listed | None, newest: int) -> list[Pair]:
    pairs = []
    for place, row in enumerate(measured[:newest]):
        if champion is not None and champion.run_id == row.run_id:
            continue  # it has been set against the one that it replaced
        if champion is not None and champion.validation_hash == row.validation_hash:
            pairs.append(Pair(champion.run_id, row.run_id, "champion"))
            continue
        before = next((each for each in measured[place + 1 :] if _is_before(each, row)), None)
        if before is not None:
            pairs.append(Pair(before.run_id, row.run_id, "the run before"))
    return pairs


def _is_before(other: Listed, row: Listed) -> bool:
    same_sweep = bool(row.sweep) and other.sweep == row.sweep
    return other.validation_hash == row.validation_hash and not same_sweep
