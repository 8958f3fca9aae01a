"""What `leadscore features` says of features, definitions, sets and runs, and how it words a mistake."""

import json
import re
import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import yaml

from leadscore.features import DEFINITIONS, FEATURES, Feature
from leadscore.verbs import main
from leadscore.verbs.dictionary import TEMPLATE
from leadscore.verbs.distribution import describe

SMALL = "data.n_leads=500"


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """An empty folder, and a registry that forgets what a test registers."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    features, definitions, modules = (
        dict(FEATURES),
        {key: dict(known) for key, known in DEFINITIONS.items()},
        {*sys.modules},
    )
    yield tmp_path
    for registry, before in ((FEATURES, features), (DEFINITIONS, definitions)):
        registry.clear()
        registry.update(before)
    for name in {*sys.modules} - modules:
        if name.startswith("my_"):
            del sys.modules[name]


@pytest.fixture
def ask(capsys):
    """Run a verb: (exit status, what it printed, what it complained)."""

    def run(*words: str) -> SimpleNamespace:
        try:
            status = main(words)
        except SystemExit as left:
            status = left.code
        said = capsys.readouterr()
        return SimpleNamespace(status=status, out=said.out, err=said.err)

    return run


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


MINE = '''\
from leadscore.features import definition, feature


@feature(source="events", event_type="ticket", lookback="14d", no_events=0, unit="tickets", bounds=(0, None))
def my_tickets(events_df, now, *, least=1):
    """Tickets | in <b>two weeks</b>.

    The second paragraph says more.
    """
    return events_df.groupby("user_id").size()


@feature(source="events", no_events=0)
def my_ratio(events_df, now, *, my_tickets, active_user):
    """Tickets of active users."""
    return my_tickets * active_user


@feature(source="events", no_events=0)
def my_square(events_df, now, *, my_ratio):
    """Its square."""
    return my_ratio**2
'''


DICE = """\
import random

from leadscore.features import feature


@feature(source="events", no_events=0)
def dice(events_df, now):
    'Another number each time.'
    return events_df.groupby("user_id").size() * random.random()
"""


@pytest.fixture
def mine(home):
    """A user's module and set: the overrides that bring them."""
    write(home / "my_words.py", MINE)
    write(home / "my_conf" / "features" / "mine.yaml", "# Ours.\nmy_tickets: {least: 2}\n")
    return ("--config-dir", "my_conf", "plugins=[my_words]")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["fetures"], "leadscore: unknown verb 'fetures'. Did you mean 'features'? Verbs: "),
        (["features", "lst"], "leadscore: unknown verb 'lst'. Did you mean 'list'?"),
        (["features", "list", "--jsn"], "leadscore: unknown option --jsn. Did you mean --json?"),
        (["features", "show"], "leadscore: NAME is missing"),
        (["features", "show", "a", "b"], "leadscore: 'b' is one word too many"),
        (["features", "list", "-m", "model=a,b"], "several runs at once are for python -m leadscore.train"),
        (["train", "model=lightgbm"], "'train' is a door of its own: python -m leadscore.train"),
        (["features"], "usage: leadscore features"),
        ([], "usage: leadscore"),
    ],
)
def test_a_line_that_cannot_be_parsed_leaves_with_2_and_says_what_is_near(ask, words, said):
    done = ask(*words)
    assert done.status == 2
    assert said in done.err
    assert "Traceback" not in done.err


def test_a_users_mistake_is_one_message(ask):
    done = ask("features", "list", "data=dmeo")
    assert (done.status, done.out) == (1, "")
    assert done.err.startswith("leadscore: data=dmeo: unknown choice 'dmeo' of data. Did you mean 'demo'?")


def test_list_shows_each_set_with_its_features_in_one_line_each(ask):
    done = ask("features", "list")
    assert done.status == 0
    assert "sessions - How often and how lately the lead sat down with the product.\n" in done.out
    (line,) = [line for line in done.out.splitlines() if line.startswith("tickets_last_30_days ")]
    assert line.split(maxsplit=4) == ["tickets_last_30_days", "30d", "events:", "ticket", line.split(maxsplit=4)[4]]
    assert line.endswith("Support tickets opened in the thirty days before the score.")
    assert any(line.split()[:4] == ["any_event_30d", "active_user", "yes", "30d"] for line in done.out.splitlines())
    assert "in no set" not in done.out


