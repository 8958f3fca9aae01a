"""A pool in this process: units and results travel as they would to another one, and come in another order."""

import pickle
import random
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import cloudpickle


class Here:
    """Two workers that are none; `spoil` changes the list of their results."""

    n_workers = 2

    def __init__(self, spoil: Callable[[list[Any]], list[Any]] = list, *, sees: bool = True) -> None:
        self.spoil, self.all_seen, self.done = spoil, sees, 0

    def map(self, function: Callable[[Any], Any], units: Iterable[Any]) -> Iterator[Any]:
        results = []
        for unit in units:
            called, handed = pickle.loads(cloudpickle.dumps((function, unit)))
            results.append(pickle.loads(pickle.dumps(called(handed))))
            self.done += 1
        random.Random(len(results)).shuffle(results)
        return iter(self.spoil(results))

    def sees(self, folder: Path) -> bool:
        return self.all_seen and folder.is_dir()
