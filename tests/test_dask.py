"""A cluster computes what one machine computes, to the last bit, whatever happens to its workers."""

import importlib
import importlib.util
import json
import os
import pickle
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import elsewhere
import numpy as np
import pandas as pd
import pytest
from conftest import event_table, lead_table, tables

from leadscore import eventlog, predicting
from leadscore.cluster import Cluster, close_clusters, cluster_of
from leadscore.cluster.connect import SPOKEN
from leadscore.config.schema import ComputeConfig, DaskCompute
from leadscore.errors import ComputeError, ConfigError, FeatureError
from leadscore.eventlog_file import open_log, write_log
from leadscore.features import build
from leadscore.features.plan import Plan, Planned, make_plan
from leadscore.features.registry import Feature
from leadscore.model import CheckedModel, make_model
from leadscore.pipeline import build_dataset, compose, run
from leadscore.preparing import model_table
from leadscore.record import open_run
from leadscore.repetition import config_of
from leadscore.scoring import compose_score, prepare_batch, write_scores
from leadscore.tables import Tables

N = 60
DAYS = pd.date_range("2024-01-01T06:00", periods=N, freq="57h", tz="UTC")
NAMES = [f"lead {number}" if number % 3 else f"{number:03d}" for number in range(N)]
ZONES = ["Europe/Berlin", "Asia/Kolkata", "UTC"]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """A scheduler and two worker processes on this machine."""
    found = cluster_of(DaskCompute(memory_gb=1.0, timeout="20s"))
    assert found is not None
    yield found
    close_clusters()


def step(function, *, inputs=None, **declaration) -> Planned:
    declaration = {"source": "events", "no_events": 0.0, "meaning": "it", **declaration}
    return Planned(Feature(function.__name__, function, **declaration), inputs=inputs or {})


COUNT = step(elsewhere.n_events)
STEPS = (
    COUNT,
    step(elsewhere.mean_amount, columns=("amount",), no_events=None, missing="none"),
    step(elsewhere.hours_since, no_events=None, missing="none", lookback=timedelta(days=60)),
    step(elsewhere.on_mondays, calendar=True),
    step(elsewhere.in_month, calendar="date"),
    step(elsewhere.rank_among_leads, across_leads=True),
    step(elsewhere.usual_type, dtype="category", no_events="none"),
    step(elsewhere.share_of, columns=("amount",), no_events=None, missing="none", inputs={"n_events": COUNT.feature}),
    step(elsewhere.id_length, source="leads"),
)
DECLARED = {
    "events_30d": {"aggregate": "count", "lookback": "30d"},
    "x_ever": {"aggregate": "count", "event_type": "x"},
    "nightly": {"aggregate": "count", "when": "night", "zone": "lead.zone"},
    "spread": {"aggregate": "std", "column": "amount", "lookback": "90d"},
    "last_kind": {"aggregate": "last", "column": "kind"},
}


def sample(*, late: bool = False) -> Tables:
    rows = [
        (NAMES[number], str(DAYS[number] + pd.Timedelta(hours=7 * k + number % 24)), "xyz"[(number + k) % 3])
        for number in range(N - 10)
        for k in range(number % 9)
    ]
    log = event_table(*rows, amount=[float(k % 7) / 3 for k in range(len(rows))])
    log["kind"] = pd.Series(["red" if k % 5 else None for k in range(len(log))], dtype="str")
    if late:
        log["ingested_at"] = log["timestamp"] + pd.to_timedelta(np.arange(len(log)) % 50, unit="h")
    leads = lead_table(dict(zip(NAMES, map(str, DAYS), strict=True)), zone=[ZONES[n % 3] for n in range(N)])
    return tables(leads, log, end="2025-06-01", zone="category")


def observed(*, snapshots: bool = False) -> pd.DataFrame:
    if snapshots:
        instants = pd.date_range("2024-03-01", periods=4, freq="7D", tz="UTC")
        pairs = [(row, instant) for instant in instants for row in range(N) if DAYS[row] <= instant]
    else:
        pairs = [(row, DAYS[row] + pd.Timedelta(days=3)) for row in reversed(range(N))]
    rows, as_of = zip(*pairs, strict=True)
    made = pd.DataFrame({"user_id": [NAMES[row] for row in rows], "as_of": list(as_of), "lead_row": rows})
    return made.astype({"user_id": "str", "as_of": "datetime64[us, UTC]"})


def plan_of(*steps: Planned) -> Plan:
    declared = make_plan(DECLARED, {}, {"zone": "category"})
    return Plan((*steps, *declared.steps))


