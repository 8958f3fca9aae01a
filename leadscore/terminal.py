"""What the terminal shows: the run in one screen, numbers first, and where everything lies."""

import logging
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from leadscore.results import TrainedRun, Windows
from leadscore.split import caveats, draw_folds, legend
from leadscore.times import format_duration
from leadscore.window import left_out

__all__ = ["Walk", "show_population", "show_run", "show_scores", "show_windows"]

log = logging.getLogger(__name__)

MARKS = {"ok": "", "note": "note", "problem": "PROBLEM", "not_applicable": ""}


class Walk:
    """Logs each step and, on a terminal, moves a progress bar on; ends the bar before anything is printed."""

    def __init__(self, steps: int) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
        console = Console(stderr=True)
        self.bar = Progress(*columns, console=console, transient=True, disable=not sys.stderr.isatty())
        self.task = self.bar.add_task("composing", total=steps)

    def __enter__(self) -> "Walk":
        self.bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.stop()

    def step(self, what: str) -> None:
        """Say what is being done now."""
        log.info(what)
        self.bar.update(self.task, description=what, advance=1)

    def tell(self, run: TrainedRun, folder: Path, identity: dict[str, Any], where: str | None) -> None:
        """Show the numbers, the bar out of the way."""
        self.bar.stop()
        show_run(run, folder, identity, where)


def show_windows(windows: Windows) -> None:
    """Show a composed run, its folds and counts: what `validate_only=true` is for."""
    console = _console()
    config = windows.config
    console.print(Text("composed run", style="bold"))
    console.print(Text(_yaml(config)))
    _show_data(console, windows)
    rows = windows.observations.frame
    label = rows["label"]
    for number, fold in enumerate(windows.folds):
        train, valid = fold.train(rows), fold.valid(rows)
        console.print(
            f"fold {number}    train {train.sum():,} ({label[train].sum():,} converted), "
            f"purged {fold.purged(rows).sum():,}, validate {valid.sum():,} ({label[valid].sum():,} converted)"
        )
    console.print(f"features  {len(windows.plan.columns)}: {', '.join(each.name for each in windows.plan.columns)}")
    for note in caveats(windows.folds, rows):
        console.print(f"note      {note}")
    console.print("valid; nothing was trained or recorded (validate_only=true)")


def show_run(run: TrainedRun, folder: Path, identity: dict[str, Any], where: str | None) -> None:
    """Show a finished run: windows, rows, features, metrics, checks, its short id and where the files are."""
    console = _console()
    dataset = run.dataset
    config = run.config
    sets = "+".join(config.feature_sets) or "custom"
    console.print(Text(f"{config.model.name} on {sets}, data {config.data.name}", style="bold"))
    _show_data(console, dataset)
    for result in run.folds:
        measured = result.evaluation
        inner = f" ({result.n_inner:,} of them the inner fold)" if result.n_inner else ""
        console.print(
            f"fold {result.number}    train {result.n_train:,}{inner}, purged {result.n_purged:,}, "
            f"validate {measured.n:,} ({measured.positives:,} converted, base rate {measured.base_rate:.3f})"
        )
    strongest = ", ".join(run.importance["feature"].head(3))
    console.print(f"features  {len(dataset.plan.columns)}; strongest: {strongest}")
    for number, sentence in enumerate(run.search.sentences if run.search else []):
        console.print(f"{'' if number else 'search':9} {sentence}")
    console.print(_metrics(run))
    _show_worth(console, run)
    _show_bands(console, run)
    for note in [*run.warnings, *run.bands.notes, *dataset.table.notes, *dataset.reviews]:
        console.print(f"note      {note}")
    for check in run.checks:
        if check.speaks:
            console.print(f"{MARKS[check.result]:9} {check.code} {check.sentence} {check.action}")
    console.print(
        f"run       {identity['run_id']}  config {identity['config_hash'][:8]}  identity {identity['identity'][:8]}"
    )
    console.print(f"files     {_near(folder)}")
    if where is not None:
        console.print(f"logged    {_near(Path(where))}")


def show_population(run: Any, population: Any) -> None:
    """Show who would be scored: what `validate_only=true` of the scoring door is for."""
    console = _console()
    console.print(Text(f"{run.model.name} of run {run.run_id}", style="bold"))
    _show_due(console, population.as_of.isoformat(), population.counts)
    console.print("valid; nothing was scored or written (validate_only=true)")


def show_scores(output: Path, report: dict[str, Any]) -> None:
    """Show a written batch: who was scored, in which bands, and what to look at."""
    console = _console()
    console.print(Text(f"{report['model']} of run {report['run']}, data {report['data']['name']}", style="bold"))
    _show_due(console, report["as_of"], report["leads"])
    console.print(f"bands     {', '.join(f'{band} {n:,}' for band, n in report['bands'].items())}")
    console.print(f"model     trained up to {report['drift']['model_age_weeks']:.1f} weeks before the scores")
    for note in report["notes"]:
        console.print(f"note      {note}")
    for warning in report["warnings"]:
        console.print(f"WARNING   {warning}")
    console.print(f"scores    {output}")