def test_list_says_why_a_set_cannot_be_planned_and_what_stands_in_none(ask, home, mine):
    write(home / "my_conf" / "data" / "small.yaml", "defaults: [demo, _self_]\nname: small\n")
    line = ("features", "list", "data=small", "~data.known_at_creation.company_size", *mine, "--json")
    listed = json.loads(ask(*line).out)
    sets = {each["name"]: each for each in listed["sets"]}
    assert "reads the lead column company_size, not listed in data.known_at_creation" in sets["signup"]["reason"]
    assert sets["signup"]["features"] == []
    assert sets["mine"]["what"] == "Ours."
    assert sets["mine"]["features"][0]["parameters"] == {"least": 2}
    assert [each["name"] for each in listed["in_no_set"]] == ["my_ratio", "my_square"]
    assert [(each["name"], each["chosen"]) for each in listed["definitions"]] == [
        ("any_event_30d", True),
        ("paid_invoice_30d", False),
    ]


def test_show_says_all_that_a_declaration_says_and_its_code(ask, mine):
    done = ask("features", "show", "my_tickets", *mine, "--no-data")
    assert done.status == 0
    for part in (
        "my_tickets: feature",
        "The second paragraph says more.",
        "reads              events: ticket",
        "window             14d before the score",
        "bounds             at least 0",
        "parameters         least=2 (default 1)",
        "in sets            mine",
        "used by            my_ratio, my_square",
        "code               my_words.py:4",
        '  @feature(source="events", event_type="ticket", lookback="14d"',
    ):
        assert part in done.out
    assert "observations" not in done.out


def test_show_describes_the_values_on_the_configured_data(ask):
    from leadscore import build_dataset, compose

    shown = json.loads(ask("features", "show", "sessions_last_7_days", SMALL, "window.delay=3d", "--json").out)
    dataset = build_dataset(compose(["features=+sessions", SMALL, "window.delay=3d"]))
    values, labels = dataset.X["sessions_last_7_days"], dataset.y
    spread = shown["distribution"]
    assert spread["n"] == len(values)
    assert spread["numbers"]["mean"] == pytest.approx(values.mean())
    assert spread["at_no_events"] == pytest.approx((values == 0).mean())
    assert sum(group["n"] for group in spread["groups"]) == len(values)
    assert sum(group["n"] * group["converted"] for group in spread["groups"]) == pytest.approx(labels.sum())
    assert shown["used_by"]["sets"] == ["sessions"]
    assert shown["used_by"]["experiments"] == ["sessions_help"]


def test_show_of_a_concept_shows_each_definition_and_which_is_chosen(ask):
    done = ask("features", "show", "active_user", SMALL)
    assert done.status == 0
    assert "any_event_30d: definition of active_user" in done.out
    assert "no; definitions.active_user=paid_invoice_30d chooses it" in done.out
    assert done.out.count("observations, ") == 2


def test_show_of_a_declared_aggregate_shows_its_entry(ask):
    done = ask("features", "show", "events_3d", "--no-data")
    entry = yaml.safe_load(done.out.split("as an entry of a set:\n")[1])
    assert entry == {"events_3d": {"aggregate": "count", "lookback": "3d"}}


def test_show_still_shows_what_the_data_cannot_compute(ask):
    done = ask("features", "show", "offers_made", SMALL)
    assert done.status == 0
    assert "reads              events: O_SENT\n" in done.out
    assert "no values are shown on data=demo: feature 'offers_made' reads events of type 'O_SENT'; no event" in done.out


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("sesions_last_7_days", "nothing is called 'sesions_last_7_days'. Did you mean 'sessions_last_7_days'?"),
        ("paid_invoice_30", "Did you mean 'paid_invoice_30d'?"),
        ("sessions", "'sessions' is a feature set: session_share_last_7_days, sessions_last_24_hours"),
        ("events", "an entry of the set 'applications' that makes other columns: events_1d, events_3d, events_7d"),
    ],
)
def test_a_name_that_is_not_there_says_what_is_near(ask, name, said):
    done = ask("features", "show", name)
    assert done.status == 1
    assert said in done.err


def plain(values, labels, dtype="number", no_events=None):
    return describe(pd.Series(values), pd.Series(labels), Feature("x", len, "events", dtype=dtype, no_events=no_events))


def test_many_numbers_are_shown_in_four_parts_and_a_border_belongs_below_it():
    found = plain(list(range(1, 10)), [0] * 8 + [1])
    assert [(group.value, group.n) for group in found.groups] == [
        ("1 to 3", 3),
        ("above 3 to 5", 2),
        ("above 5 to 7", 2),
        ("above 7 to 9", 2),
    ]
    assert [group.converted for group in found.groups] == [0, 0, 0, 0.5]


