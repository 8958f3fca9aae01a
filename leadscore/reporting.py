"""After a run is recorded: it is judged against the champion of its day, and its page is drawn."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from leadscore.errors import LeadscoreError

if TYPE_CHECKING:
    from leadscore.record import Shelf

__all__ = ["draw_report", "judge_against_champion"]

log = logging.getLogger(__name__)


def judge_against_champion(shelf: "Shelf", root: Path) -> None:
    """Write down how a run compares with the champion under `root`, where both were measured on the same rows."""
    from leadscore.changes.judging import judge
    from leadscore.record.champion import champion_at
    from leadscore.record.find import read_run, run_of
    from leadscore.record.shelf import CHAMPION

    try:
        entry = champion_at(root)
        if entry is None:
            return
        champion, run = run_of(entry), read_run(shelf.folder)
        if champion.identity.get("validation_hash") == run.identity.get("validation_hash"):
            shelf.json(CHAMPION, judge(champion, run, root=root).to_json())
    except LeadscoreError as error:
        log.warning("the run is not compared with the champion: %s", error)


def draw_report(folder: Path, step: Callable[[str], None]) -> None:
    """Draw a run's page; the run is whole without it, so what goes wrong is only said."""
    from leadscore.record.find import read_run
    from leadscore.report import write_run_page

    step("drawing the report")
    try:
        write_run_page(read_run(folder))
    except Exception as error:  # whatever a drawing library makes of a font or a full disk
        log.warning("the report is not drawn (%s: %s); the run is whole without it", type(error).__name__, error)
