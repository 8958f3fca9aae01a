"""`leadscore show RUN --lead ID`: why one lead got its probability, column by column."""

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from leadscore.errors import RecordError, did_you_mean
from leadscore.record import Run
from leadscore.record.shelf import VALUES
from leadscore.verbs.say import say, say_json, say_pairs, say_table

if TYPE_CHECKING:
    import pandas as pd

    from leadscore.serving import Serving

__all__ = ["LeadPage", "LeadRow", "lead_page", "say_lead"]


@dataclass(frozen=True)
class LeadRow:
    """One column of one lead.

    Attributes
    ----------
    column : str
    value, typical : float, str or None
        The lead's, and the training median or most frequent level; None is missing.
    contribution : float
        What the column adds to the log-odds.
    story, story_contribution : str, float
        The columns that tell one story share both.
    words : str
        As a reason would say it.
    """

    column: str
    value: float | str | None
    typical: float | str | None
    contribution: float
    story: str
    story_contribution: float
    words: str


@dataclass(frozen=True)
class LeadPage:
    """One observation of a lead, explained by the model that the run kept.

    Attributes
    ----------
    run_id, user_id : str
    as_of : str
        ISO 8601, UTC.
    fold : int
        In which the row validated.
    label : int
    probability : float
        Of the kept model; in the last fold that is the recorded prediction.
    band : str
    base, log_odds : float
        `base` and all contributions add up to `log_odds`.
    scale : str
        Of these: `log-odds` of the probability, or `log-odds before calibration`.
    reasons : list of str
    rows : list of LeadRow
        The strongest story first.
    note : str
        What to know before reading on; "" where there is nothing.
    """

    run_id: str
    user_id: str
    as_of: str
    fold: int
    label: int
    probability: float
    band: str
    base: float
    log_odds: float
    scale: str
    reasons: list[str]
    rows: list[LeadRow]
    note: str

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return asdict(self)


def lead_page(run: Run, user_id: str, as_of: str | None = None) -> LeadPage:
    """Return one lead's page: a validation row of a run, its values, and what each adds to the score.

    Parameters
    ----------
    run : Run
    user_id : str
    as_of : str, optional
        Which of the lead's validation rows; default the latest of the last fold, whose model was kept.

    Raises
    ------
    RecordError
        When the run kept no features, or the lead (at that instant) is none of its validation rows.
    """
    from leadscore.explain import group_contributions, reasons, said_values

    if not (run.folder / VALUES).is_file():
        raise RecordError(
            f"run {run.run_id} has no {VALUES} in {run.folder}: it did not get that far, or had too many validation "
            f"rows to keep their features"
        )
    run = replace(run, any_version=True)  # what it gives now stands beside what was recorded
    row, last = _row_of(run, user_id, as_of)
    columns, serving = list(run.model.columns), run.serving
    values = run.features
    X = values[(values["user_id"] == user_id) & (values["as_of"] == row["as_of"])].set_index(["user_id", "as_of"])
    X = X.iloc[:1][columns]
    explanation = run.model.explain(X)
    probability = float(run.model.predict_proba(X).iloc[0])
    stories = group_contributions(explanation, serving.dictionary).iloc[0]
    told = reasons(explanation, X, serving.dictionary)
    rows = []
    for each in serving.dictionary:
        contribution = float(explanation.contributions[each.name].iloc[0])
        way = "raises" if contribution > 0 else "lowers"
        rows.append(
            LeadRow(
                column=each.name,
                value=_value(X[each.name].iloc[0]),
                typical=serving.profile[each.name].typical,
                contribution=contribution,
                story=each.group or each.name,
                story_contribution=float(stories[each.group or each.name]),
                words=f"{said_values(each, X[each.name], way)[0]}: {way}" if contribution else "",
            )
        )
    rows.sort(key=lambda each: (-abs(each.story_contribution), each.story, -abs(each.contribution), each.column))
    return LeadPage(
        run_id=run.run_id,
        user_id=user_id,
        as_of=row["as_of"].isoformat(),
        fold=int(row["fold"]),
        label=int(row["label"]),
        probability=probability,
        band=str(serving.bands.of([probability])[0]),
        base=explanation.base,
        log_odds=float(explanation.log_odds().iloc[0]),
        scale=explanation.scale,
        reasons=[text for text in told.filter(like="reason_").iloc[0] if text],
        rows=rows,
        note=_note(row, last, serving, probability),
    )


