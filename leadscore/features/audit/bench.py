"""The bench on which features are tried: the same observations in the base world and in altered ones."""

import copy
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from leadscore.errors import FeatureError
from leadscore.eventlog import EventLog
from leadscore.features.audit.calls import Conditions, held_still, under
from leadscore.features.audit.captured import LEAVES, Reached, Slot, reach, replaced
from leadscore.features.audit.edits import Edit, altered, keep_leads
from leadscore.features.audit.frames import Views
from leadscore.features.audit.sample import Sample, take_events
from leadscore.features.build import build
from leadscore.features.plan import Plan, Planned
from leadscore.features.registry import Feature, is_shipped
from leadscore.tables import Tables

__all__ = ["Bench", "Values", "moved"]

LARGE = 20_000  # rows of a captured object above which only the sampled leads' are kept


@dataclass(frozen=True)
class Values:
    """What a build gave: arrays in the observations' order, and the messages of features that raised."""

    columns: Mapping[str, Any] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)


def moved(before: Any, after: Any) -> Any:
    """Return which values differ (n,); NaN equals NaN, and a billionth of the largest value is no difference."""
    if before.dtype.kind == "f" and after.dtype.kind == "f":
        finite = np.abs(before[np.isfinite(before)])
        scale = float(finite.max()) if len(finite) else 0.0
        return ~np.isclose(before, after, rtol=1e-9, atol=1e-9 * scale, equal_nan=True)
    gone = pd.isna(before), pd.isna(after)
    return np.asarray((before != after) & ~(gone[0] & gone[1]), dtype=bool)


