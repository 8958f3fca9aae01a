"""What computing ten features (seventeen columns) costs: leadscore's ways beside pandas, Polars, DuckDB, featuretools.

Usage: python benchmarks/features.py [--events 1e6,1e7] [--rounds 3] [--only NAME,...] [--peers PYTHON,...]
       python benchmarks/features.py --scaling [--large]
       python benchmarks/features.py --audit

Every way must first give what leadscore's declared aggregates give, to 1e-9; one that does not is called wrong and not
timed. Each measurement is a process of its own, import excluded; the ways take turns within a round. `features s` is
the time for the features alone, with everything in memory or mapped and coded as the way likes it; `whole s` adds
reading and coding. `x` is the ratio to the better of Polars and DuckDB, which other interpreters may have:

    python -m venv ../peers && ../peers/bin/pip install numpy pandas pyarrow polars duckdb
    python benchmarks/features.py --peers ../peers/bin/python
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from feature_ways import COLUMNS, SCENARIOS, WAYS
from feature_ways.audit_time import audit_time
from feature_ways.compare import differing_cells, differing_sums
from feature_ways.scaling import scaling
from feature_ways.spawn import Place
from feature_ways.table import lines

CHECKED_EVENTS = 20_000  # of the log on which results are compared cell by cell
REFERENCE = "prepared"
FILLING = ("again", "plain_again")  # each leaves on disk what its next run takes


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    asked = _parsed(arguments)
    place = Place(Path(asked.folder), tuple(filter(None, asked.peers.split(","))), asked.patience)
    place.folder.mkdir(parents=True, exist_ok=True)
    if asked.scaling:
        scaling(place, _sizes(asked.events), rounds=asked.rounds)
        return
    if asked.audit:
        audit_time(place, _sizes(asked.events)[0])
        return
    ways = [name for name in WAYS if not asked.only or name in asked.only.split(",")]
    checked = min(CHECKED_EVENTS, *_sizes(asked.events))
    wrong = {key: why for each in SCENARIOS for key, why in _differences(place, checked, ways, each).items()}
    found: dict[int, Any] = {}
    for n_events in _sizes(asked.events):
        measured = found[n_events] = _measured(place, n_events, ways, wrong, asked.rounds)
        n_leads = place.n_leads(n_events)
        print("\n".join(line.rstrip() for line in lines(f"{n_events:,} events, {n_leads:,} leads", measured)))
        print("~ extrapolated from some leads\n", flush=True)
    if asked.json:
        rows = [
            {"events": n, "way": way, "scenario": each, "measured": rounds}
            for n, measured in found.items()
            for (way, each), rounds in measured.items()
        ]
        Path(asked.json).write_text(json.dumps(rows, indent=1), encoding="utf-8")


def _parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", default="", help="lengths of the log; default 1e6,1e7")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="", help=f"some of {', '.join(WAYS)}")
    parser.add_argument("--peers", default=sys.executable, help="interpreters in which the peers are looked for")
    parser.add_argument("--folder", default=str(Path(tempfile.gettempdir()) / "leadscore-benchmark"))
    parser.add_argument("--patience", type=float, default=900, help="seconds after which a process is given up")
    parser.add_argument("--json", default="", help="a file for every single measurement")
    parser.add_argument("--scaling", action="store_true", help="declared aggregates by events, lookback and number")
    parser.add_argument("--large", action="store_true", help="with --scaling: also 5e7 events")
    parser.add_argument("--audit", action="store_true", help="a full audit of 20 features on 2e6 events")
    asked = parser.parse_args(arguments)
    unknown = set(filter(None, asked.only.split(","))) - set(WAYS)
    if unknown:
        parser.error(f"--only knows {', '.join(WAYS)}, not {', '.join(sorted(unknown))}")
    if not asked.events:
        scaled = "1e6,3e6,1e7" + (",5e7" if asked.large else "")
        asked.events = scaled if asked.scaling else "2e6" if asked.audit else "1e6,1e7"
    return asked


def _sizes(text: str) -> list[int]:
    return [int(float(each)) for each in text.split(",")]


def _differences(place: Place, n_events: int, ways: list[str], scenario: str) -> dict[tuple[str, str], str | None]:
    """Return why ways are not timed: they give something else than declared aggregates, or cannot run."""
    found: dict[tuple[str, str], str | None] = {}
    for way in dict.fromkeys([REFERENCE, *ways]):
        said = place.run(replace(place.job(way, n_events, scenario), out=str(_result(place, way, scenario))))
        if way == REFERENCE:
            _expect(said)
        if "failed" in said:
            found[way, scenario] = str(said["failed"])
            continue
        files = [_result(place, each, scenario) for each in (way, REFERENCE)]
        differs = differing_cells(*files, partial=WAYS[way].partial)
        found[way, scenario] = differs and f"WRONG: {differs}"
    return found


def _expect(said: Any) -> Any:
    """Return what the reference has measured; without it there is nothing to compare with."""
    if "failed" in said:
        sys.exit(f"{WAYS[REFERENCE].label} failed: {said['failed']}")
    return said


def _result(place: Place, way: str, scenario: str) -> Path:
    return place.folder / f"{way}-{scenario}.parquet"


def _measured(place: Place, n_events: int, ways: list[str], wrong: Any, rounds: int) -> dict[tuple[str, str], Any]:
    """Run the ways in turn, round after round."""
    measured: dict[tuple[str, str], Any] = {}
    for scenario in SCENARIOS:
        expected = _expect(place.run(place.job(REFERENCE, n_events, scenario)))
        for way in FILLING:
            if way in ways:
                place.run(place.job(way, n_events, scenario))
        for way in ways:
            too_long = n_events > WAYS[way].most_events
            measured[way, scenario] = wrong[way, scenario] or ("not run at this length" if too_long else [])
        for _ in range(rounds):
            for way in ways:
                if not isinstance(measured[way, scenario], str):
                    said = place.run(place.job(way, n_events, scenario))
                    measured[way, scenario] = _with(measured[way, scenario], said, expected, way)
    return {(way, each): measured[way, each] for way in ways for each in SCENARIOS}


def _with(earlier: list[Any], said: Any, expected: Any, way: str) -> Any:
    if "failed" in said:
        return str(said["failed"])
    if said.get("recalled", len(COLUMNS)) < len(COLUMNS):  # leadscore itself has been changed meanwhile
        return f"only {said['recalled']} of {len(COLUMNS)} columns were kept"
    differs = None if WAYS[way].partial else differing_sums(said, expected)
    return f"WRONG: {differs}" if differs else [*earlier, said]


if __name__ == "__main__":
    main()
