"""Every feature, set, definition and experiment that a command line can see, and what uses what."""

from argparse import Namespace
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leadscore.config.command import quoted_note
from leadscore.config.compose import config_loader, group_choices
from leadscore.config.paths import CONF
from leadscore.config.schema import Config
from leadscore.config.sets import set_entries
from leadscore.errors import FeatureError, LeadscoreError, did_you_mean
from leadscore.features import DEFINITIONS, FEATURES, Feature
from leadscore.pipeline import compose, plan_run

if TYPE_CHECKING:
    from leadscore.features import Plan
    from leadscore.features.plan import Planned

__all__ = ["Catalog", "Found", "Made", "dependents", "open_catalog", "steps_of"]


@dataclass(frozen=True)
class Made:
    """A feature set or an experiment.

    Attributes
    ----------
    name : str
    what : str
        The first comment of its file.
    entries : mapping of str to mapping
        Of a set; as its file spells them.
    plan : Plan or None
        What it computes on these data; None when it cannot.
    reason : str
        Why it cannot.
    """

    name: str
    what: str = ""
    entries: Mapping[str, Any] | None = None
    plan: "Plan | None" = None
    reason: str = ""

    @property
    def names(self) -> set[str]:
        """Every feature and definition in it; of one that cannot be planned, what is written in it."""
        return steps_of(self.plan) if self.plan else set(self.entries or {})


@dataclass(frozen=True)
class Found:
    """A feature or definition by its name.

    Attributes
    ----------
    step : Planned
    entry : (str, mapping) or None
        The set's entry that makes it, with these parameters; None for a definition.
    concept : str
        Of a definition.
    reason : str
        Why it cannot be computed on these data; empty when it can.
    """

    step: "Planned"
    entry: tuple[str, Any] | None = None
    concept: str = ""
    reason: str = ""

    @property
    def feature(self) -> Feature:
        """Its declaration."""
        return self.step.feature


@dataclass(frozen=True)
class Catalog:
    """What can be composed here.

    Attributes
    ----------
    config : Config
        The composed run.
    sets : tuple of Made
        By name.
    overrides, config_dir
        What it was composed from.
    """

    config: Config
    sets: tuple[Made, ...]
    overrides: tuple[str, ...] = ()
    config_dir: str | None = None

    def planned(self, entries: Mapping[str, Any]) -> "Plan":
        """Plan a feature mapping on these data; a FeatureError when that cannot be."""
        return plan_run(replace(self.config, features=dict(entries)))

    @cached_property
    def plan(self) -> "Plan":
        """The composed run's plan."""
        return plan_run(self.config)

    @cached_property
    def experiments(self) -> tuple[Made, ...]:
        """Every experiment, as it stands."""
        plugins = [override for override in self.overrides if override.startswith("plugins=")]
        with config_loader(self.config_dir) as loader:
            names = group_choices(loader).get("experiment", [])
        return tuple(_experiment(name, plugins, self.config_dir) for name in names)

    @property
    def in_no_set(self) -> list[str]:
        """Registered features that no set computes."""
        return sorted(set(FEATURES) - set().union(*(each.names for each in self.sets)))

    def find(self, name: str) -> list[Found]:
        """Return what goes by a name: one feature or definition, or all definitions of a concept.

        Raises
        ------
        FeatureError
            With the nearest names.
        """
        for entries in (self.config.features, *(each.entries or {} for each in self.sets)):
            for key, entry in entries.items():
                found = self._from_entry(name, key, entry)
                if found is not None:
                    return [found]
        if name in FEATURES:
            return [self._registered(name)]
        chosen = [
            Found(_planned(each), concept=concept)
            for concept, known in DEFINITIONS.items()
            for each in known.values()
            if name in (each.name, concept)
        ]
        return chosen or self._unknown(name)

    def _from_entry(self, name: str, key: str, entry: Any) -> Found | None:
        if name != key and not (isinstance(entry, Mapping) and "aggregate" in entry):
            return None
        try:
            steps = self.planned({key: entry}).column_steps
        except LeadscoreError:
            return None
        return next((Found(step, (key, entry)) for step in steps if step.feature.name == name), None)

    def _registered(self, name: str) -> Found:
        try:
            (step,) = self.planned({name: {}}).column_steps
        except LeadscoreError as error:
            return Found(_planned(FEATURES[name]), (name, {}), reason=str(error))
        return Found(step, (name, {}))

    def _unknown(self, name: str) -> list[Found]:
        for each in self.sets:
            if name == each.name:
                raise FeatureError(f"'{name}' is a feature set: {', '.join(sorted(each.names))}")
            entry = (each.entries or {}).get(name)
            if entry is not None and each.plan is None:
                raise FeatureError(
                    f"'{name}' is an entry of the set '{each.name}', which cannot be planned: {each.reason}"
                )
            if entry is not None:
                columns = ", ".join(step.feature.name for step in self.planned({name: entry}).column_steps)
                raise FeatureError(f"'{name}' is an entry of the set '{each.name}' that makes other columns: {columns}")
        known = {*FEATURES, *DEFINITIONS, *(known for some in DEFINITIONS.values() for known in some)}
        known |= set().union(*(each.names for each in self.sets))
        raise FeatureError(
            f"nothing is called '{name}'. {did_you_mean(name, known, 'Known')} Your own join by "
            f"plugins=[my_features] and --config-dir."
        )


