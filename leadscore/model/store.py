"""Saved models: plain files under a manifest, checked to the last byte before one of them is parsed.

A model lies in a folder as its own files (JSON, LightGBM's text; never a pickle) and `manifest.json`, which
holds the sha256 of each and a sha256 of itself. That finds damage and edits of single files. A run's identity
and the champion's history hold the manifest's sha256, so that a model put in its place is found too. None of this is
a signature: who may write all of it may make them match. What was made up so is still checked, number by number, and
the worst that it can do is to score wrongly, since reading it runs no code of its own.
"""

import hashlib
import json
import os
import platform
import shutil
import stat
import uuid
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import leadscore
from leadscore.errors import ModelError
from leadscore.model.base import ChecksColumns, Model
from leadscore.model.calibration import FILE as CALIBRATION
from leadscore.model.calibration import read_calibration
from leadscore.model.checked import CheckedModel
from leadscore.model.registry import registration_of
from leadscore.model.sampling import FILE as SAMPLING
from leadscore.model.sampling import read_sampling
from leadscore.model.state import read_state
from leadscore.serving import Serving

__all__ = [
    "FORMAT_VERSION",
    "MANIFEST",
    "SERVING",
    "load_model",
    "load_serving",
    "other_versions",
    "read_manifest",
    "save_model",
    "writable_by_all",
]

FORMAT_VERSION = 1
MANIFEST = "manifest.json"
SERVING = "serving.json"
_ANY_VERSION = ("python", "numpy", "pandas")  # none of them reads a model's files


