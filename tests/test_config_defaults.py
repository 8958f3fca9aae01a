"""A default is written as a checked config spells it: else stating it would change a run's name."""

import dataclasses
import typing
from collections.abc import Iterator

import pytest
from omegaconf import MISSING

from leadscore.config.checks import _SPELLINGS
from leadscore.config.schema import SCHEMAS
from leadscore.identity.asked import canonical_config
from leadscore.pipeline import compose


def kinds_of_text(schema: type, path: str) -> Iterator[tuple[str, str, object]]:
    """Name, kind and default of each duration and instant of a schema and of the schemas inside it."""
    hints = typing.get_type_hints(schema)
    for field in dataclasses.fields(schema):
        where = f"{path}.{field.name}"
        if kind := field.metadata.get("kind"):
            yield where, kind, field.default
        for part in (hints[field.name], *typing.get_args(hints[field.name])):
            if dataclasses.is_dataclass(part):
                yield from kinds_of_text(typing.cast("type", part), where)


FOUND = [
    found
    for group, schemas in SCHEMAS.items()
    for name, schema in schemas.items()
    for found in kinds_of_text(schema, f"{group}.{name}")
]
WRITTEN = [(where, kind, default) for where, kind, default in FOUND if default not in (None, MISSING)]


@pytest.mark.parametrize(("where", "kind", "default"), WRITTEN)
def test_a_default_is_in_its_one_spelling(where: str, kind: str, default: str) -> None:
    assert default == _SPELLINGS[kind](default), where


def test_nested_schemas_and_both_kinds_are_looked_at() -> None:
    assert {"data.files.row_order.step", "validation.holdout.embargo"} <= {where for where, _, _ in FOUND}
    assert {"data.files.earliest", "validation.holdout.embargo"} <= {where for where, _, _ in WRITTEN}


def test_stating_the_default_leaves_a_config_as_it_was() -> None:
    files = ["data=bpic2012", "data.dir=."]
    stated = compose([*files, "data.earliest=2000-01-01", "data.policy.null_ids=error", "validation.embargo=0h"])

    assert "earliest" not in canonical_config(stated, {})["data"]
    assert canonical_config(stated, {}) == canonical_config(compose(files), {})
