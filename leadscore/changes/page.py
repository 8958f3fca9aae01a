"""The comparison as one self-contained page: the answer, then only what differs, then who moved."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from leadscore.changes.between import RunDiff
from leadscore.changes.code import CodeChange
from leadscore.changes.config import ABSENT, Change
from leadscore.changes.pairs import every_verdict
from leadscore.changes.pictures import pictures
from leadscore.changes.words import difference_words, headline, in_words, movers_rows, movers_words, number
from leadscore.record import Run

if TYPE_CHECKING:
    from leadscore.compare import Verdict

__all__ = ["comparison_page"]

# What keeps a page small, whatever differs between two runs.
LISTED = 100  # lines of a part
LONGEST = 400  # characters of a value
FUNCTIONS, LINES = 30, 200  # of code


def comparison_page(found: RunDiff, links: Mapping[str, str] | None = None, home: str = "") -> str:
    """Return the page of a diff.

    Parameters
    ----------
    found : RunDiff
    links : mapping, optional
        From a run_id to where its report lies, as seen from the page.
    home : str
        Where the index lies that it belongs to, as seen from the page; "" for a page of its own.

    Returns
    -------
    str
        HTML that needs no other file; of the same two runs always the same.
    """
    from leadscore.report import render_page
    from leadscore.report.plots.canvas import can_draw

    verdicts = list(every_verdict(found))
    return render_page(
        "comparison.html.j2",
        drawn=can_draw(),
        verdict=found.verdict,
        headline=headline(found.verdict),
        runs=[found.a, found.b],
        links=links or {},
        home=home,
        facts=[row for row in _facts(found) if row[1] != row[2]],
        shared=[(name, a) for name, a, b in _facts(found) if a == b and a != ABSENT],
        moved=[(each["part"], _hash(each["a"]), _hash(each["b"])) for each in found.moved],
        override=found.override,
        added=" ".join(shlex.quote(each) for each in found.override.added),
        dropped=" ".join(shlex.quote(each) for each in found.override.dropped),
        metrics=list(_metrics(found, verdicts)),
        folds=_folds(found.verdict),
        pictures=pictures(found, verdicts),
        parts=[(title, _changes(part), len(part)) for title, part in _parts(found) if part],
        asked=_changes(found.config),
        n_asked=len(found.config),
        code=_code(found),
        movers=found.movers,
        said_of_movers=[_sentence(line) for line in (movers_words(found.movers) if found.movers else ())],
        movers_rows=movers_rows(found.movers) if found.movers else [],
        notes=[*found.verdict.notes, *found.notes],
        listed=LISTED,
        lines=LINES,
    )


def _facts(found: RunDiff) -> Iterator[tuple[str, str, str]]:
    """Yield what the two runs are, alike or not."""
    runs = found.a, found.b
    for name, of in (
        ("model", lambda run: run.config["model"]["name"]),
        ("features", lambda run: "+".join(run.identity.get("feature_sets", ())) or f"{len(run.config['features'])}"),
        ("data", lambda run: run.config["data"]["name"]),
        ("validation rows", _rows),
        ("notes", lambda run: run.config.get("notes") or ABSENT),
    ):
        a, b = (_cut(str(of(run))) for run in runs)
        yield name, a, b


def _rows(run: Run) -> str:
    folds = run.metrics["folds"]
    n, positives = (sum(fold[name] for fold in folds) for name in ("n", "positives"))
    return f"{n:,}, {positives:,} of them converted ({positives / n:.1%})" if n else "none"


def _metrics(found: RunDiff, verdicts: "Sequence[Verdict]") -> Iterator[tuple[str, ...]]:
    from leadscore.evaluate import METRICS

    of = {each.metric: each for each in verdicts}
    for name, pair in found.metrics.items():
        if name not in METRICS:
            continue
        title = METRICS[name].title + (" (lower is better)" if METRICS[name].direction == "lower" else "")
        verdict = of.get(name)
        if verdict is None:
            yield title, *map(number, pair), "", "", ""
        else:
            said = "no verdict" if verdict.low is None else verdict.answer
            yield title, number(verdict.a), number(verdict.b), *difference_words(verdict), said


def _folds(verdict: "Verdict") -> list[tuple[str, ...]]:
    if len(verdict.folds) < 2:
        return []
    return [
        (
            f"{each.number}",
            f"{each.n:,}",
            f"{each.positives:,}",
            number(each.a),
            number(each.b),
            *difference_words(each),
        )
        for each in verdict.folds
    ]


def _parts(found: RunDiff) -> Iterator[tuple[str, Sequence[Change]]]:
    yield "Data", found.data
    yield "Windows", found.windows
    yield "Environment", found.environment
    yield "Aside: decides no number", [each for each in found.aside if each.key != "notes"]  # told above


def _changes(part: Sequence[Change]) -> list[tuple[str, str, str]]:
    return [(each.key, _cut(in_words(each.a)), _cut(in_words(each.b))) for each in part[:LISTED]]


def _hash(value: Any) -> str:
    text = in_words(value)
    return text[:8] if len(text) == 64 else _cut(text)


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} ... ({len(text):,} characters)"


def _code(found: RunDiff) -> dict[str, Any]:
    functions = sorted(found.code, key=lambda each: each.what != "changed")
    return {
        "things": found.things,
        "functions": [_function(found, each) for each in functions[:FUNCTIONS] if not _is_a_models(each)],
        "models": [_function(found, each) for each in functions[:FUNCTIONS] if _is_a_models(each)],
        "more": [each.name for each in functions[FUNCTIONS:]],
    }


def _is_a_models(change: CodeChange) -> bool:
    """Whether it is what one of leadscore's own models is made of: of two models, all of both."""
    return change.what != "changed" and change.name.startswith("leadscore.model.")


def _function(found: RunDiff, change: CodeChange) -> dict[str, Any]:
    """Return a function's changed lines; of one that a single run has, all of them."""
    if change.what == "changed":
        lines = change.diff.splitlines()[2:]  # the first two name A and B
    else:
        run, sign = (found.a, "-") if change.what == "only A" else (found.b, "+")
        lines = [sign + line for line in run.code["definitions"][change.name]["source"].splitlines()]
    return {
        "name": change.name,
        "what": change.what,
        "constants": [(name, _cut(str(old)), _cut(str(new))) for name, (old, new) in change.constants.items()],
        "lines": [(line[:1], _cut(line)) for line in lines[:LINES]],
        "n": len(lines),
    }


def _sentence(line: str) -> str:
    """Return a line made for a terminal, whose first word is a heading, as a sentence."""
    heading, words = line.split(None, 1)
    return words if heading == "leads" else f"{heading.capitalize()} the top 10%: {words}"
