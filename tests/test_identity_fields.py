"""Every field of every schema is either in a run's name or not, as its declaration says: none is forgotten."""

import dataclasses
import json
import random
import typing
from collections.abc import Iterator
from pathlib import Path

import pytest
from omegaconf import MISSING

from leadscore.config.schema import HASHED_GROUPS, SCHEMAS, Config
from leadscore.identity import asked
from leadscore.identity.asked import canonical_config, config_hash, parts
from leadscore.pipeline import compose, plan_run

RECORDED = Path(__file__).with_name("recorded_identities.json")
CHANGED_DEFAULT = (
    "an old run would get another name: a default's value, a key or the hash itself has changed. Raise HASH_VERSION in "
    "leadscore/identity/asked.py and record anew (python tests/test_identity_fields.py), never these lines alone"
)
FILES = ["data=bpic2012", "data.dir=."]
CASES = [
    [],
    ["model=lightgbm", "features=+sessions"],
    ["model=baseline", "model.rank_by=days_since_last_event"],
    ["window=snapshots", "window.max_age=90d", "validation=rolling"],
    ["window=given", "validation=random"],
    ["validation=grouped", "definitions=paying", "features=+engagement"],
    ["model.C=0.5", "window.start=2024-03-01", "data.seed=7", "validation.seal=60d"],
    FILES,
    [*FILES, "features=applications", "model=lightgbm", "model.early_stopping=20"],
    ["data=bank_marketing", "data.dir=.", "features=attributes"],
    ["model=hist_gradient_boosting", "model.calibration=isotonic"],
    ["model=ensemble"],
    ["search=random", "model.search_space.C=[0.1, 10, log]"],  # the ranges stated: shipped ones may become better
    ["search=tpe", "search.trials=9", "model.search_space.C=[0.1, 10]"],
]
PART = {"search": "model"}  # a group's part of the identity, where it has none of its own


def named(config: Config) -> str:
    return config_hash(canonical_config(config, plan_run(config).asked))


def recorded_now(overrides: list[str]) -> dict[str, object]:
    config = compose(overrides)
    canonical = canonical_config(config, plan_run(config).asked)
    return {"overrides": overrides, "config_hash": config_hash(canonical), "parts": parts(canonical)}


def defaults_now() -> dict[str, object]:
    """Return each hashed field's default, which a name leaves out: its value may not change under old runs."""
    found = {}
    for group, name, schema, way, counts in FIELDS:
        node, field = schema, None
        for key in way:
            hints = typing.get_type_hints(node)
            field = next(each for each in dataclasses.fields(node) if each.name == key)
            node = next(
                (part for part in (hints[key], *typing.get_args(hints[key])) if dataclasses.is_dataclass(part)), None
            )
        if counts and node is None:
            made = field.default if field.default_factory is dataclasses.MISSING else field.default_factory()
            found[".".join((group, name, *way))] = made
    return found


def test_no_default_has_changed_in_silence():
    was, now = json.loads(RECORDED.read_text())["defaults"], defaults_now()
    changed = {key: (value, now.get(key)) for key, value in was.items() if key not in now or now[key] != value}
    assert not changed, CHANGED_DEFAULT
    assert now.keys() == was.keys(), "a new key has a default now: record it (python tests/test_identity_fields.py)"


@pytest.mark.parametrize("case", json.loads(RECORDED.read_text())["runs"], ids=lambda case: " ".join(case["overrides"]))
def test_recorded_identities_still_hold(case):
    assert json.loads(RECORDED.read_text())["hash_version"] == asked.HASH_VERSION, CHANGED_DEFAULT
    assert recorded_now(case["overrides"]) == case, CHANGED_DEFAULT


def test_every_choice_of_a_hashed_group_is_among_the_recorded():
    seen = [compose(case["overrides"]) for case in json.loads(RECORDED.read_text())["runs"]]
    for group in ("window", "model", "search", "validation", "data"):
        assert {type(getattr(config, group)) for config in seen} >= set(SCHEMAS[group].values()), group


def a_key_more(node: object) -> object:
    """The same values in a schema of a later version, which has one more key with a default."""
    later = dataclasses.make_dataclass("Later", [("added", int, dataclasses.field(default=7))], bases=(type(node),))
    return later(**{field.name: getattr(node, field.name) for field in dataclasses.fields(node)})


@pytest.mark.parametrize("group", ["data", "window", "model", "search", "validation"])
def test_a_new_key_with_a_default_renames_no_run_and_its_use_does(group):
    config = compose(["search=tpe"] if group == "search" else [])
    entries = plan_run(config).asked
    before = config_hash(canonical_config(config, entries))
    later = a_key_more(getattr(config, group))
    assert config_hash(canonical_config(dataclasses.replace(config, **{group: later}), entries)) == before
    later.added = 8
    assert config_hash(canonical_config(dataclasses.replace(config, **{group: later}), entries)) != before


def another(value: object, kind: type) -> object:
    """Return a value of the field's type that is not this one."""
    kinds = [each for each in (typing.get_args(kind) or (kind,)) if each is not type(None)]
    if isinstance(value, bool) or kinds[0] is bool:
        return not value
    if isinstance(value, int | float):
        return value + 1
    if isinstance(value, str):
        return value + "x"
    if isinstance(value, dict):
        return {**value, "another": "x"}
    if isinstance(value, list):
        return [*value, "another"]
    if value is None:
        made = kinds[0]
        return made() if dataclasses.is_dataclass(made) else made(3)
    raise AssertionError(f"no other value is known for {value!r} of {kind}")


