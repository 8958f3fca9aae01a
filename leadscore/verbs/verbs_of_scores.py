"""The grammar of the verbs about past score files."""

from typing import Any

from leadscore.verbs.syntax import ANY, add_json, add_roots, add_verb

__all__ = ["add_score_verbs"]

TODAY = """\
OVERRIDEs say where today's tables are, as the scoring door takes them and may stand anywhere: data=crm
data.dir=exports "plugins=[my_features]". Without data=NAME the data config that the run recorded is read again,
which data.KEY=VALUE changes."""


def add_score_verbs(group: Any) -> None:
    """Add `outcomes` and `score-diff`."""
    outcomes = add_verb(
        group,
        "outcomes",
        "outcomes:outcomes",
        "say what became of the leads in past score files, beside what validation promised",
        names="SCORES [SCORES ...]",
        wanted=(1, ANY),
        overrides=TODAY,
    )
    add_roots(outcomes)
    outcomes.add_argument("--md", action="store_true", help="Markdown, for a report")
    add_json(outcomes)
    diff = add_verb(
        group,
        "score-diff",
        "score_diff:score_diff",
        "say why scores moved between two score files: the leads' own data, the model, or its calibration",
        names="OLD NEW",
        wanted=(2, 2),
        overrides=f"{TODAY} missing.FEATURE=POLICY and allow_code_change=true are as in scoring.",
    )
    diff.add_argument("--lead", metavar="ID", help="one lead alone, with all its columns")
    add_roots(diff)
    add_json(diff)
