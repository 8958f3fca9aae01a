"""`python -m leadscore.record.wandb_push FILE`: tell Weights & Biases about one run, in a process of its own.

The only module that imports wandb. It is started by `record.mirror`, which waits for it no longer than the config
allows and ends it then: nothing that happens in here can reach a run. FILE says what to do; the answer goes
to the file that it names.
"""

import importlib
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from leadscore.errors import LeadscoreError
from leadscore.record.copied import Copied, File, copied, ids_key
from leadscore.record.curves import CURVES

__all__ = ["main"]

PROJECT = "leadscore"
WHOLE = "identity"  # in the summary, written last: this copy came to its end


def main() -> None:
    """Push, and answer whether it worked; wandb's threads and service are not waited for."""
    asked = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    answer = _answer(asked)
    out = Path(asked["answer"])
    out.with_suffix(".new").write_text(json.dumps(answer), encoding="utf-8")
    os.replace(out.with_suffix(".new"), out)
    os._exit(0)


def _answer(asked: dict[str, Any]) -> dict[str, Any]:
    """Return what was pushed, or `error` in words and whether it is `of_run`: another run may fare better."""
    try:
        ids = ids_key(Path(asked["root"])) if asked["predictions"] and asked["hash_ids"] else None
        run = copied(Path(asked["folder"]), predictions=asked["predictions"], ids=ids)
    except LeadscoreError as error:
        return {"error": str(error), "of_run": True}
    except Exception as error:  # a damaged file, whatever is wrong with it
        return {"error": f"the run's folder cannot be read: {type(error).__name__}: {error}", "of_run": True}
    try:
        wandb: Any = importlib.import_module("wandb")
        known = wandb.init, wandb.errors.UsageError, wandb.errors.AuthenticationError
    except (ImportError, AttributeError) as error:  # a folder named wandb can be imported too
        return {"error": f"wandb cannot be imported ({error}): pip install 'leadscore[wandb]'", "of_run": False}
    try:
        return _push(wandb, run, asked)
    except known[1:] as error:
        hint = " (or set WANDB_API_KEY)" if "wandb login" in str(error) else ""
        return {"error": f"{str(error).rstrip('.')}{hint}", "of_run": False}
    except Exception as error:  # whatever wandb raises, a run must not know
        return {"error": f"{type(error).__name__}: {error}", "of_run": False}


def _push(wandb: Any, run: Copied, asked: dict[str, Any]) -> dict[str, Any]:
    online = asked["mode"] == "online"
    given = wandb.setup().settings  # the user's variables and files
    told = wandb.init(
        id=run.run_id,  # so that a second push finds the first
        resume="allow",
        mode=asked["mode"],
        project=asked["project"] or given.project or PROJECT,
        entity=asked["entity"],
        name=given.run_name or run.name,
        group=given.run_group or run.group,
        job_type=given.run_job_type or "train",
        tags=asked["tags"] or None,
        notes=given.run_notes or run.notes or None,
        config=run.config,
        settings=_settings(wandb, asked),
    )
    if not (online and _is_whole(wandb, told, run)):  # history only grows: it is not told twice
        told.log({**run.summary, **_tables(wandb, run)})
    told.summary.update(run.summary)
    artifacts = [told.log_artifact(_artifact(wandb, run, file), aliases=list(file.aliases)) for file in run.files]
    if online:
        for artifact in artifacts:
            artifact.wait()  # raises where an upload failed; `finish` would not
    told.summary[WHOLE] = run.identity
    told.finish()
    until = time.monotonic() + asked["patience"]
    # Where the upload of metrics is refused (404, 401), wandb drops them and finishes as if all were well.
    while online and not _is_whole(wandb, told, run):
        if time.monotonic() > until:
            return {"error": "the server took the run and does not show its metrics", "of_run": False}
        time.sleep(1)
    return {"url": told.url}


def _is_whole(wandb: Any, told: Any, run: Copied) -> bool:
    """Ask the server whether it has a copy that came to its end."""
    there = wandb.Api(timeout=10).run(f"{told.entity}/{told.project}/{run.run_id}")
    return bool(there.summary.get(WHOLE) == run.identity)


def _settings(wandb: Any, asked: dict[str, Any]) -> Any:
    """Say nothing, ask nothing, watch nothing: the run is over, and this process is not it."""
    return wandb.Settings(
        silent=True,
        console="off",
        host=os.environ.get("WANDB_HOST", ""),
        init_timeout=asked["init_timeout"],
        disable_git=True,
        disable_code=True,
        x_disable_meta=True,
        x_disable_stats=True,
        x_disable_machine_info=True,
        x_save_requirements=False,
    )


def _tables(wandb: Any, run: Copied) -> dict[str, Any]:
    told = {name: wandb.Table(columns=list(table.columns), data=list(table.rows)) for name, table in run.tables.items()}
    for name, table in run.curves.items():
        points = wandb.Table(columns=list(table.columns), data=[list(row) for row in table.rows])
        shown = CURVES[name]
        told[f"curves/{name}"] = wandb.plot.line(points, shown.x, shown.y, stroke="fold", title=shown.title)
    return told


def _artifact(wandb: Any, run: Copied, file: File) -> Any:
    identity = run.config["identity"]
    artifact = wandb.Artifact(
        file.name,
        type=file.kind,
        metadata={key: identity[key] for key in ("run_id", "identity", "config_hash", "code_hash", "data_hash")},
    )
    if file.content is not None:
        with artifact.new_file(file.path.name, mode="wb") as told:
            told.write(file.content)
        return artifact
    base = file.path if file.path.is_dir() else file.path.parent
    for path in sorted(base.rglob("*")) if file.path.is_dir() else [file.path]:
        if path.is_file():  # immutable: the file is read where it lies, not copied first
            artifact.add_file(str(path), name=path.relative_to(base).as_posix(), policy="immutable")
    return artifact


if __name__ == "__main__":
    main()
