"""No secret in a config: what is composed goes into the run's folder, its log and its trackers, and stays there.

leadscore needs no secret in a config, so one that is found is refused before anything is written, and never repeated.
Secrets are told by what they are called, by the form that their issuers gave them, and by standing in the
environment under such a name.
"""

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf

from leadscore.errors import ConfigError, raise_all

__all__ = ["hide_secrets", "refuse_secret_words", "refuse_secrets", "secret_parts"]

Found = tuple[str, str]  # where, what
Known = list[tuple[str, str]]  # variable, value

# Forms that nothing else has: an issuer's prefix and length, or a password in its place in a URL.
FORMS = {
    "an AWS access key": r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b",
    "a GitHub token": r"\bgh[opsur]_[0-9A-Za-z]{30,}|\bgithub_pat_\w{22,}",
    "a GitLab token": r"\bglpat-[\w-]{20,}",
    "a Slack token": r"\bxox[a-z]-[0-9A-Za-z-]{10,}",
    "a Google API key": r"\bAIza[\w-]{35}",
    "a Hugging Face token": r"\bhf_[0-9A-Za-z]{30,}",
    "a secret key": r"\b[sr]k_(?:live|test)_[0-9A-Za-z]{16,}|\bsk-(?=[\w-]*\d)(?=[\w-]*[A-Z])[\w-]{20,}",
    "a signed token": r"\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]*",
    "a private key": r"-----BEGIN [A-Z ]*PRIVATE KEY-----(?s:.*)",
    "a URL with a password": r"\b[A-Za-z][\w+.-]*://[^\s/:@]*:[^\s/@]+@",
    "a URL with a token": r"\b[A-Za-z][\w+.-]*://[^\s/:@]{20,}@",
    "a URL with a signature": r"[?&](?:X-Amz-Signature|X-Goog-Signature|sig|signature)=[\w%+/=-]{16,}",
    "a password": r"(?i:\b\w*(?:password|passwd|passphrase|secret|api_?key|access_?key|private_?key|access_token"
    r"|auth_token)=)[^\s&,;]+",
}
_FORM = {what: re.compile(form) for what, form in FORMS.items()}
_ANY_FORM = re.compile("|".join(FORMS.values()))
_NAMED = re.compile(
    r"(?i)(?:^|[_-])(?:password|passwd|passphrase|secret|token|credentials?|(?:api|access|private|secret)[_-]?key)$"
)
_VARIABLE = re.compile(
    r"(?i)password|passwd|passphrase|secret|token|credential|(?:api|access|private)_?key|_(?:pass|pwd|key|auth)$"
)
_READS = re.compile(r"\$\{\s*oc\.env\s*:\s*['\"]?(\w+)")
NOTHING = (None, "", "null", "???")
SHORTEST = 8  # of a variable's value that is looked for elsewhere: a shorter one may be any word
# Mappings whose keys are a user's words for other things: event types, statuses, columns.
WORDS = {"columns", "definitions", "event_types", "known_at_creation", "labels", "null_values", "rates", "statuses"}
WORDS |= {"where"}
STAYS = "it would stay in the run's folder, its log and its trackers, so it is refused and not repeated here"


def refuse_secret_words(words: Sequence[str]) -> None:
    """Refuse a command line with a secret in it, before anything repeats or writes it.

    Raises
    ------
    ConfigError
        Naming the keys.

    Examples
    --------
    >>> refuse_secret_words(["data=crm", "notes=tokens of the last week"])
    >>> refuse_secret_words(["+model.api_key=hunter2"])  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    leadscore.errors.ConfigError: model.api_key is called like a secret: it would stay in ...
    """
    known = _known()
    _raise(found for word in words for found in _in_word(word, known))


def secret_parts(tree: DictConfig, hydra: Any) -> list[str]:
    """Return a sentence for each secret in a composed config, as it is written and as it resolves.

    Parameters
    ----------
    tree : DictConfig
        The run's own config.
    hydra : DictConfig
        Hydra's node beside it.
    """
    known = _known()
    # Hydra's node repeats the run's: its folder is made from tracking.root.
    return _once(_in_tree(tree, known)) or _once(_in_tree(hydra, known, ("hydra",)))


