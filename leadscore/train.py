"""The front door: `python -m leadscore.train model=lightgbm features=+sessions`."""

from collections.abc import Sequence
from pathlib import Path

from leadscore.config.checks import check_job, check_tree
from leadscore.config.schema import Config
from leadscore.config.sets import chosen_sets
from leadscore.door import Door, open_door
from leadscore.memory import Memory

__all__ = ["main", "make_door"]

STEPS = 9  # what the walk tells of besides its folds

HELP = """\
leadscore.train: compose a lead-scoring run, check it, train it, measure it, record it.

Groups and their choices (GROUP=CHOICE):

{groups}

  features=+NAME is the base set and NAME; features=NAME is that set alone.

The run as composed (KEY=VALUE overrides any of it):

{config}
Examples:

  python -m leadscore.train model=lightgbm features=+sessions notes="first try"
  python -m leadscore.train -m model=logistic,lightgbm features=base,+sessions
  python -m leadscore.train validate_only=true window=snapshots window.max_age=90d

-m runs every combination, hydra/launcher=parallel several at a time; the same line again runs only what is missing.
--config-dir FOLDER adds your own configs.
--hydra-help tells more about Hydra's flags; --shell-completion installs completion."""


def train(config: Config, folder: Path | None, memory: Memory) -> float | None:
    """Do one run, or show what it would be, and say in the terminal what came out; return the AUC."""
    from leadscore import pipeline, terminal

    steps = STEPS + getattr(config.validation, "folds", 1) + getattr(config.search, "trials", 0)
    with terminal.Walk(steps) as walk:
        if folder is not None:
            done = pipeline.run(config, folder, step=walk.step, tell=walk.tell, memory=memory)
            auc: float | None = done.metrics["metrics"]["auc"]
            return auc
        windows = pipeline.walk_to_folds(config, walk.step)
    terminal.show_windows(windows)
    return None


def check(config: Config) -> None:
    """Refuse what needs no data to be refused."""
    from leadscore.pipeline import plan_run

    plan_run(config)


def load_plugins(modules: Sequence[str]) -> None:
    """Import a team's own modules before their names are looked up."""
    from leadscore import pipeline

    pipeline.load_plugins(modules)


def make_door(memory: Memory | None = None) -> Door[Config]:
    """Return this application; its jobs share a memory."""
    shared = memory or Memory()
    return Door(
        name="train",
        help=HELP,
        compose=check_job,
        typed=lambda tree, state: check_tree(tree, chosen_sets(state)),
        check=check,
        job=lambda config, folder: train(config, folder, shared),
        load_plugins=load_plugins,
        sweeps=True,
    )


def main() -> None:
    """Run the command line."""
    open_door(make_door())


if __name__ == "__main__":
    main()