def test_most_values_alike_make_fewer_parts():
    found = plain([0] * 90 + [1, 2, 3, 4, 5, 6, 7, 8, 9, 10], [0] * 100, no_events=0)
    assert [(group.value, group.n) for group in found.groups] == [("0 to 10", 100)]
    assert found.at_no_events == 0.9


def test_numbers_that_differ_late_are_written_apart():
    found = plain([1_000_001.0, 1_000_002.0], [0, 1])
    assert [group.value for group in found.groups] == ["1000001.0", "1000002.0"]


def test_missing_values_and_rare_categories_are_groups_of_their_own():
    values = [*"aaabbc", *"defghij", np.nan]
    found = plain(values, [0] * 13 + [1], dtype="category")
    assert found.numbers is None
    assert [group.value for group in found.groups] == ["a", "b", *"cdefgh", "2 others", "missing"]
    assert found.missing == pytest.approx(1 / 14)
    assert found.groups[-1].converted == 1


def test_a_wholly_missing_column_is_described_too():
    found = plain([np.nan, np.nan], [0, 1])
    assert (found.missing, found.numbers, [group.value for group in found.groups]) == (1, None, ["missing"])


def recorded(home, run_id, features, definitions=None, **identity):
    folder = home / "outputs" / run_id
    write(folder / "identity.json", json.dumps({"run_id": run_id, "started": run_id, "status": "done", **identity}))
    config = {
        "features": features,
        "definitions": definitions or {"active_user": "any_event_30d"},
        "data": {"known_at_creation": {}},
        "model": {"name": "logistic"},
        "notes": "why not",
    }
    write(folder / "config.yaml", yaml.safe_dump(config))


def test_impact_follows_a_definition_to_features_sets_and_the_runs_that_chose_it(ask, home, caplog):
    recorded(home, "1", {"is_active_user": {}})
    recorded(home, "2", {"sessions_last_7_days": {}})
    recorded(home, "3", {"is_active_user": {}}, {"active_user": "paid_invoice_30d"})
    recorded(home, "4", {"gone_by_now": {}, "is_active_user": {}})
    write(home / "outputs" / "5" / "identity.json", '{"run_id": "5", "started": "5"}')
    write(home / "outputs" / "5" / "config.yaml", "features: [")
    found = json.loads(ask("features", "impact", "any_event_30d", "--json").out)
    assert found["features"] == ["is_active_user"]
    assert found["sets"] == ["engagement"]
    assert found["concept"] == "active_user"
    assert [run["run_id"] for run in found["runs"]] == ["4", "1"]
    assert "its config.yaml cannot be read" in caplog.text
    both = json.loads(ask("features", "impact", "active_user", "--json").out)
    assert [run["run_id"] for run in both["runs"]] == ["4", "3", "1"]


def test_impact_of_a_feature_reaches_what_takes_it_and_the_columns_of_an_aggregate(ask, home, mine):
    write(home / "my_conf" / "features" / "more.yaml", "my_ratio: {}\n")
    write(
        home / "my_conf" / "experiment" / "tried.yaml",
        "# @package _global_\n# Does it help?\ndefaults:\n  - override /features: +more\n",
    )
    recorded(home, "1", {"visits": {"aggregate": "count", "lookback": ["1d", "7d"]}})
    found = json.loads(ask("features", "impact", "my_tickets", *mine, "--json").out)
    assert found["features"] == ["my_ratio", "my_square"]
    assert (found["sets"], found["experiments"]) == (["mine", "more"], ["tried"])
    write(home / "my_conf" / "features" / "visited.yaml", "visits: {aggregate: count, lookback: [1d, 7d]}\n")
    said = ask("features", "impact", "visits_7d", *mine).out
    assert "runs         1 under outputs, multirun, newest first" in said
    assert "why not" in said


def test_the_dictionary_is_in_words_and_stays_a_table_whatever_a_meaning_holds(ask, mine):
    done = ask("features", "dictionary", "--md", "features=mine", *mine)
    (row,) = [line for line in done.out.splitlines() if "my_tickets" in line]
    assert row == (
        r"| My tickets | Tickets \| in &lt;b&gt;two weeks&lt;/b&gt;. | the 14 days before the score | tickets | "
        r"0 for a lead without such events | the event log: ticket | my_tickets |"
    )


