"""LightGBM's trees grown by several machines, each on its share of the rows, by LightGBM's own network.

`lightgbm.dask` uses the same network, and leaves to the scheduler which rows lie where and how many machines there are:
no two fits of it gave the same trees. Here row i always belongs to machine i modulo their number.
"""

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from leadscore.errors import ModelError
from leadscore.pools import Crew, Seat

__all__ = ["Rows", "grow_together"]

Array = np.ndarray[Any, Any]
PIECE_CELLS = 8_000_000  # sent at once: 64 MB
MINUTES = 2  # that a machine waits for the others
OWN_LINES = r"^\[(machines|local_listen_port|machine_list_filename|time_out): .*\]\n"  # say where, not what


@dataclass(frozen=True)
class Rows:
    """Training rows: a matrix, outcomes and, where rows count differently, weights."""

    X: Array
    y: Array
    weight: Array | None

    def some(self, which: slice) -> "Rows":
        """Return some of the rows."""
        weight = None if self.weight is None else self.weight[which]
        return Rows(np.ascontiguousarray(self.X[which]), self.y[which], weight)


@dataclass(frozen=True)
class Share:
    """The rows of one of `n` machines, piece by piece."""

    rows: Rows
    number: int
    n: int

    def __iter__(self) -> Iterator[Rows]:
        step = self.n * max(1, PIECE_CELLS // max(1, self.rows.X.shape[1]))
        for first in range(self.number, len(self.rows.y), step):
            yield self.rows.some(slice(first, first + step, self.n))


def grow_together(crew: Crew, rows: Rows, parameters: dict[str, Any], n: int) -> str:
    """Return the trees as LightGBM's text.

    Parameters
    ----------
    crew : Crew
    rows : Rows
    parameters : dict
        LightGBM's, with `num_iterations`, `feature_name` and `categorical_feature`.
    n : int
        Machines.

    Raises
    ------
    ModelError
        When the machines do not end with the same trees.
    """
    texts = crew.together(_grow, [Share(rows, number, n) for number in range(n)], parameters)
    text, *others = (re.sub(OWN_LINES, "", each, flags=re.MULTILINE) for each in texts)
    if any(each != text for each in others):
        raise ModelError(f"{n} machines have grown different trees together (model.machines); nothing of it is used")
    return text


def _grow(seat: Seat, pieces: list[Rows], parameters: dict[str, Any]) -> str:
    """Grow the trees on one machine's rows, together with the others."""
    import lightgbm

    parameters = {**parameters}
    columns = {name: parameters.pop(name) for name in ("feature_name", "categorical_feature")}
    weights = [piece.weight for piece in pieces if piece.weight is not None]
    network = {
        "tree_learner": "data",
        "pre_partition": True,
        "num_machines": len(seat.machines),
        "machines": ",".join(seat.machines),
        "local_listen_port": int(seat.machines[seat.number].rpartition(":")[2]),
        "time_out": MINUTES,
        "num_threads": seat.threads,
    }
    parameters |= network
    table = lightgbm.Dataset(
        [piece.X for piece in pieces],
        label=np.concatenate([piece.y for piece in pieces]),
        weight=np.concatenate(weights) if weights else None,
        params=parameters,
        **columns,
    )
    with _quiet():
        booster = lightgbm.train(parameters, table, parameters.pop("num_iterations"))
        text: str = booster.model_to_string()
        booster.free_network()
    return text


@contextmanager
def _quiet() -> Iterator[None]:
    """Let nothing out: the network's own threads write to the process's output, whatever the verbosity."""
    sys.stdout.flush()
    kept, nowhere = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nowhere)
