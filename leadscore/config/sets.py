"""Feature sets: what one choice adds, and where two of them disagree."""

from typing import TYPE_CHECKING, Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf

from leadscore.config.plus import BASE, GROUP, added_sets

if TYPE_CHECKING:
    from hydra.core.config_loader import ConfigLoader

__all__ = ["chosen_sets", "disagreeing_sets", "set_entries"]


def chosen_sets(hydra: Any) -> list[str]:
    """Return the names of the feature sets that a job chose.

    Parameters
    ----------
    hydra : DictConfig or HydraConf
        Hydra's own node: it records a choice by name, but forgets a list (`features=[base,money]`), which
        then stands among the overrides.
    """
    choice: Any = hydra.runtime.choices.get(GROUP)
    typed: Any = OmegaConf.to_container(hydra.overrides.task, resolve=False)
    for override in OverridesParser.create().parse_overrides(typed):
        if override.get_key_element() == GROUP and isinstance(override.value(), list):
            choice = override.value()
    if isinstance(choice, list):
        return [str(name) for name in choice]
    added = added_sets(str(choice))
    return [str(choice)] if added is None else [BASE, *added]


def disagreeing_sets(tree: DictConfig, loader: "ConfigLoader") -> list[str]:
    """Return a sentence for each feature to which two chosen sets give different parameters.

    Merging would let the later set win in silence, and `[a,b]` would differ from `[b,a]`.
    """
    chosen = chosen_sets(tree.hydra)
    if len(chosen) < 2:
        return []
    given: dict[str, tuple[str, Any]] = {}
    problems = []
    for name in chosen:
        for feature, parameters in set_entries(name, loader).items():
            first, earlier = given.setdefault(feature, (name, parameters))
            if earlier != parameters:
                problems.append(
                    f"feature '{feature}' stands in the sets '{first}' ({earlier}) and '{name}' ({parameters}) "
                    f"with different parameters: give the variant a feature name of its own, or choose one set"
                )
    return problems


def set_entries(name: str, loader: Any) -> dict[str, Any]:
    """Read one set's file, and the sets that it builds on; composing each would cost as much as the run's config."""
    loaded = loader.repository.load_config(f"{GROUP}/{name}")
    features: dict[str, Any] = {}
    for default in loaded.defaults_list:
        if not default.is_self():
            features |= set_entries(default.get_name(), loader)
    own = OmegaConf.to_container(loaded.config, resolve=False)
    assert isinstance(own, dict)
    return features | {str(feature): parameters for feature, parameters in own.items()}
