"""Adding to files that people wrote: what is there stays as it is, byte for byte, or nothing is written."""

import ast
import contextlib
import os
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path

from leadscore.errors import FeatureError, RecordError

__all__ = ["appended_entry", "appended_function", "write_all"]

IMPORT = "from leadscore.features import feature"


def appended_function(path: Path, name: str, code: str, header: str) -> str:
    """Return the module's text with `code` at its end; `header` starts a new module.

    Raises
    ------
    FeatureError
        When the module cannot be parsed, binds `name`, or means something else by `feature`.
    """
    if not path.exists():
        return f"{header}\n\n{code}"
    text = _read(path)
    try:
        tree = ast.parse(text)
    except SyntaxError as error:
        raise FeatureError(
            f"{path}, line {error.lineno}: {error.msg}; nothing is added to a module that is broken"
        ) from None
    places = _bound(tree)
    if name in places:
        raise FeatureError(f"{path}:{places[name]} defines '{name}' already, and nothing is overwritten")
    if not any(isinstance(node, ast.ImportFrom) and _brings_feature(node) for node in tree.body):
        if "feature" in places:
            raise FeatureError(f"{path}:{places['feature']} means something else by 'feature': choose another --module")
        text = _with_import(text, tree)
    text = text if not text or text.endswith("\n") else f"{text}\n"
    return _in_its_line_ends(path, f"{text}\n\n{code}")


def _brings_feature(node: ast.ImportFrom) -> bool:
    ours = (node.module or "") in ("leadscore.features", "leadscore.features.registry")
    return ours and any(alias.name == "feature" and alias.asname in (None, "feature") for alias in node.names)


def _bound(tree: ast.Module) -> dict[str, int]:
    """Return the names that a module's top level binds, and their lines."""
    found: dict[str, int] = {}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.setdefault(node.name, node.lineno)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            for alias in node.names:
                found.setdefault(alias.asname or alias.name.partition(".")[0], node.lineno)
        else:
            for each in ast.walk(node):
                if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store):
                    found.setdefault(each.id, each.lineno)
    return found


def _with_import(text: str, tree: ast.Module) -> str:
    """Put the import after the module's own, or after its docstring."""
    after, blank = 0, False
    for place, node in enumerate(tree.body):
        is_docstring = place == 0 and isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if is_docstring or isinstance(node, ast.Import | ast.ImportFrom):
            after, blank = node.end_lineno or after, is_docstring
    lines = text.splitlines()
    return "\n".join([*lines[:after], *[""] * blank, IMPORT, *lines[after:]]) + "\n"


def appended_entry(path: Path, name: str, comment: str) -> str:
    """Return the set's text with the entry `name: {}` at its end; `comment` starts a new set.

    Raises
    ------
    FeatureError
        When the set has the name, or cannot be added to by a line at its end.
    """
    import yaml

    if not path.exists():
        return f"{comment}{name}: {{}}\n"
    text = _read(path)
    try:
        before = yaml.safe_load(text) or {}
    except yaml.YAMLError as error:
        raise FeatureError(f"{path} is no YAML: {error}") from None
    if not isinstance(before, dict):
        raise FeatureError(f"{path} holds a {type(before).__name__}; a feature set is a mapping, as in {name}: {{}}")
    if name in before:
        raise FeatureError(f"{path} has an entry '{name}' already, and nothing is overwritten")
    ended = text if not text or text.endswith("\n") else f"{text}\n"
    added = f"{ended}{name}: {{}}\n"
    try:
        after = yaml.safe_load(added)
    except yaml.YAMLError:
        after = None
    if after != {**before, name: {}}:
        raise FeatureError(f"{path} is not written one entry a line, so add the entry by hand: {name}: {{}}")
    return _in_its_line_ends(path, added)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")  # every line end as \n
    except (OSError, UnicodeDecodeError) as error:
        raise FeatureError(f"{path} cannot be read: {error}") from None


def _in_its_line_ends(path: Path, text: str) -> str:
    return text.replace("\n", "\r\n") if b"\r\n" in path.read_bytes() else text


def write_all(texts: Mapping[Path, str]) -> None:
    """Write files whole, each by one rename once all have been written aside.

    Raises
    ------
    RecordError
        When one cannot be written; then none has changed.
    """
    aside: dict[Path, Path] = {}
    done: dict[Path, bytes | None] = {}  # what stood there before
    made: list[Path] = []
    try:
        for path, text in texts.items():
            _make_folders(path.parent, made)
            target = path.resolve()  # a link stays a link
            aside[target] = target.with_name(f".{target.name}.{secrets.token_hex(4)}.tmp")
            with aside[target].open("x", encoding="utf-8", newline="") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            if target.exists():
                shutil.copymode(target, aside[target])
        for target, temporary in aside.items():
            before = target.read_bytes() if target.exists() else None
            temporary.replace(target)
            done[target] = before
    except OSError as error:
        for target, before in done.items():
            target.unlink() if before is None else target.write_bytes(before)
        for temporary in aside.values():
            with contextlib.suppress(OSError):
                temporary.unlink()
        for folder in reversed(made):
            with contextlib.suppress(OSError):  # another's file lies in it now
                folder.rmdir()
        raise RecordError(
            f"{error.filename or 'a file'} cannot be written: {error.strerror}; nothing was changed"
        ) from None


def _make_folders(folder: Path, made: list[Path]) -> None:
    """Make a folder and those above it, and add those that were not there to `made`."""
    for each in reversed([each for each in (folder, *folder.parents) if not each.exists()]):
        each.mkdir(exist_ok=True)
        made.append(each)
