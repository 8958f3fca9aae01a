"""`features=+sessions` means "the base set and sessions", for any set that exists or that a user adds.

Hydra reads `features=+sessions` as the choice of a config called `features/+sessions`. `PlusSource` answers
for that name with a defaults list, `[base, sessions]`, so no file per combination is needed and the composed
config is the one that `features=[base,sessions]` gives. The names are sorted: `+a+b` and `+b+a` are one choice.
"""

from pathlib import Path

from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.object_type import ObjectType
from hydra.core.plugins import Plugins
from hydra.plugins.config_source import ConfigResult, ConfigSource
from hydra.plugins.search_path_plugin import SearchPathPlugin
from omegaconf import OmegaConf

from leadscore.config.paths import CONF

__all__ = ["BASE", "GROUP", "PlusSearchPath", "added_sets", "register_plus"]

GROUP = "features"
BASE = "base"


def added_sets(choice: str) -> list[str] | None:
    """Return the sets that `+a+b` adds to the base set, sorted; None when `choice` is not of that form.

    Examples
    --------
    >>> added_sets("+sessions+recency")
    ['recency', 'sessions']
    >>> added_sets("sessions") is None
    True

    The base set is in already, and every plus needs a name:

    >>> added_sets("+base") is None, added_sets("+a+") is None
    (True, True)
    """
    names = choice.split("+")
    if names[0] != "" or len(names) < 2 or not all(names[1:]) or BASE in names:
        return None
    return sorted(set(names[1:]))


class PlusSource(ConfigSource):
    """Answers for `features/+...` and for nothing else."""

    @staticmethod
    def scheme() -> str:
        return "plus"

    def load_config(self, config_path: str) -> ConfigResult:
        added = added_sets(_choice(config_path) or "") or []
        return ConfigResult(
            provider=self.provider,
            path=self.full_path(),
            config=OmegaConf.create({"defaults": [BASE, *added]}),
            header={"package": None},
        )

    def is_config(self, config_path: str) -> bool:
        choice = _choice(config_path)
        return choice is not None and added_sets(choice) is not None

    def is_group(self, config_path: str) -> bool:
        return config_path.strip("/") == GROUP

    def available(self) -> bool:
        return True

    def list(self, config_path: str, results_filter: ObjectType | None) -> list[str]:
        if not self.is_group(config_path) or results_filter == ObjectType.GROUP:
            return []
        return sorted(f"+{file.stem}" for file in Path(CONF, GROUP).glob("*.yaml") if file.stem != BASE)


class PlusSearchPath(SearchPathPlugin):
    """Puts `PlusSource` on every search path, and a user's folder where Hydra's own flag does not."""

    user_folder: str | None = None  # for the Compose API, which has no --config-dir

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Append to the search path that Hydra is about to use."""
        search_path.append(provider="leadscore", path="plus://")
        if self.user_folder is not None:
            search_path.append(provider="command-line", path=f"file://{self.user_folder}")


def _choice(config_path: str) -> str | None:
    group, _, choice = config_path.strip("/").removesuffix(".yaml").rpartition("/")
    return choice if group == GROUP else None


def register_plus() -> None:
    """Make `features=+name` known to Hydra; calling it again changes nothing."""
    for plugin in (PlusSource, PlusSearchPath):
        Plugins.instance().register(plugin)
