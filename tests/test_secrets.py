"""A secret in a config is refused before anything is written, and nothing repeats it; what is asked is fixed."""

import dataclasses

import pytest

from leadscore.config.secrets import hide_secrets
from leadscore.errors import ConfigError
from leadscore.pipeline import compose, run

# Put together here, so that no tool that looks for secrets finds one in this file.
AWS = "AKIA" + "IOSFODNN7EXAMPLE"
GITHUB = "ghp_" + "a1B2c3" * 6
OPENAI = "sk-" + "proj-4fK2" * 4
SLACK = "xoxb-" + "2401-9923-abcdef"
LINK = "postgres://sales:" + "hunter2hunter2@db.example/leads"
PEM = "-----BEGIN RSA " + "PRIVATE KEY-----"
SIGNED = "https://store.example/leads.csv?X-Amz-Signature=" + "0a1b2c3d" * 4
PLANTED = [AWS, GITHUB, OPENAI, SLACK, LINK, PEM, SIGNED]


def refusal(*overrides, **given):
    with pytest.raises(ConfigError) as caught:
        compose(list(overrides), **given)
    return str(caught.value)


def everything_below(folder):
    return b"\n".join(str(path).encode() + path.read_bytes() for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("secret", PLANTED, ids=lambda secret: secret[:6])
@pytest.mark.parametrize("key", ["notes", "tracking.root", "data.currency", "model", "features", "+nonsense", "seed"])
def test_what_has_the_form_of_a_secret_is_refused_in_any_key_and_not_repeated(key, secret):
    said = refusal(f"{key}='{secret}'")
    assert said.startswith(f"{key.lstrip('+')} has a")
    assert "it would stay in the run's folder, its log and its trackers" in said
    assert secret not in said
    assert secret[8:20] not in said


@pytest.mark.parametrize(
    ("override", "where"),
    [
        ("+model.api_key=swordfish", "model.api_key"),
        ("+hydra.job.env_set={DB_PASSWORD: swordfish}", "hydra.job.env_set.DB_PASSWORD"),
        ("++hydra.job.env_set.DB_PASSWORD=swordfish", "hydra.job.env_set.DB_PASSWORD"),
        ("+features.mine={token: swordfish}", "features.mine.token"),
        ("+password=swordfish,swordfish2", "password"),
        ("+tracking.secret={a: [swordfish}", "tracking.secret"),
    ],
)
def test_what_is_called_like_a_secret_is_refused_whatever_it_is(override, where):
    said = refusal(override)
    assert said.startswith(f"{where} is called like a secret")
    assert said.endswith("If it is none, give it another name.")
    assert "swordfish" not in said


def test_a_users_own_words_for_events_columns_and_features_are_no_secrets():
    config = compose(
        [
            "+data.event_types={reset_password: reset, api_token: token}",
            "+features.tokens={aggregate: count, where: {event_type: [token]}}",
            "+features.password={aggregate: count, event_type: reset_password}",
            "notes='do resets of a password (token: yes) help? compare 63bbdf6cf02f873e9d29fe1e7fa27e1398b31392'",
            "tracking.root=https-logs/me@work",
        ]
    )
    assert config.data.event_types["api_token"] == "token"


def test_the_environments_secrets_are_known_by_their_names(monkeypatch):
    monkeypatch.setenv("CRM_PASSWORD", "swordfish-9")
    monkeypatch.setenv("SHORT_TOKEN", "base")
    monkeypatch.setenv("KEYS_SECRET", "/home/me/keys")
    said = refusal("notes=it is swordfish-9")
    assert said.startswith("notes has the value of the environment variable CRM_PASSWORD in it")
    said = refusal("tracking.root=${oc.env:CRM_PASSWORD}")
    assert said.startswith("tracking.root reads the environment variable CRM_PASSWORD, which is called like a secret")
    assert compose(["notes=base or /home/me/keys"]).notes == "base or /home/me/keys"


def test_what_the_environment_holds_is_looked_at_as_it_resolves(monkeypatch):
    monkeypatch.setenv("CRM", LINK)
    monkeypatch.setenv("PLACE", "crm/files")
    assert compose(["data=bpic2012", "data.dir=${oc.env:PLACE}"]).data.dir == "crm/files"
    for override in ("data.dir=${oc.env:CRM}", "data.leads.path=${data.dir}", "hydra.run.dir=${oc.env:CRM}"):
        said = refusal("data=bpic2012", "data.dir=${oc.env:CRM}", override)
        assert "has a URL with a password in it" in said
        assert "hunter2" not in said


def test_a_file_of_ones_own_is_looked_at_also_where_it_does_not_compose(tmp_path):
    (tmp_path / "experiment").mkdir()
    for key in ("notes", "seed"):
        (tmp_path / "experiment" / "bad.yaml").write_text(f"# @package _global_\n{key}: {GITHUB}\n")
        said = refusal("experiment=bad", config_dir=tmp_path)
        assert "a GitHub token" in said
        assert GITHUB not in said


def test_a_config_that_was_changed_after_composing_is_looked_at_too(tmp_path):
    config = compose(["data.n_leads=400", f"tracking.root={tmp_path}"])
    with pytest.raises(ConfigError, match="notes has a GitHub token in it"):
        run(dataclasses.replace(config, notes=GITHUB))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "line",
    [
        [f"notes={GITHUB}"],
        [f"tracking.root=out/{AWS}"],
        ["-m", f"notes=one,{SLACK}"],
        [f"+model.password={SLACK}"],
        [f"hydra.run.dir=out/{OPENAI}"],
        [f"--config-dir={LINK}"],
        [f"--tokn={GITHUB}"],
        [f"plugins=[{GITHUB}]"],
        ["notes=from the shell: swordfish-9"],
        ["data=bpic2012", "data.dir=${oc.env:CRM}"],
        ["data=bpic2012", f"data.dir={LINK}", "--cfg", "job"],
    ],
)
def test_a_refused_command_leaves_nothing_and_repeats_nothing(command, tmp_path, monkeypatch, line):
    monkeypatch.setenv("CRM_PASSWORD", "swordfish-9")
    monkeypatch.setenv("CRM", LINK)
    done = command(*line)
    assert done.returncode == 1
    assert "refused and not repeated here" in done.stderr
    assert not list(tmp_path.iterdir())
    for secret in (*PLANTED, "swordfish", "hunter2"):
        assert secret not in done.stdout + done.stderr