def _row_of(run: Run, user_id: str, as_of: str | None) -> "tuple[pd.Series, int]":
    """Return the lead's row among the predictions, and the last fold."""
    from leadscore.times import parse_instant

    predictions = run.predictions[run.predictions["seed"] == run.config["seed"]]
    mine = predictions[predictions["user_id"] == user_id]
    if mine.empty:
        near = did_you_mean(user_id, predictions["user_id"].unique().tolist()[:10_000], "Leads").split("Leads:")[0]
        raise RecordError(
            f"lead '{user_id}' is none of the {predictions['user_id'].nunique():,} leads that run {run.run_id} "
            f"validated on. {near}".rstrip()
        )
    last = int(predictions["fold"].max())
    if as_of is not None:
        try:
            asked = parse_instant(as_of)
        except ValueError as error:
            raise RecordError(f"--as-of {as_of}: {error}") from None
        here = mine[mine["as_of"] == asked]
        if here.empty:
            known = ", ".join(instant.isoformat() for instant in mine["as_of"].sort_values())
            raise RecordError(f"lead '{user_id}' was not validated at {as_of} in run {run.run_id}, but at {known}")
        mine = here
    return mine.sort_values(["fold", "as_of"]).iloc[-1], last


def _note(row: "pd.Series", last: int, serving: "Serving", probability: float) -> str:
    if int(row["fold"]) == last:
        if probability == row["probability"]:
            return ""
        return (
            f"recorded was {row['probability']:.6g}, and the saved model gives {probability:.6g} now: leadscore verify "
            f"--parity tells how far its scores have moved"
        )
    return (
        f"the lead validated in fold {int(row['fold'])}, where another model gave it {row['probability']:.3f}; the "
        f"kept model is that of fold {last}, trained on rows up to {serving.trained_until[:10]}, perhaps this one"
    )


def _value(value: Any) -> float | str | None:
    if value is None or value != value:  # noqa: PLR0124 - only NaN differs from itself
        return None
    return value if isinstance(value, str) else float(value)


def say_lead(page: LeadPage, *, as_json: bool = False) -> None:
    """Print the page: a table for people, or JSON."""
    if as_json:
        say_json(page.to_json())
        return
    say(f"lead {page.user_id} in run {page.run_id}")
    say_pairs(
        [
            ("as of", page.as_of),
            ("probability", f"{page.probability:.3f} (band {page.band})"),
            ("outcome", "converted within the horizon" if page.label else "did not convert within the horizon"),
            ("reasons", "\n".join(page.reasons)),
            ("note", page.note),
        ]
    )
    say()
    headings = ("column", "value", "typical", "adds", "story adds", "in words")
    alone = {row.story for row in page.rows if sum(other.story == row.story for other in page.rows) == 1}
    told: set[str] = set()
    rows = []
    for row in page.rows:
        together = "" if row.story in alone or row.story in told else f"{row.story_contribution:+.3f}"
        told.add(row.story)
        rows.append(
            (row.column, _plain(row.value), _plain(row.typical), f"{row.contribution:+.3f}", together, row.words)
        )
    say_table(headings, rows, whole=("column",), right=("value", "typical", "adds", "story adds"))
    say()
    moved = page.log_odds - page.base
    say(
        f"{page.scale}: {page.base:+.3f} for the average lead, {moved:+.3f} from the columns above, together "
        f"{page.log_odds:+.3f}: a probability of {page.probability:.3f}"
    )


def _plain(value: float | str | None) -> str:
    if value is None:
        return "missing"
    if isinstance(value, str):
        return value
    return f"{value:,.0f}" if value.is_integer() else f"{value:,.4g}"
