"""What a batch of scores costs: leads a second on one core with reasons on, features apart, and the memory it takes.

A run is trained on 6,000 demo leads; the batch is every lead of a demo of `N_LEADS` at its own point, in chunks.
Goals: 200,000 leads a second for `logistic`, 20,000 for `lightgbm` of 200 trees, features apart.
"""

import resource
import statistics
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from leadscore import compose, compose_score, open_run
from leadscore.pipeline import run
from leadscore.preparing import model_table
from leadscore.scoring import batch as batches
from leadscore.scoring import prepare_batch, write_scores

N_LEADS = int(sys.argv[1]) if len(sys.argv) > 1 else 200_000
ROUNDS = 3
MODELS = {"logistic": ["model=logistic"], "lightgbm, 200 trees": ["model=lightgbm", "model.n_estimators=200"]}


def measure(name: str, overrides: list[str], folder: Path) -> None:
    """Print the medians of some rounds, and the largest part."""
    where = folder / name.replace(" ", "_").replace(",", "")
    run(compose([*overrides, "audit=off", "report=false", f"tracking.root={folder}"]), where)
    given = [f"data.n_leads={N_LEADS}", "as_of=data_end", "since=3650d", f"output={folder}/scores.parquet"]
    batch = prepare_batch(open_run(where), compose_score([*given, "drift.fail=null"]))
    spent: Counter[str] = Counter()

    def timed(*arguments: object, **named: object) -> object:
        start = time.perf_counter()
        table = model_table(*arguments, **named)  # type: ignore[arg-type]
        spent["features"] += time.perf_counter() - start  # type: ignore[assignment]
        return table

    batches.model_table = timed  # type: ignore[assignment]
    rounds = []
    for _ in range(ROUNDS):
        spent.clear()
        start = time.perf_counter()
        report = write_scores(batch)
        whole = time.perf_counter() - start
        rounds.append((whole, spent["features"]))
    batches.model_table = model_table
    n = report["leads"]["scored"]
    features = statistics.median(each for _, each in rounds)
    scoring = statistics.median(whole - each for whole, each in rounds)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{name:20} {n:,} leads: scores, reasons, drift and file {n / scoring:,.0f} leads/s; features with their check "
        f"{n / features:,.0f} leads/s; peak memory {peak:,.0f} MB"
    )


def main() -> None:
    """Measure each model."""
    with tempfile.TemporaryDirectory() as name:
        for model, overrides in MODELS.items():
            measure(model, overrides, Path(name))


if __name__ == "__main__":
    main()