class Bench:
    """Builds features in worlds.

    Attributes
    ----------
    sample : Sample
    names : list of str
        What is audited, inputs before their users.
    features : mapping of str to Feature
        All that the plan holds.
    reached : mapping of str to Reached
        What each feature's code captures; nothing for leadscore's own.
    conditions : Conditions
    base : mapping of Timestamp to Values
        By instant, in the base world. Filled by `start`.
    trusting : bool
        Rows are altered only for features whose code captures something: the engine's own rows are in order.
    """

    def __init__(
        self, plan: Plan, sample: Sample, names: Iterable[str], rng: np.random.Generator, *, trusting: bool = False
    ) -> None:
        self.sample = sample
        self.trusting = trusting
        self.rng = rng
        self.views = Views(sample.ids, frozenset(sample.tables.leads["user_id"]))
        self.known_events = sample.events_of_leads
        self.conditions = Conditions()
        self.original = {step.feature.name: step.feature for step in plan.steps}
        wanted = set(names)
        self.names = [name for name in self.original if name in wanted]
        self.reached = {
            step.feature.name: Reached() if is_shipped(step.feature) else reach(step.feature.function, step.parameters)
            for step in plan.steps
        }
        self.steps = {step.feature.name: self._prepared(step) for step in plan.steps}
        self.base: dict[pd.Timestamp, Values] = {}
        self.silent: set[str] = set()  # what cannot be compared: it raises, or moves by itself
        self.guilty: dict[tuple[str, str], Slot | None] = {}
        self._kept = {id(slot): (slot.get(), _first_content(slot.get())) for slot in self._memory()}

    @property
    def features(self) -> Mapping[str, Feature]:
        """The declarations, by name."""
        return self.original

    @contextmanager
    def set_up(self) -> Iterator[None]:
        """Cut large captured objects to the sampled leads, and leave everything as it was found."""
        contents = [(slot.get(), _content(slot.get())) for slot in self._memory()]
        slots = [slot for each in self.reached.values() for slot in each.slots]
        try:
            with replaced(slots, self._cut):
                yield
        finally:
            self._reset()
            for holder, content in contents:
                _refill(holder, content)

    def start(self) -> None:
        """Build the base world."""
        for now in self.sample.instants:
            self.base[now] = self.compute(self.sample.at(now), self.sample.tables)
            self.silent |= set(self.base[now].errors)

    def compute(
        self,
        observations: pd.DataFrame,
        tables: Tables,
        *,
        names: Iterable[str] | None = None,
        change: Callable[[Any], Any] | None = None,
        only: Slot | None = None,
        way: str = "text",
        fresh: bool = True,
        bare: bool = False,
    ) -> Values:
        """Build features for observations in one world.

        Parameters
        ----------
        observations, tables
            As `build` takes them.
        names : iterable of str, optional
            Default: all that can be compared.
        change : callable, optional
            What becomes of each object that the features' code captures.
        only : Slot, optional
            Change the object of this place alone.
        way : str
            See `build`. Ids and texts are plain text, so that what code remembers by id is about that lead.
        fresh : bool
            Forget what code remembered in builds before.
        bare : bool
            Hand the engine the functions as they are: it reads their source, and `under` hides it.
        """
        wanted = self.comparable if names is None else list(names)
        if not wanted or observations.empty:
            return Values()
        columns: dict[str, Any] = {}
        errors: dict[str, str] = {}
        todo = [wanted]
        while todo:
            some = todo.pop()
            if fresh:
                self._reset()
            with ExitStack() as stack:
                if bare:
                    stack.enter_context(held_still(self.conditions))
                if change is not None:
                    stack.enter_context(replaced([only] if only else self._slots(some), change))
                try:
                    table = build(tables, observations, self._plan(some, bare=bare), way=way).X
                    columns |= {name: table[name].to_numpy() for name in some}
                except FeatureError as error:
                    told = self._told(str(error), some)
                    errors |= told
                    others = [name for name in some if name not in told]
                    todo += [others] if told and others else [[name] for name in others]
        return Values(columns, errors)

    def _slots(self, names: list[str]) -> list[Slot]:
        reached = {each for name in names for each in self.with_inputs(name)}
        return [slot for name in self.original if name in reached for slot in self.reached[name].slots]

    def _told(self, message: str, names: list[str]) -> dict[str, str]:
        """Return what a build's error says of which features; one that is built alone is meant in any case."""
        problems = re.split(r"\n  \d+\. ", message)
        told: dict[str, str] = {}
        for name in names:
            named = [f"feature '{each}'" for each in self.with_inputs(name)]
            own = [problem for problem in problems if any(each in problem for each in named)]
            if own or len(names) == 1:
                told[name] = own[0] if own else message
        return told

    @property
    def comparable(self) -> list[str]:
        """What is audited and can be compared, itself and all its inputs."""
        return [name for name in self.names if not self.silent & self.with_inputs(name)]

    @property
    def editable(self) -> list[str]:
        """What is compared when rows are altered."""
        names = self.comparable
        return [
            name for name in names if not self.trusting or any(self._captures(each) for each in self.with_inputs(name))
        ]

    def _captures(self, name: str) -> bool:
        return bool(self.reached[name].slots)

    @property
    def whole(self) -> list[str]:
        """What is audited and raises at no instant."""
        broken = {name for values in self.base.values() for name in values.errors}
        return [name for name in self.names if not broken & self.with_inputs(name)]

    def with_inputs(self, name: str) -> set[str]:
        """Return a feature and all that it is made of."""
        found = {name}
        for needed in self.steps[name].inputs.values():
            found |= self.with_inputs(needed.name)
        return found

    def changer(self, edit: Edit, now: pd.Timestamp) -> Callable[[Any], Any]:
        """Return the edit as a change of captured objects."""
        return lambda thing: altered(thing, edit, now, self.rng, self.views)

    def _prepared(self, step: Planned) -> Planned:
        each = step.feature
        if each.aggregate is None:
            each = replace(each, function=under(self.conditions, each.name, each.function))
        return replace(step, feature=each, is_column=True)

    def _plan(self, names: Iterable[str], *, bare: bool) -> Plan:
        wanted = {each for name in names for each in self.with_inputs(name)}
        steps = [replace(step, feature=self.original[name]) if bare else step for name, step in self.steps.items()]
        return Plan(tuple(step for step in steps if step.feature.name in wanted))

    def _memory(self) -> list[Slot]:
        return [slot for each in self.reached.values() for slot in each.memory]

    def _reset(self) -> None:
        """Forget what the code remembers: empty what it writes to, and undo what it binds anew."""
        for slot in self._memory():
            kept, content = self._kept[id(slot)]
            _refill(kept, content)
            if slot.get() is not kept:
                slot.put(kept)
        for each in self.reached.values():
            for cache in each.caches:
                cache.cache_clear()

    def _cut(self, thing: Any) -> Any:
        kept = frozenset(self.sample.tables.leads["user_id"])
        if isinstance(thing, Tables):
            return replace(thing, leads=self._cut(thing.leads), log=self._cut(thing.log))
        if isinstance(thing, EventLog):
            return EventLog.from_frame(take_events(thing, kept)) if len(thing) > LARGE else thing
        if isinstance(thing, pd.DataFrame | pd.Series) and len(thing) > LARGE:
            views = Views(self.sample.ids, kept)  # the large object is not kept
            return altered(thing, keep_leads(kept), self.sample.instants[0], self.rng, views)
        return thing


def _content(holder: Any) -> Any:
    return copy.copy(holder) if isinstance(holder, dict | list | set) else None


def _first_content(holder: Any) -> Any:
    """Return what a memory holds before the first call: frames that were put there by hand, and nothing else."""
    if isinstance(holder, dict):
        return {key: item for key, item in holder.items() if isinstance(item, LEAVES)}
    return [item for item in holder if isinstance(item, LEAVES)] if isinstance(holder, list) else set()


def _refill(holder: Any, content: Any) -> None:
    if isinstance(holder, list):
        holder[:] = content
    elif isinstance(holder, dict | set):
        holder.clear()
        holder.update(content)