@pytest.mark.parametrize(
    ("snapshots", "late", "kept"),
    [(False, False, "in memory"), (True, True, "in a folder"), (True, False, "in parts")],
)
def test_every_kind_of_feature_has_the_bits_of_one_machine(cluster, tmp_path, monkeypatch, snapshots, late, kept):
    if kept == "in parts":
        monkeypatch.setattr(eventlog, "PART_ROWS", 100)
    data, asked, plan = sample(late=late), observed(snapshots=snapshots), plan_of(*STEPS)
    if kept != "in memory":
        write_log(data.log, tmp_path)
        data = Tables(data.leads, open_log(tmp_path), data.data_end, data.attributes)
    here = build(data, asked, plan)
    there = model_table(plan, data, asked, cluster=cluster)
    pd.testing.assert_frame_equal(there.X, here.X, check_exact=True)
    assert there.notes == here.notes


def test_a_row_that_gets_lost_or_comes_twice_is_told_and_nothing_is_used(cluster):
    class Careless:
        n_workers = 2

        def __init__(self, spoil):
            self.spoil = spoil

        def map(self, function, units):
            return iter(self.spoil([function(unit) for unit in units]))

    plan, asked = plan_of(), observed()
    with pytest.raises(ComputeError, match=r"gave 0 of 44 observations no value and \d+ more than one, the first of"):
        build(sample(), asked, plan, pool=Careless(lambda done: [*done, done[0]]))
    with pytest.raises(ComputeError, match=r"gave \d+ of 44 observations no value and 0 more than one"):
        build(sample(), asked, plan, pool=Careless(lambda done: done[1:]))
    with pytest.raises(ComputeError, match="no value and 0 more than one"):
        build(sample(), asked, Plan((COUNT,)), pool=Careless(lambda done: done[1:]))


def test_a_feature_that_breaks_there_is_told_as_it_is_here(cluster):
    said = []
    for how in ({}, {"pool": cluster}):
        with pytest.raises(FeatureError) as caught:
            build(sample(), observed(), Plan((step(elsewhere.breaks),)), **how)
        said.append(str(caught.value))
    assert said == ["broken on purpose"] * 2


def test_a_killed_worker_costs_only_what_it_was_doing(cluster, tmp_path):
    file = tmp_path / "go"
    before = sorted(cluster.client.run(os.getpid).values())
    units = [(number, str(file)) for number in range(6)]
    found = cluster.map(elsewhere.slowly, units)
    killer = threading.Timer(0.5, lambda: (os.kill(before[0], signal.SIGKILL), file.touch()))
    killer.start()
    assert sorted(number for number, _ in found) == list(range(6))
    killer.join()
    assert before[0] not in cluster.client.run(os.getpid).values()


def test_a_module_that_the_workers_do_not_have_is_named(cluster, tmp_path, monkeypatch):
    file = tmp_path / "only_here.py"
    file.write_text("def n_events(events, now):\n    return events.groupby('user_id').size()\n")
    found = importlib.util.spec_from_file_location("only_here", file)
    module = importlib.util.module_from_spec(found)
    monkeypatch.setitem(sys.modules, "only_here", module)
    found.loader.exec_module(module)
    words = r"the worker tcp://\S+ the module 'only_here' cannot be imported there: install"
    with pytest.raises(ComputeError, match=words):
        model_table(Plan((step(module.n_events),)), sample(), observed(), cluster=cluster)


def test_other_code_of_a_feature_on_the_workers_is_refused(cluster, monkeypatch):
    monkeypatch.setattr(elsewhere, "n_events", lambda events, now: events.groupby("user_id").size() + 1)
    monkeypatch.setattr("leadscore.cluster.worker.code_of_plan", lambda plan: "f" * 64)
    with pytest.raises(ComputeError, match="its code of the features is not this process's"):
        model_table(plan_of(), sample(), observed(), cluster=cluster)


def test_other_versions_are_refused_with_both(cluster, monkeypatch):
    monkeypatch.setattr("leadscore.cluster.worker.versions", lambda: {"python": "3.11.0", "numpy": "1.0"})
    with pytest.raises(ComputeError, match=r"the worker tcp://\S+ it has other versions .*numpy 2\S+ there, 1.0 here"):
        cluster.meet(Plan(()))
    monkeypatch.setattr("distributed.versions.get_versions", lambda: {"packages": dict.fromkeys(SPOKEN, "1.0")})
    with pytest.raises(ComputeError, match=r"the scheduler \S+ has other versions .*distributed \S+ there, 1.0 here"):
        cluster_of(DaskCompute(scheduler=cluster.address, timeout="9s"))


