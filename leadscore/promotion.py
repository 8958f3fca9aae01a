"""Making a run champion: a list of conditions, a verdict against the champion it replaces, and a record of both."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from leadscore.changes.judging import judge
from leadscore.config.secrets import refuse_secrets
from leadscore.errors import LeadscoreError, RecordError
from leadscore.pipeline import Step, load_plugins
from leadscore.record.champion import Entry, champion_at, enter_promotion
from leadscore.record.find import Run, run_of
from leadscore.record.shelf import MODEL
from leadscore.scoring.parity import parity

if TYPE_CHECKING:
    from leadscore.compare import Verdict

__all__ = ["GATE", "Condition", "Contest", "Outcome", "promote"]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Contest:
    """A challenger before the gate.

    Attributes
    ----------
    run : Run
        The challenger.
    champion : Entry or None
        The champion that it would replace.
    root : Path
        The folder with the history and the ledger.
    scored : callable
        Scores its validation rows from raw tables, and returns whether they are the recorded ones and a sentence.
    """

    run: Run
    champion: Entry | None
    root: Path
    scored: Callable[[], tuple[bool, str]]

    @cached_property
    def verdict(self) -> "Verdict | None":
        """The challenger against the champion, None when there is none; raises what keeps it from being judged."""
        return None if self.champion is None else judge(run_of(self.champion), self.run, root=self.root)


@dataclass(frozen=True)
class Outcome:
    """What one condition of the gate found."""

    condition: str
    passed: bool
    sentence: str


@dataclass(frozen=True)
class Condition:
    """One condition of the gate.

    Attributes
    ----------
    name : str
    holds : callable
        Returns whether it passes and why, and may raise when it cannot tell.
    after : tuple of str
        Conditions before it in the list: where one of them failed, it is not asked and fails.
    """

    name: str
    holds: Callable[[Contest], tuple[bool, str]]
    after: tuple[str, ...] = ()

    def outcome(self, contest: Contest, failed: Sequence[str] = ()) -> Outcome:
        """Return what it found; a condition that cannot tell has failed."""
        if barred := [name for name in self.after if name in failed]:
            return Outcome(self.name, False, f"not asked, because {' and '.join(barred)} failed")
        try:
            return Outcome(self.name, *self.holds(contest))
        except Exception as error:  # whatever a damaged folder makes of a reader
            return Outcome(self.name, False, f"cannot be told: {error or type(error).__name__}")


def promote(
    run: Run,
    why: str,
    *,
    root: str | Path = "outputs",
    force: bool = False,
    plugins: Sequence[str] = (),
    data_dir: str | Path | None = None,
    step: Step = log.info,
) -> Entry:
    """Make a run champion when every condition of the gate holds, and record who, why and on what evidence.

    Parameters
    ----------
    run : Run
        From `open_run`.
    why : str
        Not blank.
    root : path
        Where the history lies: the `tracking.root` of the runs.
    force : bool
        Promote it although conditions fail; the record says which.
    plugins : sequence of str
        Modules that register what the run used; a record's own list is never imported.
    data_dir : path, optional
        Where the run's data lie now; default: as recorded.
    step : callable, optional
        Told what is being done.

    Returns
    -------
    Entry
        As recorded. Its verdict is the one against the champion that it replaces, whoever else promotes meanwhile.

    Raises
    ------
    RecordError
        When a condition fails and `force` is off, the run is champion already, or `why` is blank.
    """
    if not why.strip():
        raise RecordError("why is blank: a promotion says why")
    refuse_secrets({"why": why})
    load_plugins(plugins)
    root = Path(root)
    scored = cache(lambda: parity(run, plugins=plugins, data_dir=data_dir))  # whoever is champion meanwhile
    while True:
        champion = champion_at(root)
        if champion is not None and champion.run_id == run.run_id:
            raise RecordError(
                f"run {run.run_id} is the champion already, since {champion.time:%Y-%m-%d %H:%M} UTC; nothing is "
                f"recorded"
            )
        contest = Contest(run, champion, root, scored)
        outcomes = _outcomes(contest, step)
        failed = [outcome for outcome in outcomes if not outcome.passed]
        if failed and not force:
            raise RecordError(_refusal(run, failed))
        entry = enter_promotion(
            root,
            run,
            champion,
            why=why,
            verdict=_told(contest),
            gate=[asdict(outcome) for outcome in outcomes],
            forced=bool(failed),
            model_sha256=_model_sha256(run),
        )
        if entry is not None:
            return entry
        step("the champion changed meanwhile: judging against the new one")


def _outcomes(contest: Contest, step: Step) -> list[Outcome]:
    found: list[Outcome] = []
    for condition in GATE:
        step(f"asking the gate: {condition.name}")
        found.append(condition.outcome(contest, [each.condition for each in found if not each.passed]))
    return found


def _finished(contest: Contest) -> tuple[bool, str]:
    status = contest.run.identity.get("status")
    return status == "done", f"the run is {status}"


def _complete(contest: Contest) -> tuple[bool, str]:
    """Read everything that a champion is used for, the model to the last byte."""
    problems = []
    for part in ("config", "windows", "metrics", "predictions", "model"):
        try:
            getattr(contest.run, part)
        except Exception as error:  # whatever a damaged file makes of its reader
            problems.append(f"{part}: {error or type(error).__name__}")
    if problems:
        return False, "; ".join(problems)
    return True, "metrics and predictions are there, and the model is as it was saved"


def _checks(contest: Contest) -> tuple[bool, str]:
    found = [check for check in contest.run.checks["checks"] if check["result"] == "problem"]
    heard = [f"{check['code']} {check['sentence']}" for check in found if not check.get("muted")]
    muted = [f"{check['code']} {check['sentence']}" for check in found if check.get("muted")]
    said = "no check found a problem" if not found else "; ".join(heard) or "no check that is heard found a problem"
    return not heard, said + (f"; muted: {'; '.join(muted)}" if muted else "")


def _not_worse(contest: Contest) -> tuple[bool, str]:
    found = contest.verdict
    if found is None:
        return True, "there is no champion yet to compare it with"
    return found.answer != "worse", found.text


def _same_scores(contest: Contest) -> tuple[bool, str]:
    return contest.scored()


GATE: list[Condition] = [
    Condition("finished", _finished),
    Condition("complete", _complete),
    Condition("checks", _checks),
    Condition("verdict", _not_worse),
    Condition("parity", _same_scores, after=("finished", "complete")),
]


def _told(contest: Contest) -> dict[str, str] | None:
    try:
        found = contest.verdict
    except Exception:  # the gate's outcome says why
        return None
    return None if found is None else {"answer": found.answer, "sentence": found.text}


def _model_sha256(run: Run) -> str | None:
    from leadscore.model import read_manifest

    try:
        return str(read_manifest(run.folder / MODEL)["sha256"])
    except LeadscoreError:  # the gate's outcome says why
        return None


def _refusal(run: Run, failed: Sequence[Outcome]) -> str:
    lines = [f"  {outcome.condition}: {outcome.sentence}" for outcome in failed]
    what = f"run {run.run_id} is not promoted: {len(failed)} of {len(GATE)} conditions of the gate failed"
    return "\n".join([what, *lines, "  --force promotes it all the same, and the record says so"])
