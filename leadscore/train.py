"""The front door: `python -m leadscore.train model=lightgbm features=+sessions`."""

from collections.abc import Sequence
from pathlib import Path

from leadscore.config.schema import Config
from leadscore.door import open_door

__all__ = ["main"]

STEPS = 9  # what the walk tells of besides its folds


def train(config: Config, folder: Path | None) -> None:
    """Do one run, or show what it would be, and say in the terminal what came out."""
    from leadscore import pipeline, terminal

    with terminal.Walk(STEPS + getattr(config.validation, "folds", 1)) as walk:
        if folder is not None:
            pipeline.run(config, folder, step=walk.step, tell=walk.tell)
            return
        windows = pipeline.walk_to_folds(config, walk.step)
    terminal.show_windows(windows)


def check(config: Config) -> None:
    """Refuse what needs no data to be refused."""
    from leadscore.pipeline import plan_run

    plan_run(config)


def load_plugins(modules: Sequence[str]) -> None:
    """Import a team's own modules before their names are looked up."""
    from leadscore import pipeline

    pipeline.load_plugins(modules)


def main() -> None:
    """Run the command line."""
    open_door(train, check, load_plugins)


if __name__ == "__main__":
    main()