def test_a_running_scheduler_is_used_and_left_running(cluster):
    config = ["data.n_leads=300", "audit=off", "compute.cache=false"]
    here = build_dataset(compose(config)).X
    there = build_dataset(compose([*config, "compute=dask", f"compute.scheduler={cluster.address}"])).X
    pd.testing.assert_frame_equal(there, here, check_exact=True)
    guest = cluster_of(DaskCompute(scheduler=cluster.address))
    guest.close()
    assert cluster.is_alive()


def test_nobody_waits_for_a_scheduler_that_is_silent_or_has_no_worker_left(cluster, monkeypatch):
    def late() -> None:
        raise TimeoutError

    monkeypatch.setattr(cluster.client, "scheduler_info", lambda n_workers: {"n_workers": 0})
    with pytest.raises(ComputeError, match=r"has lost its last worker, and no other came within 20 s .compute.timeout"):
        cluster._patiently(late)
    monkeypatch.setattr("leadscore.cluster.pool.answers", lambda address, seconds: False)
    with pytest.raises(ComputeError, match=r"stopped answering during the run .TimeoutError.: start it again, or comp"):
        cluster._patiently(late)


@pytest.mark.parametrize("kind", ["nobody", "silent", "other"])
def test_what_is_no_scheduler_is_told_in_bounded_time(kind):
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        if kind != "nobody":
            listening.listen()
        if kind == "other":
            threading.Thread(target=_answer, args=(listening,), daemon=True).start()
        address = f"tcp://127.0.0.1:{listening.getsockname()[1]}"
        started = time.monotonic()
        with pytest.raises(ComputeError, match=f"{address} did not answer as a Dask scheduler within 1 s"):
            cluster_of(DaskCompute(scheduler=address, timeout="1s"))
        assert time.monotonic() - started < 5


def _answer(listening: socket.socket) -> None:
    connection, _ = listening.accept()
    with connection:
        connection.recv(1000)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n" + b"x" * 100)


def test_without_dask_one_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"needs Dask, which is not installed: pip install 'leadscore\[dask\]'"):
        cluster_of(DaskCompute())


def test_one_machine_never_imports_dask():
    code = (
        "import sys\n"
        "from leadscore.pipeline import build_dataset, compose\n"
        "build_dataset(compose(['data.n_leads=100', 'audit=off', 'compute.cache=false']))\n"
        "print('IMPORTED', *sorted({name.split('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"dask", "distributed", "tornado"} & set(done.stdout.split())


@pytest.fixture(scope="module")
def two_runs(cluster, tmp_path_factory) -> tuple[Path, Path]:
    """The same run on this machine and on the cluster, blocks and chunks so small that there are several."""
    config = ["data.n_leads=400", "model=lightgbm", "audit=off", "report=false", "metrics.resamples=100"]
    folders = []
    for how in ([], ["compute=dask", f"compute.scheduler={cluster.address}"]):
        root = tmp_path_factory.mktemp("runs")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(predicting, "BLOCK_ROWS", 40)
            run(compose([*config, *how, f"tracking.root={root}", "compute.cache=false"]), root / "run")
        folders.append(root / "run")
    return folders[0], folders[1]


def test_a_run_on_a_cluster_leaves_the_bytes_of_one_on_this_machine(two_runs):
    here, there = two_runs
    kept = {path.relative_to(here) for path in here.rglob("*") if path.is_file()}
    assert kept == {path.relative_to(there) for path in there.rglob("*") if path.is_file()}
    differ = {path.as_posix() for path in kept if (here / path).read_bytes() != (there / path).read_bytes()}
    # They say where it ran, when, and how long features took; the last two name the run.
    assert differ == {"config.yaml", "identity.json", "metrics.json", "model/serving.json", "model/manifest.json"}
    metrics = [json.loads((folder / "metrics.json").read_text()) for folder in two_runs]
    assert len({json.dumps({**each, "feature_seconds": None}) for each in metrics}) == 1
    named = [json.loads((folder / "identity.json").read_text()) for folder in two_runs]
    for key in ("identity", "config_hash", "data_hash", "validation_hash"):
        assert named[0][key] == named[1][key]


def test_scores_from_a_cluster_are_the_bytes_of_this_machine(two_runs, cluster, tmp_path):
    saved, files = open_run(two_runs[0]), []
    for how in ([], ["compute=dask", f"compute.scheduler={cluster.address}"]):
        output = tmp_path / f"{len(files)}.csv"
        given = ["data.n_leads=400", "as_of=data_end", "since=3650d", "drift.fail=null", "chunk_rows=90"]
        write_scores(prepare_batch(saved, compose_score([*given, f"output={output}", *how])))
        files.append(output.read_bytes())
    assert files[0] == files[1]
    assert files[0].count(b"\n") > 200


def test_a_record_is_run_again_without_the_scheduler_that_it_names(two_runs):
    config = config_of(open_run(two_runs[1]))
    assert config.compute == ComputeConfig(name="local", cache=False, workers=2)


def grown(cluster: Cluster) -> tuple[str, pd.DataFrame, CheckedModel]:
    config = compose(["model=lightgbm", "model.n_estimators=40", "model.machines=2", "compute=dask"]).model
    rng = np.random.default_rng(1)
    X = pd.DataFrame({"a": rng.normal(size=900), "b": rng.choice(["x", "y", None], 900)}).astype({"b": "str"})
    y = pd.Series((rng.random(900) < 0.3).astype("int8"))
    model = make_model(config, 0, cluster).fit(X, y)
    return model.inner._fitted.text, X, model


def test_trees_grown_together_are_the_same_each_time_and_say_nothing_of_where(cluster):
    text, X, model = grown(cluster)
    assert grown(cluster)[0] == text
    assert "[num_machines: 2]" in text
    assert "127.0.0.1" not in text
    assert pickle.loads(pickle.dumps(model)).predict_proba(X).equals(model.predict_proba(X))


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (["model.machines=2"], "model.machines 2 needs the workers of a cluster: choose compute=dask"),
        (["model.machines=3", "compute=dask"], "3 is more than the cluster on this machine has .compute.workers 2"),
        (
            ["model.machines=2", "compute=dask", "model.early_stopping=5"],
            "each of model.machines 2 would stop by its own",
        ),
    ],
)
def test_machines_that_cannot_grow_trees_together_are_refused(config, said):
    with pytest.raises(ConfigError, match=said):
        compose(["model=lightgbm", *config])