def open_catalog(arguments: Namespace) -> Catalog:
    """Compose the run that a verb's arguments describe, and read every set beside it.

    Raises
    ------
    LeadscoreError
        When the run cannot be composed.
    """
    overrides = [quoted_note(override) for override in arguments.overrides]
    config = compose(overrides, config_dir=arguments.config_dir)
    with config_loader(arguments.config_dir) as loader:
        names = [name for name in group_choices(loader)["features"] if not name.startswith("+")]
        sets = [Made(name, _comment(name, arguments.config_dir), set_entries(name, loader)) for name in names]
    catalog = Catalog(config, (), tuple(overrides), arguments.config_dir)
    return replace(catalog, sets=tuple(_with_plan(each, catalog) for each in sets))


def steps_of(plan: "Plan") -> set[str]:
    """Return the names of everything that a plan computes, definitions too."""
    return {step.feature.name for step in plan.steps}


def dependents(name: str) -> list[str]:
    """Return the registered features and definitions that take `name`, directly or through others.

    A definition is taken wherever its concept is.

    Examples
    --------
    >>> dependents("active_user"), dependents("paid_invoice_30d")
    (['is_active_user'], ['is_active_user'])
    """
    takers: set[str] = set()
    waiting = [name]
    while waiting:
        current = waiting.pop()
        terms = {current, *(concept for concept, known in DEFINITIONS.items() if current in known)}
        new = {each.name for each in _everything() if terms & set(each.needs)} - takers
        takers |= new
        waiting += new
    return sorted(takers)


def _everything() -> Iterator[Feature]:
    yield from FEATURES.values()
    for known in DEFINITIONS.values():
        yield from known.values()


def _planned(each: Feature) -> "Planned":
    from leadscore.features.plan import Planned

    return Planned(each, dict(each.parameters))


def _with_plan(each: Made, catalog: Catalog) -> Made:
    try:
        return replace(each, plan=catalog.planned(each.entries or {}))
    except LeadscoreError as error:
        return replace(each, reason=str(error))


def _experiment(name: str, plugins: Sequence[str], config_dir: str | None) -> Made:
    what = _comment(name, config_dir, group="experiment")
    try:
        config = compose([*plugins, f"experiment={name}"], config_dir=config_dir)
        return Made(name, what, config.features, plan_run(config))
    except LeadscoreError as error:
        return Made(name, what, reason=str(error))


def _comment(name: str, config_dir: str | None, group: str = "features") -> str:
    """Return the first comment of a config file, which says what it is."""
    for folder in (CONF, *([Path(config_dir)] if config_dir else [])):
        path = folder / group / f"{name}.yaml"
        if path.is_file():
            lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
            said = [line[1:].strip() for line in lines if line.startswith("#") and "@package" not in line]
            return said[0] if said else ""
    return ""
