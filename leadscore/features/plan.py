"""From a config's feature mapping to what will be computed, in which order; every wrong name is found here.

No data is needed, so a run with a misspelt feature stops before any file is opened.
"""

import difflib
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from leadscore.errors import FeatureError, did_you_mean, raise_all
from leadscore.features.aggregates import with_numbers
from leadscore.features.entries import entry_features
from leadscore.features.registry import DEFINITIONS, FEATURES, Feature, find_definition, find_feature

__all__ = ["Plan", "Planned", "make_plan"]


@dataclass(frozen=True)
class Planned:
    """One feature or definition as this run uses it.

    Attributes
    ----------
    feature : Feature
    parameters : mapping of str to value
        Every parameter, the defaults filled in.
    inputs : mapping of str to Feature
        Keyword argument to the feature or definition whose values it is handed.
    is_column : bool
        False for what only other features use.
    """

    feature: Feature
    parameters: Mapping[str, Any] = field(default_factory=dict)
    inputs: Mapping[str, Feature] = field(default_factory=dict)
    is_column: bool = True

    @property
    def meaning(self) -> str:
        """The feature's meaning, with the definitions and features it is made of."""
        inputs = [f"{argument} is {each.name}: {each.meaning}" for argument, each in self.inputs.items()]
        return " ".join([self.feature.meaning, *(f"Here {said}" for said in inputs)])

    @property
    def changed(self) -> dict[str, Any]:
        """The parameters that differ from their defaults."""
        return {key: value for key, value in self.parameters.items() if value != self.feature.parameters[key]}


@dataclass(frozen=True)
class Plan:
    """Everything to compute, inputs before their users; columns in the order of their names.

    `asked` is the config's feature mapping in one spelling, defaults left out: what `config_hash` is made of.
    """

    steps: tuple[Planned, ...]
    asked: Mapping[str, Any] = field(default_factory=dict)

    @property
    def columns(self) -> list[Feature]:
        """The model table's columns, sorted by name: the order in which sets are written never matters."""
        return [step.feature for step in self.column_steps]

    @property
    def column_steps(self) -> list[Planned]:
        """The steps that make `columns`, in their order."""
        return sorted((step for step in self.steps if step.is_column), key=lambda step: step.feature.name)

    @property
    def needs_events(self) -> list[str]:
        """Names of the features that read events."""
        return sorted(step.feature.name for step in self.steps if step.feature.source == "events")


def make_plan(
    features: Mapping[str, Any],
    definitions: Mapping[str, str],
    attributes: Mapping[str, str],
    numbers: Collection[str] = ("amount",),
) -> Plan:
    """Look every name up and check every parameter.

    Parameters
    ----------
    features : mapping of str to mapping
        The config's node: feature name to parameters, or an entry with `aggregate`.
    definitions : mapping of str to str
        Concept to the definition meant.
    attributes : mapping of str to str
        `data.known_at_creation`.
    numbers : collection of str
        The event columns that are numbers; the others are text.

    Returns
    -------
    Plan

    Raises
    ------
    FeatureError
        With all unknown names, wrong parameters, cycles and doubled columns.
    """
    planner = _Planner(definitions, numbers)
    for concept, name in definitions.items():  # also those that no feature uses: a typo here must not wait
        with planner.collecting():
            find_definition(concept, name)
    entries: dict[str, list[Feature]] = {}
    for name, entry in features.items():
        with planner.collecting():
            entries[name] = _features_of(name, entry, attributes, numbers)
            for each in entries[name]:
                planner.add(each, {} if "aggregate" in entry else entry, path=())
    planner.check_attributes(attributes)
    raise_all(FeatureError, planner.problems)
    asked = {name: _asked(built, planner.steps) for name, built in entries.items()}
    return Plan(tuple(planner.steps.values()), asked)


def _asked(built: list[Feature], steps: Mapping[str, Planned]) -> dict[str, Any]:
    if len(built) == 1 and built[0].aggregate is None:
        return steps[built[0].name].changed
    return {each.name: each.aggregate.canonical() for each in built if each.aggregate}


