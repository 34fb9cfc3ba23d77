"""Read the configuration: ``pipeline.toml``, overridden by ``OVERHEARD_<SECTION>__<KEY>`` and, for secrets, ``…_FILE``.

Every fault is reported at once, each with file, key and a hint; nothing is guessed and nothing is ignored.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import SecretStr, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from overheard.channels.registry import is_signed
from overheard.config import LEASE_MARGIN, SECTIONS, Config, SettingsSection
from overheard.config.deprecated import REMOVED, RENAMED, table_of, without_old_keys
from overheard.credentials import read_secret
from overheard.errors import ConfigError, InvalidInput
from overheard.input_files import open_for_reading, parse_toml, read_limited

PREFIX = "OVERHEARD_"
FILE_SUFFIX = "_FILE"
# Variables of ours that are no keys: where the configuration is, and where tests find the corpus.
RESERVED = {"OVERHEARD_CONFIG", "OVERHEARD_CORPUS"}
FILE_MAX_BYTES = 1 << 20
GROUPS = {name.partition(".")[0] for name in SECTIONS if "." in name}  # of sections: [sources.reddit] is in one

Tables = dict[str, Any]  # of the file, as TOML reads them
Given = dict[tuple[str, str], str]  # the variable that a (section, key) came from


def load(path: Path | None, environ: Mapping[str, str]) -> Config:
    """The configuration from ``path`` (None: ./pipeline.toml where there is one, else the defaults) and ``environ``.

    Raises ConfigError with every problem found.
    """
    path, tables = _read(path, environ)
    where = str(path) if path is not None else "the defaults"
    deprecated = list(without_old_keys(tables, where))
    problems: list[str] = []
    given = _override(tables, environ, problems, deprecated)
    try:
        config = Config.model_validate(tables)
        problems += [f"{where}: {problem}" for problem in _contradictions(config)]
    except ValidationError as error:
        problems += [_explain(fault, where, given) for fault in error.errors()]
    if problems:
        raise ConfigError([*problems, *deprecated])
    return config.model_copy(update={"deprecated": tuple(deprecated)})


def _read(path: Path | None, environ: Mapping[str, str]) -> tuple[Path | None, Tables]:
    if path is None and environ.get("OVERHEARD_CONFIG"):
        path = Path(environ["OVERHEARD_CONFIG"])
    if path is None:
        path = Path("pipeline.toml")
        if not path.exists():
            return None, {}
    try:
        with open_for_reading(path) as file:
            return path, parse_toml(read_limited(file, str(path), FILE_MAX_BYTES), str(path))
    except FileNotFoundError:
        raise ConfigError([f"{path}: no such file (give its path with --config or OVERHEARD_CONFIG)"]) from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in its path
        raise ConfigError([f"{path}: cannot be read: {error}"]) from None
    except InvalidInput as error:
        raise ConfigError([str(error)]) from None


def _row_type(field: FieldInfo) -> type[SettingsSection] | None:
    """Return what an array of tables consists of; None: the key is not an array of tables."""
    return get_args(field.annotation)[0] if get_origin(field.annotation) is tuple else None


def _override(tables: Tables, environ: Mapping[str, str], problems: list[str], deprecated: list[str]) -> Given:
    """Put what the environment says into the tables. Of a variable by its old and its new name the new one counts."""
    given: Given = {}
    named = [name for name in environ if name.startswith(PREFIX) and name not in RESERVED]
    for variable in sorted(named, key=_is_old):
        section, key = _setting(variable)
        if why := REMOVED.get((section, key)):
            deprecated.append(f"environment: {variable} is no longer used ({why}): unset it")
            continue
        try:
            key, text = _value(variable, section, key, environ)
        except ValueError as problem:
            problems.append(f"environment: {variable}: {problem}")
            continue
        if (section, key) in given:
            deprecated.append(f"environment: {variable} is not used, as {given[section, key]} is set: unset it")
            continue
        given[section, key] = variable
        field = SECTIONS[section].model_fields.get(key)
        table_of(tables, section)[key] = text if field is None else _from_text(field.annotation, text)
    return given


def _is_old(variable: str) -> bool:
    return variable.removeprefix(PREFIX).lower().partition("__")[0] in RENAMED


def _setting(variable: str) -> tuple[str, str]:
    """``OVERHEARD_A__B__KEY`` → (``a.b``, ``key``)."""
    section, _, key = variable.removeprefix(PREFIX).lower().rpartition("__")
    section = section.replace("__", ".")
    return RENAMED.get(section, section), key


def _value(variable: str, section: str, key: str, environ: Mapping[str, str]) -> tuple[str, str]:
    """Return the key that a variable sets, and the text. Raises ValueError, without the text."""
    if section not in SECTIONS or not key:
        names = [f"{PREFIX}{name.upper().replace('.', '__')}__…" for name in SECTIONS]
        raise ValueError(f"no such setting. {_near(variable, names)}")
    fields = SECTIONS[section].model_fields
    text = environ[variable]
    if key.endswith(FILE_SUFFIX.lower()) and key not in fields:
        key = key.removesuffix(FILE_SUFFIX.lower())
        if variable.removesuffix(FILE_SUFFIX) in environ:
            raise ValueError(f"{variable.removesuffix(FILE_SUFFIX)} is set too; unset one")
        if key in fields and fields[key].annotation is not SecretStr:
            raise ValueError("only secrets can be read from a file")
        try:
            text = read_secret(text)
        except ValueError as error:
            raise ValueError(f"the secret's file cannot be read: {error}") from None
    if key in fields and _row_type(fields[key]):
        raise ValueError(f"tables can only be given in the file, as [[{section}.{key}]]")
    return key, text


def _from_text(annotation: Any, text: str) -> Any:
    """An environment variable is text: read numbers and booleans from it, and leave the rest to the validation."""
    plain = annotation if get_origin(annotation) is None else annotation.__args__[0]
    if plain not in (int, float, bool):
        return text
    try:
        return TypeAdapter(plain).validate_python(text)
    except ValidationError:
        return text


def _near(word: str, valid: Iterable[str]) -> str:
    names = list(valid)
    close = difflib.get_close_matches(word, names, n=1)
    hint = f"Did you mean {close[0]}? " if close else ""
    return f"{hint}Valid: {', '.join(names)}"


def _explain(fault: Any, where: str, given: Given) -> str:
    loc = [str(part) for part in fault["loc"]]
    depth = 2 if loc[0] in GROUPS else 1
    section, inside = ".".join(loc[:depth]), loc[depth:]
    if section not in SECTIONS:
        group = section.partition(".")[0]
        valid = [name for name in SECTIONS if name.startswith(f"{group}.")] or SECTIONS
        return f"{where}: [{section}] is no section of it. {_near(section, valid)}"
    if not inside:
        return f"{where}: {section} must be a table: write [{section}] on a line of its own"
    fields, key = SECTIONS[section].model_fields, inside[0]
    source = f"environment {given[section, key]}" if (section, key) in given else where
    place = " ".join(str(int(part) + 1) if part.isdecimal() else part for part in inside)
    if fault["type"] == "extra_forbidden":
        row_type = _row_type(fields[key]) if key in fields else None
        message = f"unknown key. {_near(inside[-1], row_type.model_fields if row_type else fields)}"
    else:
        message = str(fault["msg"]).removeprefix("Value error, ")
    default = fields[key].default if key in fields and len(inside) == 1 else None
    shown = "" if default is None or isinstance(default, SecretStr) else f" (default: {default!r})"
    return f"{source}: [{section}] {place}: {message}{shown}"


def _contradictions(config: Config) -> Iterator[str]:
    """What is possible alone and not together."""
    timeout, lease = config.notify.timeout, config.notify.lease
    if lease <= timeout + LEASE_MARGIN:
        yield (
            f"[notify] lease: {lease:g} must be more than [notify] timeout ({timeout:g}) and {LEASE_MARGIN:g} seconds: "
            "else another process takes over what is still being sent, and sends it again"
        )
    if 0 < config.canary.interval < max(config.fetch.fresh_for, 2):
        least = f"at least 2 seconds and [fetch] fresh_for ({config.fetch.fresh_for:g})"
        yield f"[canary] interval: must be 0 (off), or {least}: nothing is read more often"
    url, secret = config.alerts.url.get_secret_value(), config.alerts.secret.get_secret_value()
    if is_signed(url) and not secret:
        yield '[alerts] secret: a webhook is signed with one; make it with: echo "whsec_$(openssl rand -base64 24)"'
    # A chat's https:// address may have one: until it was known for a chat's, one was asked for.
    if url and secret and not url.lower().startswith(("http://", "https://")):
        yield "[alerts] secret: only an http:// or https:// url is signed; remove it"
