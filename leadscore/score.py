"""The nightly door: `python -m leadscore.score run=champion data=crm output=scores.parquet`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from leadscore.config.score_checks import check_score_job, check_score_tree
from leadscore.config.score_schema import ScoreConfig
from leadscore.door import Door, open_door

__all__ = ["main"]

STEPS = 5
HELP = """\
leadscore.score: score the leads that are due with a saved run, and write the scores, all of them or none.

Groups and their choices (GROUP=CHOICE):

{groups}

The batch as composed (KEY=VALUE overrides any of it):

{config}
Examples:

  python -m leadscore.score run=champion data=crm as_of=now output=scores.parquet
  python -m leadscore.score run=8f1c data=crm as_of=2026-11-23T06:00Z since=7d output=week.csv
  python -m leadscore.score data=crm validate_only=true

The run's own window says who is due. A JSON report lies beside the scores: scores.report.json.
Exit status: 0 done, 1 refused (an earlier file stays as it was), 2 usage."""


def score(config: ScoreConfig, folder: Path | None) -> None:
    """Score one batch, or say who would be scored."""
    from leadscore import terminal
    from leadscore.record import open_run
    from leadscore.scoring import prepare_batch, write_scores

    with terminal.Walk(STEPS) as walk:
        batch = prepare_batch(open_run(config.run, config.roots), config, walk.step)
        if folder is not None:
            report = write_scores(batch, walk.step)
    if folder is None:
        terminal.show_population(batch.run, batch.population)
    else:
        terminal.show_scores(Path(config.output), report)


def check(config: ScoreConfig) -> Any:
    """Refuse a run that is not there, and an output that is something else, before any data are read."""
    from leadscore.record import open_run
    from leadscore.scoring.output import refuse_taken

    if not config.validate_only:
        refuse_taken(Path(config.output))
    return open_run(config.run, config.roots)


def load_plugins(modules: Sequence[str]) -> None:
    """Import a team's own modules before their names are looked up."""
    from leadscore import pipeline

    pipeline.load_plugins(modules)


def main() -> None:
    """Run the command line."""
    open_door(
        Door(
            name="score",
            help=HELP,
            compose=check_score_job,
            typed=lambda tree, _: check_score_tree(tree),
            check=check,
            job=score,
            load_plugins=load_plugins,
            own_groups=("data", "compute"),
        )
    )


if __name__ == "__main__":
    main()