def _features_of(
    name: str, entry: Mapping[str, Any], attributes: Mapping[str, str], numbers: Collection[str]
) -> list[Feature]:
    kind = entry.get("aggregate")
    if kind is None:
        misspelt = difflib.get_close_matches("aggregate", [str(key) for key in entry], n=1, cutoff=0.8)
        if misspelt and name not in FEATURES:
            raise FeatureError(f"features.{name}: unknown key '{misspelt[0]}'. Did you mean 'aggregate'?")
        return [with_numbers(find_feature(name), numbers)]
    return entry_features(name, entry, attributes, numbers)


class _Planner:
    """Adds features depth first; knows what is planned already and what went wrong."""

    def __init__(self, definitions: Mapping[str, str], numbers: Collection[str]) -> None:
        self.definitions, self.numbers = definitions, numbers
        self.steps: dict[str, Planned] = {}
        self.problems: list[str] = []

    @contextmanager
    def collecting(self) -> Iterator[None]:
        """Keep a FeatureError raised in the block as one of the problems."""
        try:
            yield
        except FeatureError as error:
            self.problems.append(str(error))

    def add(self, new: Feature, given: Mapping[str, Any], path: tuple[str, ...], *, is_column: bool = True) -> None:
        if new.name in path:
            raise FeatureError(f"features need each other in a circle: {' -> '.join([*path, new.name])}")
        held = self.steps.get(new.name)
        same = held is not None and (held.feature is new or _is_same_aggregate(held.feature, new))
        if held is not None and not same:
            raise FeatureError(f"two entries make a column called '{new.name}': rename one of them")
        inputs = {}
        for need in new.needs:
            found = self._find(need, new)
            self.add(found, {}, (*path, new.name), is_column=False)
            inputs[need] = found
        if held is None or is_column:
            parameters = dict(_parameters(new, given)) if held is None or given else held.parameters
            is_column = is_column or (held is not None and held.is_column)
            self.steps[new.name] = Planned(new, parameters, inputs, is_column)

    def _find(self, need: str, user: Feature) -> Feature:
        if need in DEFINITIONS:
            if need not in self.definitions:
                known = did_you_mean("", DEFINITIONS[need], "Registered")
                raise FeatureError(
                    f"feature '{user.name}' needs the concept '{need}', but definitions.{need} is not set. {known}"
                )
            return find_definition(need, self.definitions[need])
        if need in FEATURES:
            return with_numbers(FEATURES[need], self.numbers)
        known = did_you_mean(need, [*FEATURES, *DEFINITIONS], "Registered")
        raise FeatureError(f"feature '{user.name}' needs '{need}', which is neither a feature nor a concept. {known}")

    def check_attributes(self, attributes: Mapping[str, str]) -> None:
        """Refuse lead columns that the data config does not say were known at creation."""
        for step in self.steps.values():
            if step.feature.source != "leads":
                continue
            undeclared = [column for column in step.feature.columns if column not in attributes]
            if undeclared:
                self.problems.append(
                    f"feature '{step.feature.name}' reads the lead column{'s' if len(undeclared) > 1 else ''} "
                    f"{', '.join(undeclared)}, not listed in data.known_at_creation ({', '.join(attributes) or 'none'})"
                )


def _is_same_aggregate(held: Feature, new: Feature) -> bool:
    return held.aggregate is not None and held.aggregate == new.aggregate


def _parameters(new: Feature, given: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key in given:
        if key not in new.parameters:
            known = did_you_mean(str(key), new.parameters, "Its parameters")
            raise FeatureError(f"features.{new.name}: unknown parameter '{key}'. {known}")
    for key, default in new.parameters.items():
        yield key, _typed(f"features.{new.name}.{key}", given.get(key, default), default)


def _typed(where: str, value: Any, default: Any) -> Any:
    """Return `value` in the type of the signature's default; `7.0` is 7 for an int, `"7"` is refused."""
    wanted = type(default)
    if default is None or type(value) is wanted:
        return value
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if is_number and wanted is float:
        return float(value)
    if is_number and wanted is int and float(value).is_integer():
        return int(value)
    raise FeatureError(f"{where}: {value!r} is not of the type of its default ({wanted.__name__} {default!r})")