def test_the_html_dictionary_is_one_file_and_escaped(ask, home, mine):
    done = ask("features", "dictionary", "--html", "--out", "out/columns.html", "features=+mine", *mine)
    assert done.out == "wrote out/columns.html: 10 columns\n"
    page = (home / "out" / "columns.html").read_text()
    assert "<p>Tickets | in &lt;b&gt;two weeks&lt;/b&gt;.</p>" in page
    assert 'name="viewport"' in page
    assert "prefers-color-scheme: dark" in page
    assert "http" not in page
    assert [path.name for path in (home / "out").iterdir()] == ["columns.html"]


def test_colours_of_the_dictionary_contrast_enough():
    text = TEMPLATE.read_text(encoding="utf-8")
    themes = [dict(re.findall(r"--(\w+): (#\w{6})", part)) for part in re.findall(r":root \{(.*?)\}", text)]
    assert len(themes) == 2
    for theme in themes:
        for ink in ("ink", "soft"):
            assert contrast(theme[ink], theme["paper"]) >= 4.5


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two colours, as WCAG 2 computes it."""

    def luminance(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def finding(feature, severity, **more):
    given = {
        "check": "truncate",
        "lead": "L1",
        "before": 1.0,
        "after": float("nan"),
        "line": "",
        "message": f"{feature} sees",
    }
    return SimpleNamespace(feature=feature, severity=severity, **{**given, **more})


@pytest.fixture
def audited(monkeypatch):
    """An audit that finds what a test says, and remembers what it was asked."""
    asked = SimpleNamespace(findings=(), names=None)

    def audit(plan, tables, observations, *, names=None):
        asked.names = list(names)
        assert {*names} <= {each.name for each in plan.columns}
        errors = [each for each in asked.findings if each.severity == "error"]
        checks = dict.fromkeys(names, ("truncate", "order"))
        return SimpleNamespace(findings=tuple(asked.findings), checks=checks, ok=not errors)

    module = ModuleType("leadscore.features.audit")
    module.audit = audit
    monkeypatch.setitem(sys.modules, "leadscore.features.audit", module)
    return asked


def test_check_tells_each_feature_and_leaves_with_1_when_one_is_at_fault(ask, audited):
    assert ask("features", "check", SMALL).status == 0
    assert "days_since_last_event" in audited.names
    audited.findings = (finding("plan", "review"),)
    done = ask("features", "check", "plan", SMALL)
    assert done.status == 0
    assert "review: plan sees" in done.out
    audited.findings = (finding("plan", "error"), finding("source", "review"))
    done = ask("features", "check", SMALL, "plan", "source")
    assert done.status == 1
    verdicts = [line.split() for line in done.out.splitlines()[1:3]]
    assert verdicts == [["plan", "ERROR", "2"], ["source", "review", "2"]]
    assert "2 features on data=demo: 1 at fault" in done.out
    said = json.loads(ask("features", "check", SMALL, "plan", "--json").out)
    assert said["ok"] is False
    assert said["features"][0]["findings"][0]["after"] is None


def test_check_all_takes_every_set_and_says_what_cannot_be_computed_here(ask, home, audited, mine):
    others = "my_tickets: {least: 3}\nevents_3d: {aggregate: active_days, lookback: 3d}\n"
    write(home / "my_conf" / "features" / "others.yaml", others)
    said = json.loads(ask("features", "check", "--all", SMALL, *mine, "--json").out)
    assert {"my_tickets", "my_ratio", "log_company_size", "events_3d", "largest_invoice"} <= {*audited.names}
    assert "offers_made" not in audited.names
    assert "no event has it" in said["skipped"]["offers_made"]
    assert said["skipped"]["my_tickets ({'least': 3})"] == "another set has it with {'least': 2}"
    assert "two entries make a column called 'events_3d'" in said["skipped"]["events_3d"]


def test_check_catches_a_feature_that_is_not_a_function_of_its_rows(ask, home):
    write(home / "my_dice.py", DICE)
    line = ("features", "check", "dice", "plugins=[my_dice]", SMALL)
    done = ask(*line)
    assert done.status == 1
    assert ["dice", "ERROR"] in [line.split()[:2] for line in done.out.splitlines()]
    assert "1 feature on data=demo: 1 at fault" in done.out
    found = json.loads(ask(*line, "--json").out)["features"][0]["findings"]
    assert "repeat" in {each["check"] for each in found}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["active_user"], "'active_user' is a definition, and is checked in the features that take it: is_active_user"),
        (["offers_made"], "reads events of type 'O_SENT'; no event has it"),
        (["plna"], "Did you mean 'plan'?"),
        (["plan", "--all"], "--all: checks everything"),
    ],
)
def test_check_of_what_cannot_be_checked_says_why(ask, audited, words, said):
    done = ask("features", "check", *words, SMALL)
    assert done.status == 1
    assert said in done.err