def save_model(
    model: Model, folder: Path, extra: Mapping[str, Any], documents: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Write a fitted model into `folder`, all of it or nothing.

    Parameters
    ----------
    model : Model
        Fitted, made by `make_model`.
    folder : Path
        Must not exist yet, or be empty; its parent must exist.
    extra : mapping
        What else the manifest should say under `extra`; JSON values.
    documents : mapping of str to JSON values, optional
        File name to content of what is to lie beside the model's own files, under the same manifest.

    Returns
    -------
    dict
        The manifest: `format_version`, `model`, `columns` (pairs of name and kind, in training order),
        `files` (name to sha256), `versions`, `extra`, and `sha256` of all that.

    Raises
    ------
    ModelError
        When the model is unfitted, the folder is taken, a file is not a plain one, or the disk refuses.
    """
    if not isinstance(model, CheckedModel):
        raise ModelError(f"Only a model made by make_model can be saved, not a bare {type(model).__name__}.")
    columns = [list(pair) for pair in model.columns.items()]
    registration = registration_of(model.name)
    partial = folder.parent / f".{folder.name}.{uuid.uuid4().hex}.partial"
    try:
        if folder.exists() and any(folder.iterdir()):
            raise ModelError(f"{folder} is not empty, and a saved model is never overwritten.")
        partial.mkdir()
        model.save(partial)
        for name, document in (documents or {}).items():
            with (partial / name).open("xb") as file:  # x: never over a file of the model's own
                file.write(_canonical(document))
        content = {
            "format_version": FORMAT_VERSION,
            "model": model.name,
            "columns": columns,
            "files": _fingerprints(partial),
            "versions": _versions([registration.library, *getattr(model.inner, "libraries", [])]),
            "extra": dict(extra),
        }
        manifest = {**content, "sha256": _sha256(_canonical(content))}
        (partial / MANIFEST).write_bytes(_canonical(manifest))
        _sync(partial)
        os.replace(partial, folder)
    except OSError as error:
        raise ModelError(f"The model {model.name} could not be written to {folder}: {error}") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return manifest


def load_model(folder: Path, *, sha256: str | None = None, any_version: bool = False) -> CheckedModel:
    """Return the fitted model in `folder`; its probabilities are those of the saved one bit for bit.

    Parameters
    ----------
    folder : Path
        Written by `save_model`. Which class reads it is looked up among the registered models.
    sha256 : str, optional
        That of the manifest, as it was kept elsewhere: another model in its place is refused.
    any_version : bool
        Read it although another major version of leadscore or of its library saved it.

    Raises
    ------
    ModelError
        When any file is missing, added, damaged or edited, the format or the versions are others, or the model is
        not registered.
    """
    manifest = read_manifest(folder, sha256=sha256)
    registration = registration_of(manifest["model"])
    if not any_version:
        _refuse_other_versions(folder, manifest)
    try:
        columns = _columns(manifest)
        calibration = read_calibration(folder) if CALIBRATION in manifest["files"] else "none"
        sampling = read_sampling(folder) if SAMPLING in manifest["files"] else None
        model = registration.cls.load(folder)
        if isinstance(model, ChecksColumns):
            model.check_columns(columns)
    except ModelError:
        raise
    except Exception as error:  # whatever a file that fits its manifest, and was made up, makes of its reader
        raise _unreadable(folder, manifest, error) from error
    return CheckedModel(model, columns, calibration, sampling)


def load_serving(folder: Path, *, sha256: str | None = None) -> Serving:
    """Return what the model in `folder` knows of its training, every file checked against the manifest first.

    Parameters
    ----------
    folder, sha256
        As for `load_model`.

    Raises
    ------
    ModelError
        As `load_model`, and when the folder has no `serving.json`.
    """
    manifest = read_manifest(folder, sha256=sha256)
    if SERVING not in manifest["files"]:
        raise ModelError(
            f"{folder} has no {SERVING}: the model was saved without what scoring needs (by {_by(manifest)}), such as "
            f"its bands and how its columns lay in training; train it again"
        )
    try:
        serving = Serving.from_json(read_state(folder / SERVING))
        if {each.name: each.kind for each in serving.dictionary} != _columns(manifest):
            raise ValueError("it tells of other columns than the manifest")
        return serving
    except Exception as error:
        raise _unreadable(folder, manifest, error) from error


def _columns(manifest: Mapping[str, Any]) -> dict[str, str]:
    columns = {name: kind for name, kind in manifest["columns"]}  # noqa: C416 - pairs, and nothing else
    if len(columns) != len(manifest["columns"]) or not set(columns.values()) <= {"number", "category"}:
        raise ValueError("its columns are not different ones, each a number or a category")
    return columns


def _unreadable(folder: Path, manifest: Mapping[str, Any], error: Exception) -> ModelError:
    return ModelError(
        f"{folder} is intact, but this leadscore ({leadscore.__version__}) cannot read it "
        f"({type(error).__name__}: {error}); it was saved by {_by(manifest)}."
    )


def _by(manifest: Mapping[str, Any]) -> str:
    return ", ".join(f"{package} {version}" for package, version in manifest["versions"].items())


def other_versions(manifest: Mapping[str, Any]) -> list[str]:
    """Return what would read a model in another major version than saved it, in words.

    Objects of scikit-learn's own, which skops saves, belong to one minor version.
    """
    saved = {name: version for name, version in manifest["versions"].items() if name not in _ANY_VERSION}
    now = _versions(list(saved))
    moved = []
    for name, version in saved.items():
        kept = 2 if name == "scikit-learn" and "skops" in saved else 1
        if version.split(".")[:kept] != now[name].split(".")[:kept]:
            moved.append(f"{name} {version} (now {now[name]})")
    return moved


def _refuse_other_versions(folder: Path, manifest: Mapping[str, Any]) -> None:
    moved = other_versions(manifest)
    if moved:
        raise ModelError(
            f"{folder} was saved by {', '.join(moved)}: another major version may read it otherwise. Install that one; "
            f"or see by leadscore verify --parity whether a score has changed, and allow it: "
            f"allow_other_versions=true for leadscore.score, any_version=True in Python"
        )


def writable_by_all(folder: Path) -> list[Path]:
    """Return what every user of the machine may write: the folder itself, and files in it."""
    if os.name != "posix":
        return []
    found = [path for path in (folder, *sorted(folder.iterdir())) if not path.is_symlink()]
    return [path for path in found if path.stat().st_mode & stat.S_IWOTH]


def read_manifest(folder: Path, *, sha256: str | None = None) -> dict[str, Any]:
    """Return the manifest after checking every file against it; raises as `load_model` does."""
    try:
        if folder.is_symlink():
            raise ModelError(f"{folder} is a link, to {os.path.realpath(folder)}: a saved model is a folder of its own")
        manifest = _parse((folder / MANIFEST).read_bytes(), folder)
        found = _fingerprints(folder, without=MANIFEST)
    except OSError as error:
        raise ModelError(f"{folder} is not a saved model that can be read: {error}") from error
    if sha256 is not None and manifest["sha256"] != sha256:
        raise ModelError(
            f"{folder} holds another model than was recorded: its {MANIFEST} has the sha256 {manifest['sha256'][:8]}, "
            f"and {sha256[:8]} was kept"
        )
    stated = manifest["files"]
    problems = [f"{name} is missing" for name in stated if name not in found]
    problems += [f"{name} is not in the manifest" for name in found if name not in stated]
    problems += [f"{name} is damaged or was edited" for name in found if stated.get(name, found[name]) != found[name]]
    if problems:
        raise ModelError(f"{folder} cannot be trusted (sha256 against {MANIFEST}): {'; '.join(problems)}.")
    return manifest


def _parse(text: bytes, folder: Path) -> dict[str, Any]:
    damaged = ModelError(f"{folder / MANIFEST} is damaged or was edited: it is not as save_model wrote it.")
    try:
        manifest = json.loads(text)
        stated = manifest.pop("sha256")
        content = _canonical(manifest)
        whole = _canonical({**manifest, "sha256": stated})
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise damaged from None
    # `whole`: also blanks and the order of keys are as written
    if _sha256(content) != stated or whole != text or not _is_manifest(manifest):
        raise damaged
    if manifest["format_version"] != FORMAT_VERSION:
        msg = (
            f"{folder} has the format version {manifest['format_version']}, and this leadscore "
            f"({leadscore.__version__}) reads {FORMAT_VERSION}; it was saved by {_by(manifest)}."
        )
        raise ModelError(msg)
    return {**manifest, "sha256": stated}


def _is_manifest(content: Mapping[str, Any]) -> bool:
    texts = [{"model": content.get("model")}, content.get("files"), content.get("versions")]
    return (
        set(content) == {"format_version", "model", "columns", "files", "versions", "extra"}
        and all(isinstance(each, dict) and all(isinstance(value, str) for value in each.values()) for each in texts)
        and isinstance(content["columns"], list)
        and isinstance(content["extra"], dict)
    )


def _canonical(content: Mapping[str, Any]) -> bytes:
    text = json.dumps(content, allow_nan=False, indent=1, sort_keys=True)
    return (text + "\n").encode("ascii")


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _fingerprints(folder: Path, without: str = "") -> dict[str, str]:
    """Return the sha256 of each file; a folder or a link among them is refused, not followed."""
    found = {}
    for path in sorted(folder.iterdir()):
        if path.is_symlink() or not path.is_file():
            raise ModelError(f"{path} is not a plain file; a saved model has nothing else.")
        if path.name != without:
            with path.open("rb") as file:
                found[path.name] = hashlib.file_digest(file, "sha256").hexdigest()
    return found


def _versions(libraries: list[str | None]) -> dict[str, str]:
    packages = dict.fromkeys(["numpy", "pandas", *filter(None, libraries)])
    return {
        "leadscore": leadscore.__version__,
        "python": platform.python_version(),
        **{package: _version(package) for package in packages if package != "leadscore"},
    }


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "none"


def _sync(folder: Path) -> None:
    """Wait until the disk has every file, so that a power cut cannot leave a name without its content.

    Whatever the umask is, not everybody may write them.
    """
    for path in [*folder.iterdir(), folder]:
        path.chmod(path.stat().st_mode & ~stat.S_IWOTH)
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
