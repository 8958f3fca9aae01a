"""How long certainty takes: DeLong on 1,000,000 rows, and 2,000 resamples of leads with six metrics on 100,000 rows.

CPU seconds, of all threads together. Beside each stands scikit-learn: its plain AUC of the same scores, and its six
metrics called anew on each resample, for a few resamples and extrapolated. Values are compared first. Goals: DeLong
1.5 s; bootstrap 20 s and 1 GB.
"""

import resource
import statistics
import time
from collections.abc import Callable

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from leadscore.compare import STATISTICS, bootstrap, delong, paired_auc_test
from leadscore.evaluate import METRICS

ROUNDS = 5
RESAMPLES = 2_000
NAIVE = 10  # resamples measured for the extrapolation


def world(n: int, models: int) -> tuple[np.ndarray, np.ndarray]:
    """Return labels, a tenth positive, and probabilities (n, models) without ties."""
    rng = np.random.default_rng(0)
    label = rng.random(n) < 0.1
    latent = rng.normal(size=n) + label
    return label, 1 / (1 + np.exp(2 - latent[:, None] - 0.5 * rng.normal(size=(n, models))))


def seconds(call: Callable[[], object]) -> float:
    """Return CPU seconds of one call."""
    start = time.process_time()
    call()
    return time.process_time() - start


def show(name: str, measured: list[float], goal: str = "") -> None:
    """Print a median and its range."""
    print(
        f"{name:52} median {statistics.median(measured):6.2f} CPU s ({min(measured):.2f} .. {max(measured):.2f}){goal}"
    )


def measure_delong() -> None:
    """Print DeLong and the paired test beside a plain AUC."""
    label, scores = world(1_000_000, 2)
    found, plain = delong(label, scores), [float(roc_auc_score(label, scores[:, k])) for k in (0, 1)]
    assert np.allclose(found.auc, plain, rtol=0, atol=1e-12), (found.auc, plain)
    calls: dict[str, Callable[[], object]] = {
        "DeLong, 1 model x 1,000,000 rows": lambda: delong(label, scores[:, 0]),
        "paired DeLong test, 2 models x 1,000,000 rows": lambda: paired_auc_test(label, scores[:, 0], scores[:, 1]),
        "scikit-learn's AUC alone, 1 model": lambda: roc_auc_score(label, scores[:, 0]),
    }
    measured: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(ROUNDS):
        for name, call in calls.items():
            measured[name].append(seconds(call))
    for name, each in measured.items():
        show(name, each, ", goal 1.5" if "DeLong" in name else "")


def measure_bootstrap() -> None:
    """Print the bootstrap of leads beside scikit-learn's metrics called on each resample."""
    label, scores = world(100_000, 2)
    lead = np.random.default_rng(1).integers(0, 30_000, size=len(label))
    names = list(STATISTICS)

    def ours(models: int) -> None:
        bootstrap(label, scores[:, :models], lead=lead, metrics=names, resamples=RESAMPLES)

    found = bootstrap(label, scores[:, :1], lead=lead, metrics=names, resamples=1)
    rows_of = pd.Series(np.arange(len(label))).groupby(lead).indices
    _, codes = np.unique(lead, return_inverse=True)
    leads = codes.max() + 1
    rng = np.random.default_rng(0)
    start = time.process_time()
    for number in range(NAIVE):
        drawn = rng.integers(0, leads, size=(1, leads))[0]
        rows = np.concatenate([rows_of[key] for key in np.unique(lead)[drawn]])
        y, p = pd.Series(label[rows].astype(int)), pd.Series(scores[rows, 0])
        values = [METRICS[name](y, p).value for name in names]
        if number == 0:
            assert np.allclose(found.draws[0, :, 0], np.array(values, dtype=float), rtol=0, atol=1e-12)
    naive = (time.process_time() - start) / NAIVE * RESAMPLES
    show(
        "bootstrap of leads, 2,000 x 6 metrics, 100,000 rows", [seconds(lambda: ours(1)) for _ in range(3)], ", goal 20"
    )
    show("the same for two models, paired", [seconds(lambda: ours(2)) for _ in range(3)])
    print(f"{'metrics called anew on each resample, extrapolated':52} {naive:13.0f} CPU s")
    print(f"peak resident memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB, goal 1")


if __name__ == "__main__":
    measure_delong()
    measure_bootstrap()
