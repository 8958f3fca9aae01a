"""Before any data are read: from override strings to a checked config, and from its names to a plan."""

import importlib
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leadscore.config.schema import Config, ModelConfig
from leadscore.errors import ConfigError, LeadscoreError

if TYPE_CHECKING:
    from leadscore.features import Plan

__all__ = ["compose", "load_plugins", "plan_features", "plan_run"]


def compose(overrides: Sequence[str] = (), *, config_dir: str | Path | None = None) -> Config:
    """Compose and check one run's config, as the command line would, from any directory.

    Parameters
    ----------
    overrides : sequence of str
        As on the command line: `["model=lightgbm", "features=+sessions"]`.
    config_dir : path, optional
        A folder with your own configs, laid out like `conf/`.

    Returns
    -------
    Config
        Resolved and typed, every name in it known; change it by composing again.

    Raises
    ------
    LeadscoreError
        With every problem found, before any data is read.

    Examples
    --------
    >>> config = compose(["model=lightgbm", "features=+sessions"])
    >>> config.model.name, config.window.horizon, config.feature_sets
    ('lightgbm', '30d', ['base', 'sessions'])
    """
    from leadscore.config.checks import check_job
    from leadscore.config.command import named_plugins
    from leadscore.config.compose import config_loader
    from leadscore.config.secrets import refuse_secret_words

    refuse_secret_words(overrides)
    load_plugins(named_plugins(overrides))
    with config_loader(config_dir) as loader:
        config = check_job(list(overrides), loader)
    plan_run(config)
    return config


def load_plugins(modules: Sequence[str]) -> None:
    """Import a team's own modules, which register features and models; only a caller's config names them.

    A model that joins brings its parameters' dataclass, which its config file then names as
    `/schema/model/NAME@_here_`.
    """
    if not modules:
        return
    if str(Path.cwd()) not in sys.path:  # as `python -m` has it and an installed command does not
        sys.path.insert(0, str(Path.cwd()))
    from leadscore.config.compose import register_schema
    from leadscore.model.registry import model_names, registration_of

    for name in modules:
        try:
            importlib.import_module(name)
        except LeadscoreError:
            raise
        except Exception as error:  # whatever a user's module raises while it is imported
            where = f"looked for in {Path.cwd()} and in the environment"
            what = f"{type(error).__name__}: {error}"
            raise ConfigError(f"plugins: module '{name}' cannot be imported ({where}): {what}") from error
    for name in model_names():
        register_schema("model", name, registration_of(name).config)


def plan_run(config: Config) -> "Plan":
    """Look up every name in the config, with the user's plugins loaded; no data is read."""
    from leadscore.model.monotone import check_monotone
    from leadscore.model.registry import parts_of
    from leadscore.search import need_optuna

    load_plugins(config.plugins)
    _refuse_models(config.model)
    if config.search.name != "none":
        need_optuna(config.search.name)
    _refuse_unknown_codes(config.checks.mute)
    plan = plan_features(config, config.features)
    kinds = {each.name: each.dtype for each in plan.columns}
    for key, part in parts_of(config.model).items():
        check_monotone(getattr(part, "monotone", {}), kinds, key)
    return plan


def plan_features(config: Config, features: Mapping[str, Any]) -> "Plan":
    """Look up these entries of a config's features, or others, as its data and definitions have them."""
    from leadscore.features import make_plan

    numbers = {"amount", *getattr(getattr(config.data, "events", None), "numbers", [])}
    return make_plan(features, config.definitions, config.data.known_at_creation, numbers)


def _refuse_models(model: ModelConfig) -> None:
    """Refuse a model, or a member of an ensemble, that is not what its keys say."""
    from leadscore.errors import raise_all
    from leadscore.model.registry import parts_of, registration_of

    problems = []
    for key, part in parts_of(model).items():
        if not isinstance(part, registration_of(part.name).config):
            group = key.replace("model.", "model@model.")
            problems.append(f"{key}.name {part.name} does not belong to the other keys of {key}: choose with {group}=")
        elif key != "model" and hasattr(part, "members"):
            problems.append(f"{key} is itself an ensemble: name its members in model.members")
        elif key != "model" and part.calibration != "none":
            problems.append(f"{key}.calibration: an ensemble is calibrated as a whole, by model.calibration")
        elif key != "model" and part.negatives_per_positive is not None:
            problems.append(f"{key}.negatives_per_positive: an ensemble is fitted on one sample of its own")
    if not getattr(model, "members", True):
        problems.append("model.members is empty: +model@model.members.NAME=CHOICE adds a member")
    raise_all(ConfigError, problems)


def _refuse_unknown_codes(codes: Sequence[str]) -> None:
    from leadscore.errors import did_you_mean, raise_all

    if not codes:
        return
    from leadscore.evaluate import CHECKS

    unknown = [code for code in codes if code not in CHECKS]
    raise_all(ConfigError, [f"checks.mute: unknown code '{code}'. {did_you_mean(code, CHECKS)}" for code in unknown])