def test_a_run_in_a_shell_full_of_secrets_writes_none_of_them(command, tmp_path, monkeypatch):
    secrets = {"CRM_PASSWORD": "swordfish-9", "WANDB_API_KEY": "0f" * 20, "AWS_ACCESS_KEY_ID": AWS, "CRM": LINK}
    for name, value in secrets.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PLACE", "kept")
    done = command("data.n_leads=400", "tracking.root=${oc.env:PLACE}", "notes=of ${oc.env:CRM}", "audit=off")
    assert done.returncode == 0, done.stderr
    written = everything_below(tmp_path) + (done.stdout + done.stderr).encode()
    assert b"of ${oc.env:CRM}" in written  # a note is free text, which nothing resolves
    assert b"tracking.root=${oc.env:PLACE}" in written
    for value in secrets.values():
        assert value.encode() not in written


@pytest.mark.parametrize(
    ("overrides", "key", "resolver"),
    [
        (["seed=${now:%Y}"], "seed", "now"),
        (["data.seed=${oc.env:SEED}"], "data.seed", "oc.env"),
        (["data.currency=in_${oc.env:CURRENCY,EUR}"], "data.currency", "oc.env"),
        (["model.C=${hydra:job.num}"], "model.C", "hydra"),
        (
            ["notes=${now:%Y}", "data.currency=${tracking.root}", "tracking.root=${oc.env:X,a}"],
            "data.currency",
            "oc.env",
        ),
        (["features.attributes.aggregate=${oc.env:X,attributes}"], "features.attributes.aggregate", "oc.env"),
        (["definitions.active_user=${oc.env:WHO,any_event_30d}"], "definitions.active_user", "oc.env"),
        (["window.horizon=${oc.decode:30d}"], "window.horizon", "oc.decode"),
        (["data=bpic2012", "data.dir=.", "data.timezone=${oc.env:TZ,UTC}"], "data.timezone", "oc.env"),
        (["data=bpic2012", "data.dir=.", "data.leads.encoding=${oc.env:X,utf-8}"], "data.leads.encoding", "oc.env"),
    ],
)
def test_what_is_asked_does_not_depend_on_the_clock_or_the_shell(overrides, key, resolver):
    said = refusal(*overrides)
    assert said.startswith(f"{key}: a value made by ${{{resolver}:...}} would differ from one start to the next")


def test_references_and_what_is_outside_the_hash_may_be_made_anew(monkeypatch):
    monkeypatch.setenv("PLACE", "somewhere")
    config = compose(
        [
            "window.horizon=${window.delay}",
            "tracking.root=${oc.env:PLACE}",
            "compute.cache_dir=${now:%Y}/${oc.env:PLACE}",
        ]
    )
    assert (config.window.horizon, config.tracking.root) == ("7d", "somewhere")
    assert config.compute.cache_dir.endswith("/somewhere")
    files = compose(["data=bpic2012", "data.dir=${oc.env:PLACE}", "data.leads.path=${oc.env:PLACE}.csv"])
    assert (files.data.dir, files.data.leads.path) == ("somewhere", "somewhere.csv")


def test_a_variable_that_is_not_set_is_named():
    assert "Environment variable 'NOT_SET_HERE' not found" in refusal("tracking.root=${oc.env:NOT_SET_HERE}")


@pytest.mark.parametrize("secret", PLANTED, ids=lambda secret: secret[:6])
def test_hiding_leaves_the_rest_of_a_message(secret):
    hidden = hide_secrets(f"no such file: {secret} here")
    assert hidden.startswith("no such file: ")
    assert secret not in hidden
