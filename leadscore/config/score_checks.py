"""One batch's overrides in, one checked `ScoreConfig` out, or every problem in words."""

from collections.abc import Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, cast

from omegaconf import DictConfig

from leadscore.config.checks import compose_job, typed, without_hydra
from leadscore.config.command import quoted_run
from leadscore.config.compose import SCORE
from leadscore.config.relations import compute_contradictions, data_contradictions
from leadscore.config.score_schema import POLICIES, RUNS_OWN, ScoreConfig
from leadscore.errors import ConfigError, did_you_mean, raise_all

if TYPE_CHECKING:
    from hydra.core.config_loader import ConfigLoader

__all__ = ["SUFFIXES", "check_score_job", "check_score_tree"]

SUFFIXES = (".parquet", ".csv")


def check_score_job(overrides: Sequence[str], loader: "ConfigLoader") -> ScoreConfig:
    """Compose one batch and check all of it; call it inside `config_loader`.

    Raises
    ------
    ConfigError
        With every problem found.
    """
    raise_all(ConfigError, [problem for override in overrides if (problem := _of_the_run(override))])
    return check_score_tree(compose_job([quoted_run(each) for each in overrides], loader, SCORE))


def check_score_tree(tree: DictConfig) -> ScoreConfig:
    """Turn Hydra's composed tree into a typed `ScoreConfig` with every value checked."""
    tree = without_hydra(tree)
    for group in RUNS_OWN:
        tree[group] = None
    composed = cast("ScoreConfig", typed(tree))
    config = ScoreConfig(**{each.name: getattr(composed, each.name) for each in fields(ScoreConfig)})
    problems = [*data_contradictions(config.data), *compute_contradictions(config.compute), *_contradictions(config)]
    raise_all(ConfigError, problems)
    return config


def _of_the_run(override: str) -> str | None:
    key = override.partition("=")[0].lstrip("+~").partition("@")[0].partition(".")[0]
    if key not in RUNS_OWN:
        return None
    return f"{override}: a saved run is scored with its own {key}; only run, data and how to score are chosen here"


def _contradictions(config: ScoreConfig) -> Iterator[str]:
    if not config.output.lower().endswith(SUFFIXES):
        yield f"output {config.output}: its ending says the format, and that is one of {', '.join(SUFFIXES)}"
    if Path(config.output).is_dir():
        yield f"output {config.output} is a folder; name a file in it"
    for name, policy in config.missing.items():
        if policy not in POLICIES:
            yield f"missing.{name}: {did_you_mean(policy, POLICIES, 'Allowed')}"
    warn, fail = config.drift.warn, config.drift.fail
    if warn is not None and fail is not None and warn > fail:
        yield f"drift.warn {warn:g} lies above drift.fail {fail:g}: what is refused would not have been told"
    if config.as_of == "column" and config.who == "open":
        yield "who=open asks for all leads at one instant, and as_of=column for each lead at its own: choose one"
