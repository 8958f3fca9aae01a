"""What a search costs beside the fits it cannot do without: CPU seconds, interleaved, as a ratio.

The bare way fits the same trees with the same parameters on the same rows, straight from numpy, and measures the AUC
by scikit-learn; both ways must give the same scores. Nothing is pruned, so that both do as many fits. Goal: 1.5.
"""

import statistics
import sys
import time
from typing import Any

import lightgbm
import numpy as np
from sklearn.metrics import roc_auc_score

from leadscore import build_dataset, compose
from leadscore.config.ranges import with_values
from leadscore.model.boosting import BoostedTrees
from leadscore.searching import search_model
from leadscore.split import inner_periods

LINE = ["model=lightgbm", "features=+sessions", "audit=off", "search=random", "search.prune=false"]


def matrix(X: Any) -> tuple[np.ndarray, list[int]]:
    """Return the table as floats, categories as the codes of their sorted levels, and where these stand."""
    columns, categories = [], []
    for place, name in enumerate(X.columns):
        if X[name].dtype == np.float64:
            columns.append(X[name].to_numpy())
        else:
            codes = X[name].astype("category").cat.codes.to_numpy(dtype="float64")
            columns.append(np.where(codes < 0, np.nan, codes))
            categories.append(place)
    return np.column_stack(columns), categories


def bare(dataset: Any, config: Any, parameters: list[dict[str, Any]]) -> list[float]:
    """Fit and score every choice of parameters in every period."""
    frame = dataset.observations.frame
    rows = frame[dataset.folds[0].train(frame)]
    laid = inner_periods(dataset.folds[0], rows, config.search.folds, config.search.share)
    values, categories = matrix(dataset.X.loc[dataset.folds[0].train(frame).to_numpy()])
    label = rows["label"].to_numpy()
    sides = [(fold.train(rows).to_numpy(), fold.valid(rows).to_numpy()) for fold in laid]
    scores = []
    for chosen in parameters:
        model = with_values(config.model, chosen)
        asked = BoostedTrees(model, config.seed)._parameters([])
        asked.pop("monotone_constraints", None)
        own = []
        for train, valid in sides:
            table = lightgbm.Dataset(values[train], label[train], categorical_feature=categories, params=asked)
            trees = lightgbm.train(asked, table, model.n_estimators)
            own.append(roc_auc_score(label[valid], trees.predict(values[valid])))
        scores.append(sum(own) / len(own))
    return scores


def main(leads: int = 20_000, trials: int = 15, rounds: int = 5) -> None:
    """Print both medians and the ratio."""
    config = compose([*LINE, f"data.n_leads={leads}", f"search.trials={trials}"])
    start = time.process_time()
    dataset = build_dataset(config)
    built = time.process_time() - start
    found = search_model(dataset, config)
    assert found is not None
    parameters = [trial.parameters for trial in found.trials]
    theirs = bare(dataset, config, parameters)
    apart = max(abs(a - (b.score or 0)) for a, b in zip(theirs, found.trials, strict=True))
    rows, columns = dataset.X.shape
    fits = trials * config.search.folds
    print(f"{rows:,} rows x {columns} columns, built once in {built:.1f} CPU s; {trials} trials, {fits} fits")
    print(f"scores differ by {apart:.2g} at most")
    spent = []
    for _ in range(rounds):
        start = time.process_time()
        search_model(dataset, config)
        middle = time.process_time()
        bare(dataset, config, parameters)
        spent.append((middle - start, time.process_time() - middle))
    ratios = sorted(ours / plain for ours, plain in spent)
    for name, column in (("search", 0), ("bare fits", 1)):
        print(f"{name:10} median {statistics.median(each[column] for each in spent):.2f} CPU s")
    print(f"ratio      median {statistics.median(ratios):.2f} ({ratios[0]:.2f} .. {ratios[-1]:.2f}), goal 1.5")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