def refuse_secrets(values: Mapping[str, Any]) -> None:
    """Refuse plain values with a secret among them: a config that was changed after it was composed."""
    _raise(_in_value(values, _known()))


def hide_secrets(text: str) -> str:
    """Return a text with what looks like a secret left out.

    Examples
    --------
    >>> hide_secrets("no such file: s3://me:hunter2@host/leads.csv")
    'no such file: (a URL with a password, hidden)host/leads.csv'
    """
    for what, form in _FORM.items():
        text = form.sub(f"({what}, hidden)", text)
    for variable, value in _known():
        text = text.replace(value, f"(the value of {variable}, hidden)")
    return text


def _raise(found: Iterable[Found]) -> None:
    raise_all(ConfigError, _once(found))


def _once(found: Iterable[Found]) -> list[str]:
    """Return one sentence for each place."""
    return [f"{where} {what}: {STAYS}. {_otherwise(what)}" for where, what in dict(found).items()]


def _otherwise(what: str) -> str:
    return "If it is none, give it another name." if "called" in what else "If it is none, word it otherwise."


def _in_word(word: str, known: Known) -> Iterator[Found]:
    """Find secrets in one word of a command line: an override, or anything else that somebody typed there."""
    key, is_assignment, text = word.partition("=")
    if not is_assignment:
        key, text = "the command line", word
    value: Any = text
    if "{" in text or "[" in text:
        with suppress(HydraException):  # what cannot be read is refused later, and would be repeated then
            value = _plain(OverridesParser.create().parse_override(word).value())
    yield from _in_value(value, known, tuple(key.lstrip("+~").split(".")))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list) else str(getattr(value, "text", value))


def _in_value(value: Any, known: Known, path: tuple[str, ...] = ()) -> Iterator[Found]:
    if isinstance(value, dict | list | tuple):
        items = value.items() if isinstance(value, dict) else ((None, item) for item in value)
        for key, item in items:
            yield from _in_value(item, known, path if key is None else (*path, str(key)))
    elif not isinstance(value, bool) and value not in NOTHING and (what := _what(path, str(value), known)):
        yield ".".join(map(hide_secrets, path)), what


def _what(path: tuple[str, ...], text: str, known: Known) -> str | None:
    """Return what is wrong with a value, in words; None when nothing is."""
    if _NAMED.search(path[-1]) and not WORDS & set(path[:-1]):
        return "is called like a secret"
    for variable in _READS.findall(text):
        if _is_secret_variable(variable):
            return f"reads the environment variable {variable}, which is called like a secret"
    if _ANY_FORM.search(text):
        return f"has {next(what for what, form in _FORM.items() if form.search(text))} in it"
    for variable, value in known:
        if value in text:
            return f"has the value of the environment variable {variable} in it"
    return None


def _is_secret_variable(name: str) -> bool:
    return bool(_VARIABLE.search(name)) and name not in ("PWD", "OLDPWD")


def _known() -> Known:
    """Return the environment's secrets, by name; the path of a file that holds one is none."""
    secrets = [(name, value.strip()) for name, value in os.environ.items() if _is_secret_variable(name)]
    return [(name, value) for name, value in secrets if len(value) >= SHORTEST and value[0] not in "/~."]


def _in_tree(tree: Any, known: Known, path: tuple[str, ...] = ()) -> Iterator[Found]:
    written = OmegaConf.to_container(tree, resolve=False)
    assert isinstance(written, dict)
    if path:  # the command line as it was typed, whose words have been looked at
        written.pop("overrides", None)
        written["job"].pop("override_dirname", None)
    yield from _in_value(written, known, path)
    for way in _interpolations(written):
        where = (*path, *map(str, way))
        value = tree
        with suppress(Exception):  # one that does not resolve is another check's matter
            for key in way:
                value = value[key]
            plain = OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value
            yield from _in_value(plain, known, where)


def _interpolations(node: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(node, dict | list):
        for key, item in node.items() if isinstance(node, dict) else enumerate(node):
            yield from _interpolations(item, (*way, key))
    elif isinstance(node, str) and "${" in node:
        yield way