def fields_of(schema: type, way: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], bool]]:
    """Yield each field of a schema, those inside it too, and whether it is in the name."""
    hints = typing.get_type_hints(schema)
    for field in dataclasses.fields(schema):
        if not dataclasses.is_dataclass(hints[field.name]):  # one that is always there is tried by its fields
            yield (*way, field.name), field.metadata.get("identity", True)
        for part in (hints[field.name], *typing.get_args(hints[field.name])):
            if dataclasses.is_dataclass(part) and field.metadata.get("identity", True):
                yield from fields_of(typing.cast("type", part), (*way, field.name))


FIELDS = [
    (group, name, schema, way, counts)
    for group in ("data", "window", "model", "search", "validation")
    for name, schema in SCHEMAS[group].items()
    for way, counts in fields_of(schema)
]


def filled(schema: type) -> object:
    """Return an instance with a value wherever the schema has none, also in the tables that may be left out."""
    hints, values = typing.get_type_hints(schema), {}
    for field in dataclasses.fields(schema):
        inner = [
            part for part in (hints[field.name], *typing.get_args(hints[field.name])) if dataclasses.is_dataclass(part)
        ]
        if inner:
            values[field.name] = filled(typing.cast("type", inner[0]))
        elif field.default == MISSING:
            values[field.name] = "given"
    return schema(**values)


@pytest.mark.parametrize(
    ("group", "name", "schema", "way", "counts"),
    FIELDS,
    ids=lambda each: ".".join(each) if isinstance(each, tuple) else "",
)
def test_a_field_moves_the_name_and_its_part_when_it_counts_and_never_otherwise(group, name, schema, way, counts):
    config = compose([])
    before = dataclasses.replace(config, **{group: filled(schema)})
    after = dataclasses.replace(config, **{group: filled(schema)})
    node = getattr(after, group)
    for key in way[:-1]:
        node = getattr(node, key)
    value = getattr(node, way[-1])
    other = None if dataclasses.is_dataclass(value) else another(value, typing.get_type_hints(type(node))[way[-1]])
    setattr(node, way[-1], other)
    first, second = canonical_config(before, {}), canonical_config(after, {})
    assert (config_hash(first) != config_hash(second)) is counts, f"{group}={name}: {'.'.join(way)}"
    moved = [part for part in parts(first) if parts(first)[part] != parts(second)[part]]
    assert moved == ([PART.get(group, group)] if counts else [])


def test_ranges_are_in_the_name_of_a_run_that_searches_them_and_of_no_other():
    line = ["model=lightgbm", "model.search_space.num_leaves=[4, 64, log]"]
    assert named(compose(line)) == named(compose(line[:1]))
    searching = [named(compose([*each, "search=tpe"])) for each in (line, line[:1])]
    assert len({*searching, named(compose(line))}) == 3
    spelled = ["model=lightgbm", "model.search_space.num_leaves=[4.0, 64, log]", "search=tpe"]
    assert named(compose(spelled)) == searching[0]


def test_all_other_nodes_of_the_config_are_outside_the_name():
    config, others = compose([]), {field.name for field in dataclasses.fields(Config)} - {*HASHED_GROUPS}
    assert others >= {"tracking", "compute", "metrics", "checks", "audit", "report", "plugins", "notes", "seed"}
    hints = typing.get_type_hints(Config)
    for key in sorted(others):
        value = getattr(config, key)
        tries = [value]
        if dataclasses.is_dataclass(value):
            known = typing.get_type_hints(type(value))
            tries = [
                dataclasses.replace(value, **{each.name: another(getattr(value, each.name), known[each.name])})
                for each in dataclasses.fields(value)
            ]
        else:
            tries = [another(value, hints[key])]
        for other in tries:
            changed = dataclasses.replace(config, **{key: other})
            assert canonical_config(changed, {}) == canonical_config(config, {}), key


SAME = [
    ["model=lightgbm"],
    ["features=+sessions+recency"],
    ["model.learning_rate=0.05"],
    ["window.horizon=60d"],
    ["validation.share=0.2"],
    ["++data.rates={EUR: 1, CHF: 2}"],
    ["seed=4"],
]
SPELLED = {
    "features=+sessions+recency": ["features=+recency+sessions", "features=[sessions,base,recency]"],
    "model.learning_rate=0.05": ["model.learning_rate=5e-2", "++model.learning_rate=0.050"],
    "window.horizon=60d": ["window.horizon=1440h", "window.horizon='60d'"],
    "validation.share=0.2": ["validation.share=2e-1"],
    "++data.rates={EUR: 1, CHF: 2}": ["++data.rates={CHF: 2.0, EUR: 1e0}"],
    "seed=4": ["seed=9", "notes=other", "model.num_threads=3", "tracking=none", "tracking.root=x", "report=false"],
}


@pytest.mark.parametrize("number", range(12))
def test_any_order_and_spelling_of_the_same_words_is_the_same_name(number):
    drawn = random.Random(number)
    words = [drawn.choice([word, *SPELLED.get(word, [])]) for (word,) in SAME]
    shuffled = drawn.sample(words, len(words))
    model = ["model=lightgbm"]  # a choice comes before what edits it, for Hydra too
    rest = [word for word in shuffled if word not in model]
    assert named(compose([*model, *rest] if number % 2 else [*rest, *model])) == named(
        compose([word for (word,) in SAME])
    )


if __name__ == "__main__":
    found = {"hash_version": asked.HASH_VERSION, "defaults": defaults_now()}
    found["runs"] = [recorded_now(case) for case in CASES]
    RECORDED.write_text(json.dumps(found, indent=2) + "\n")