def test_more_machines_than_workers_are_refused_in_bounded_time(cluster, monkeypatch):
    monkeypatch.setattr(cluster, "seconds", 1.0)
    with pytest.raises(ComputeError, match=r"3 workers are needed \(model.machines\), and the scheduler \S+ has 2"):
        cluster.together(elsewhere.slowly, [[1], [2], [3]], None)


def test_where_a_run_computes_does_not_name_it():
    from leadscore.identity.asked import canonical_config, config_hash
    from leadscore.pipeline import plan_run

    names = set()
    for how in ([], ["compute=dask"], ["compute=dask", "compute.scheduler=tcp://127.0.0.1:1", "compute.memory_gb=9"]):
        config = compose(how)
        names.add(config_hash(canonical_config(config, plan_run(config).asked)))
    assert len(names) == 1


def test_an_address_and_a_name_that_do_not_go_together_are_refused():
    with pytest.raises(ConfigError, match=r"compute.scheduler here is no address of a scheduler, such as tcp://"):
        compose(["compute=dask", "compute.scheduler=here"])
    with pytest.raises(ConfigError, match=r"compute.name dask does not belong to the other keys of compute"):
        compose(["compute.name=dask"])
    assert cluster_of(ComputeConfig(name="local")) is None


@pytest.mark.slow
def test_work_that_kills_each_worker_ends_and_says_what_mostly_is_the_reason(cluster):
    with pytest.raises(ComputeError, match=r"stopped each of the 4 workers .* memory .*compute.memory_gb"):
        list(cluster.map(elsewhere.dies, [1]))


@pytest.mark.slow
def test_trees_grown_together_are_the_same_after_a_worker_was_lost(cluster):
    text, *_ = grown(cluster)
    os.kill(min(cluster.client.run(os.getpid).values()), signal.SIGKILL)
    assert grown(cluster)[0] == text


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_ten_million_events_give_one_log_and_one_table_with_no_worker_one_and_two(monkeypatch, tmp_path, capsys):
    monkeypatch.syspath_prepend(str(Path(__file__).resolve().parents[1] / "benchmarks"))
    scale = importlib.import_module("scale")
    try:
        scale.main(["--events", "1e7", "--folder", str(tmp_path)])  # which ends with WRONG where they differ
    finally:
        for name in [name for name in sys.modules if name == "scale" or name.startswith("feature_ways")]:
            del sys.modules[name]
    said = capsys.readouterr().out
    assert said.startswith("10,000,000 events, 5,620,633 observations")
    assert "features, cpu: 2 workers / local" in said
