"""How the time of declared aggregates grows: with events, with the lookback, with the number of features."""

import statistics
from collections.abc import Sequence
from typing import Any

from feature_ways.spawn import Place

__all__ = ["scaling"]

LOOKBACKS = ("7d", "30d", "90d", "240d")
NUMBERS = (1, 5, 10, 20)
USUAL = {"lookback": "30d", "n_features": 10}


def scaling(place: Place, sizes: Sequence[int], *, rounds: int) -> None:
    """Print seconds, nanoseconds an event and peak memory.

    Parameters
    ----------
    place : Place
    sizes : sequence of int
        Lengths of the log; lookback and number are varied at the first that is 3,000,000 or more, else at the last.
    rounds : int
    """
    middle = next((size for size in sizes if size >= 3_000_000), sizes[-1])
    cases = [(size, USUAL) for size in sizes]
    cases += [(middle, {**USUAL, "lookback": each}) for each in LOOKBACKS]
    cases += [(middle, {**USUAL, "n_features": each}) for each in NUMBERS]
    for size in sizes:
        place.run(place.job("scaling_case", size, **USUAL))  # prepares the log
    found: list[list[dict[str, Any]]] = [[] for _ in cases]
    for _ in range(rounds):
        for place_in_list, (size, options) in enumerate(cases):
            found[place_in_list].append(place.run(place.job("scaling_case", size, **options)))
    print("declared aggregates from the prepared log, 12 weekly snapshots, 2 threads, one process each")
    print("ns an event are of a second build in the same process, which finds the compiled code loaded")
    print("      events  lookback  features   first s                second s ns an event    GiB")
    for (size, options), measured in zip(cases, found, strict=True):
        print(f"{size:12,} {options['lookback']:>9} {options['n_features']:9}   {_said(size, measured)}")


def _said(size: int, measured: Sequence[dict[str, Any]]) -> str:
    failed = [each["failed"] for each in measured if "failed" in each]
    if failed:
        return str(failed[0])
    seconds = [each["seconds"]["compute"] for each in measured]
    middle, warm = statistics.median(seconds), statistics.median(each["warm"] for each in measured)
    spread = f"{middle:.3f} ({min(seconds):.3f}..{max(seconds):.3f})"
    peak = max(each["peak"] for each in measured)
    return f"{spread:<22} {warm:8.3f} {warm / size * 1e9:11.0f} {peak:6.2f}"