def _show_due(console: Console, as_of: str, counts: Any) -> None:
    left = [f"{n:,} {reason}" for reason, n in counts.items() if n and reason not in ("candidates", "scored")]
    console.print(f"scored    {counts['scored']:,} of {counts['candidates']:,} leads at {as_of}")
    if left:
        console.print(f"          left out: {', '.join(left)}")


def _show_worth(console: Console, run: TrainedRun) -> None:
    """Show what calls catch and which slices stand out, where the config asks."""
    last = run.metrics["folds"][-1]
    if (capacity := last.get("capacity")) is not None:
        recency = "" if capacity["recency"] is None else f", most recently active first {capacity['recency']:.1f}"
        worth = "" if capacity["value"] is None else f"; worth {capacity['value']:,.0f} {capacity['currency']}"
        sure = f"[{capacity['caught_low']:.1f}, {capacity['caught_high']:.1f}]"
        console.print(
            f"calls     {capacity['calls']:,} in {capacity['weeks']} weeks ({capacity['capacity']} a week) catch "
            f"{capacity['caught']:.1f} conversions {sure}; at random {capacity['at_random']:.1f}{recency}{worth}"
        )
    for each in last.get("slices", []):
        auc = each["auc"]
        value = "-" if auc["value"] is None else f"{auc['value']:.3f} {_interval(auc)}"
        p = each["p_adjusted"]
        unlike = "" if p is None else f", p = {p:.2g} after Holm that it is unlike the rest"
        console.print(f"slice     {each['column']} {each['value']}: AUC {value}, {auc['n']:,} rows{unlike}")


def _show_bands(console: Console, run: TrainedRun) -> None:
    for band in run.bands.promises:
        if band.n:
            sure = f"{band.rate:.1%} converted [{band.low:.1%}, {band.high:.1%}]"
            least = run.bands.least[band.band]
            console.print(f"band {band.band}    from {least:.3f}: {band.n:,} rows ({band.share:.0%}), {sure}")


def _show_data(console: Console, windows: Any) -> None:
    tables, observations = windows.tables, windows.observations
    events = "no events" if tables.log is None else f"{len(tables.log):,} events"
    n_leads, n_rows = tables.leads["user_id"].nunique(), len(tables.leads)
    leads = f"{n_leads:,} leads" if n_leads == n_rows else f"{n_rows:,} rows of {n_leads:,} leads"
    console.print(f"data      {leads}, {events}, complete up to {tables.data_end:%Y-%m-%d %H:%M} UTC")
    for note in tables.notes:
        console.print(f"          {note}")
    console.print(f"window    {_window(windows.config.window, observations)}")
    console.print(f"observed  {left_out(observations.counts)}")
    if windows.seal is not None:
        console.print(
            f"sealed    {windows.seal.start:%Y-%m-%d} .. {windows.seal.end:%Y-%m-%d}, for leadscore confirm RUN"
        )
    console.print(Text("\n".join(f"          {line}" for line in draw_folds(windows.folds).splitlines())))
    console.print(f"          {legend(windows.folds)}")


def _window(window: Any, observations: Any) -> str:
    horizon = f"outcome within {format_duration(observations.horizon.to_pytimedelta())}"
    if window.name == "delay":
        return f"{window.delay} after creation, {horizon}"
    if window.name == "snapshots":
        return f"every {window.every}, leads younger than {window.max_age}, {horizon}"
    return f"as_of given, {horizon if observations.horizon else 'outcome given'}"


def _metrics(run: TrainedRun) -> Table:
    from leadscore.evaluate import METRICS

    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0))
    table.add_column("metric" + (f" (mean of {len(run.folds)} folds)" if len(run.folds) > 1 else ""))
    for number, name in enumerate(run.compared):
        table.add_column(name, justify="right")
        if not number:
            table.add_column("95% interval")
    sure = run.metrics["intervals"]
    for name, metric in METRICS.items():
        own, *others = (_number(values.get(name)) for values in run.compared.values())
        table.add_row(metric.title, own, _interval(sure.get(name)), *others)
    for name, reason in run.metrics["reasons"].items():
        table.add_row(f"  {METRICS[name].title}: {reason}")
    return table


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _interval(interval: dict[str, Any] | None) -> str:
    if interval is None:
        return ""
    return "none" if interval["low"] is None else f"[{interval['low']:.3f}, {interval['high']:.3f}]"


def _yaml(config: Any) -> str:
    from leadscore.record.write import config_yaml

    return config_yaml(config)


def _near(path: Path) -> Path:
    """Return the path as seen from the current directory, when it lies below it."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def _console() -> Console:
    # A pipe or a log file has no width of its own; lines are not cut there.
    return (
        Console(highlight=False, markup=False, soft_wrap=True)
        if sys.stdout.isatty()
        else Console(highlight=False, markup=False, soft_wrap=True, width=200)
    )
