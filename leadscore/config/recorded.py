"""A run's `config.yaml`, read back into the typed config that it was written from."""

from collections.abc import Callable, Mapping
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from leadscore.config.checks import check_tree
from leadscore.config.schema import SCHEMAS, Config
from leadscore.errors import ConfigError, did_you_mean

__all__ = ["recorded_config"]

KEY = {"data": "source"}  # what names the schema of a group, where it is not `name`


def recorded_config(plain: Mapping[str, Any], model_schema: Callable[[str], type]) -> Config:
    """Return the config whose plain values are `plain`.

    Parameters
    ----------
    plain : mapping
        As a run's `config.yaml` has it. Keys that came later have their defaults.
    model_schema : callable
        `model_schema(name)`: the dataclass of a registered model's parameters.

    Raises
    ------
    ConfigError
        When it has a key, or a value, that this leadscore does not know.
    """
    values = dict(plain)
    try:
        tree = OmegaConf.structured(Config)
        for group, schemas in SCHEMAS.items():
            if group == "search" and group not in values:  # a run from before there was one
                continue
            node = dict(values.pop(group))
            name = str(node[KEY.get(group, "name")])
            if group != "model" and name not in schemas:
                raise ConfigError(f"the recorded {group} is '{name}'. {did_you_mean(name, schemas)}")
            schema = model_schema(name) if group == "model" else schemas[name]
            if group == "model" and isinstance(node.get("members"), Mapping):
                members = node["members"].items()
                node["members"] = {label: _typed(model_schema(each["name"]), each) for label, each in members}
            tree[group] = _typed(schema, node)
        tree.merge_with(values)
    except (KeyError, TypeError, ValueError, OmegaConfBaseException) as error:
        said = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
        raise ConfigError(f"the recorded config cannot be read by this leadscore ({said})") from None
    return check_tree(tree)


def _typed(schema: type, node: Mapping[str, Any]) -> Any:
    return OmegaConf.merge(OmegaConf.structured(schema), node)
