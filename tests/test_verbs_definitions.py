"""What *active user* means is chosen by a config group, and `leadscore definitions` says what rests on the choice."""

import json

import pytest

from leadscore.errors import FeatureError
from leadscore.identity.run import begin, code_of
from leadscore.model.registry import registration_of
from leadscore.pipeline import build_dataset, compose, plan_run, run
from leadscore.verbs import main

SMALL = ["data.n_leads=400", "audit=off", "report=false", "features=+engagement"]


@pytest.fixture(scope="module")
def chosen(tmp_path_factory):
    """One run of each choice: (its folder's root, what names it, its column is_active_user)."""
    root = tmp_path_factory.mktemp("chosen")
    found = {}
    for choice in ("default", "paying"):
        config = compose([*SMALL, f"definitions={choice}", f"tracking.root={root}"])
        plan = plan_run(config)
        identity = begin(config, plan, code_of(plan, registration_of(config.model.name).cls))
        found[choice] = identity, build_dataset(config).X["is_active_user"]
        run(config, root / choice)
    return root, found


def test_the_choice_switches_what_the_feature_means_and_what_names_the_run(chosen):
    (seen, any_event), (paying, paid) = chosen[1].values()
    assert set(any_event) == set(paid) == {0, 1}
    assert any_event.mean() > paid.mean() > 0
    assert (paid <= any_event).all()  # an invoice is an event
    assert [part for part in seen["parts"] if seen["parts"][part] != paying["parts"][part]] == ["features"]
    assert seen["code_hash"] != paying["code_hash"]
    assert seen["config_hash"] != paying["config_hash"]


def test_every_definition_is_shown_with_what_rests_on_it(chosen, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    root, _ = chosen
    assert main(["definitions", "--root", str(root), "definitions=paying", "--json"]) == 0
    (concept,) = json.loads(capsys.readouterr().out)
    assert (concept["concept"], concept["chosen"]) == ("active_user", "paid_invoice_30d")
    assert (concept["features"], concept["sets"]) == (["is_active_user"], ["engagement"])
    any_event, paid = concept["definitions"]
    assert (any_event["reads"], any_event["sees"], any_event["chosen"]) == ("events: all types", "30d", False)
    assert (paid["reads"], paid["chosen"], paid["champion"]) == ("events: invoice", True, None)
    assert [each["folder"] for each in any_event["runs"]] == [str(root / "default")]
    assert [each["folder"] for each in paid["runs"]] == [str(root / "paying")]


def test_the_table_says_which_is_chosen_how_and_whether_the_champion_uses_it(chosen, capsys, monkeypatch, tmp_path):
    from leadscore import promotion
    from leadscore.record import open_run

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(promotion, "parity", lambda run, **_: (True, "not asked here"))
    root, _ = chosen
    promotion.promote(open_run(str(root / "paying")), "pays", root=root, force=True)
    assert main(["definitions", "any_event_30d", "--root", str(root)]) == 0
    said = capsys.readouterr().out
    assert said.startswith("active_user: any_event_30d is chosen\n")
    any_event, paid = (line for line in said.splitlines() if "in the last thirty days" in line)
    assert any_event.split()[:2] == ["any_event_30d", "yes"]
    assert "uses it" in paid
    assert "uses it" not in any_event
    assert "chosen by definitions=default|paying, or one by one by definitions.CONCEPT=DEFINITION" in said


def test_an_unknown_name_says_what_is_near(capsys):
    assert main(["definitions", "active_users"]) == 1
    assert "Did you mean 'active_user'?" in capsys.readouterr().err
    with pytest.raises(FeatureError, match="unknown definition"):
        compose(["definitions.active_user=paid", "features=+engagement"])
