"""The table that is printed, and the lines below it."""

import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from feature_ways import SCENARIOS, WAYS

__all__ = ["Measured", "lines"]

# (way, scenario) -> what each round measured, or why there is none
Measured = Mapping[tuple[str, str], Sequence[Mapping[str, Any]] | str]
LABEL = 38
PEERS = ("polars", "polars_streaming", "duckdb")
HEAD = f"{'features s':^20} {'x':>6} {'whole s':>9} {'x':>6} {'GiB':>5}"
SHARES = {  # way -> the way it is measured against, what the share is called, its goal
    "plain": ("bare", "leadscore, functions: the build's time / the functions' own on the same rows", 1.1),
    "again": ("prepared", "leadscore, declared: an unchanged run's time for features / the first's", 0.05),
    "plain_again": ("plain2", "leadscore, functions: an unchanged run's time for features / the first's", 0.05),
}


def lines(title: str, measured: Measured) -> Iterator[str]:
    """Yield a table: ways by scenario, `x` being the ratio to the better of Polars and DuckDB."""
    scenarios = list(dict.fromkeys(scenario for _, scenario in measured))
    ways = list(dict.fromkeys(way for way, _ in measured))
    best = {each: _best(measured, each) for each in scenarios}
    yield f"{title:{LABEL}}" + "".join(f" | {SCENARIOS[each]:^{len(HEAD)}}" for each in scenarios)
    yield f"{'':{LABEL}}" + f" | {HEAD}" * len(scenarios)
    yield "-" * LABEL + f"-+-{'-' * len(HEAD)}" * len(scenarios)
    for way in ways:
        cells = [_cell(measured[way, each], best[each], partial=WAYS[way].partial) for each in scenarios]
        yield f"{WAYS[way].label:{LABEL}}" + "".join(f" | {cell:{len(HEAD)}}" for cell in cells)
    yield from _shares(measured, scenarios)
    for way, each in measured:
        if isinstance(measured[way, each], str) and len(str(measured[way, each])) > len(HEAD):
            yield f"{WAYS[way].label}, {SCENARIOS[each]}: {measured[way, each]}"


def _seconds(rounds: Sequence[Mapping[str, Any]], *, whole: bool) -> list[float]:
    return [sum(each["seconds"].values()) if whole else each["seconds"]["compute"] for each in rounds]


def _best(measured: Measured, scenario: str) -> dict[bool, float]:
    found = [measured.get((way, scenario), "") for way in PEERS]
    rounds = [each for each in found if each and not isinstance(each, str)]
    return {
        whole: min((statistics.median(_seconds(each, whole=whole)) for each in rounds), default=float("nan"))
        for whole in (False, True)
    }


def _cell(rounds: Sequence[Mapping[str, Any]] | str, best: Mapping[bool, float], *, partial: bool) -> str:
    if isinstance(rounds, str):
        return rounds if len(rounds) <= len(HEAD) else f"{rounds[: len(HEAD) - 4]} ..."
    features, whole = _seconds(rounds, whole=False), _seconds(rounds, whole=True)
    middle, all_of_it = statistics.median(features), statistics.median(whole)
    said = f"{'~' if partial else ''}{_short(middle)} ({_short(min(features))}..{_short(max(features))})"
    ratios = [f"{_short(middle / best[False]):>6}", f"{_short(all_of_it / best[True]):>6}"]
    return f"{said:20} {ratios[0]} {_short(all_of_it):>9} {ratios[1]} {max(each['peak'] for each in rounds):5.2f}"


def _short(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.{3 if value < 1 else 2 if value < 10 else 1 if value < 100 else 0}f}"


def _shares(measured: Measured, scenarios: Sequence[str]) -> Iterator[str]:
    for way, (base, said, goal) in SHARES.items():
        for scenario in scenarios:
            ours, theirs = measured.get((way, scenario), ""), measured.get((base, scenario), "")
            if not ours or not theirs or isinstance(ours, str) or isinstance(theirs, str):
                continue
            pairs = zip(_seconds(ours, whole=False), _seconds(theirs, whole=False), strict=True)
            shares = sorted(a / b for a, b in pairs)
            median = statistics.median(shares)
            yield f"{said}, {SCENARIOS[scenario]}: {median:.3f} ({shares[0]:.3f}..{shares[-1]:.3f}), goal {goal}"
