"""One batch's config, composed from Python as the command line composes it."""

from collections.abc import Sequence
from pathlib import Path

from leadscore.config.score_schema import ScoreConfig

__all__ = ["compose_score"]


def compose_score(overrides: Sequence[str] = (), *, config_dir: str | Path | None = None) -> ScoreConfig:
    """Compose and check the config of one batch, as `python -m leadscore.score` would.

    Parameters
    ----------
    overrides : sequence of str
        As on the command line: `["data=crm", "as_of=data_end"]`.
    config_dir : path, optional
        A folder with your own configs, laid out like `conf/`.

    Raises
    ------
    ConfigError
        With every problem found, before any data is read.

    Examples
    --------
    >>> compose_score(["as_of=2026-11-23T07:00+01:00", "since=36h"]).as_of
    '2026-11-23T06:00:00Z'
    """
    from leadscore.config.compose import config_loader
    from leadscore.config.score_checks import check_score_job
    from leadscore.pipeline import load_plugins

    with config_loader(config_dir) as loader:
        config = check_score_job(overrides, loader)
    load_plugins(config.plugins)
    return config
