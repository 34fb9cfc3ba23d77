"""Load the configuration from ``pipeline.toml`` and the environment, and check it.

All problems are reported at once, each with file, key and a hint. Nothing is guessed, and no key is ignored.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import SecretStr, ValidationError

from overheard.channels.registry import is_signed
from overheard.config import LEASE_MARGIN_SECONDS, SECTIONS, Config
from overheard.config.deprecated import without_old_keys
from overheard.config.environment import Tables, VariableByKey, override, row_type, suggestion
from overheard.errors import ConfigError, InvalidInput
from overheard.input_files import open_for_reading, parse_toml, read_limited
from overheard.workspaces.mutes import operator_mute_problems

# A mistyped path, such as a database's, must not be read into memory. Chosen, not measured.
FILE_MAX_BYTES = 1 << 20
GROUPS = {name.partition(".")[0] for name in SECTIONS if "." in name}  # of sections: [sources.reddit] is in one


def load(path: Path | None, environ: Mapping[str, str]) -> Config:
    """Return the configuration from ``path`` and ``environ``.

    ``path`` None means the file in OVERHEARD_CONFIG, else ./pipeline.toml if it exists, else the defaults. Raises
    ConfigError with every problem found.
    """
    path, tables = _read(path, environ)
    where = str(path) if path is not None else "the defaults"
    deprecated = list(without_old_keys(tables, where))
    problems: list[str] = []
    variables = override(tables, environ, problems, deprecated)
    try:
        config = Config.model_validate(tables)
        problems += [f"{where}: {problem}" for problem in _conflicts(config)]
    except ValidationError as error:
        problems += [_describe(detail, where, variables) for detail in error.errors()]
    if problems:
        raise ConfigError([*problems, *deprecated])
    return config.model_copy(update={"deprecated": tuple(deprecated)})


def _read(path: Path | None, environ: Mapping[str, str]) -> tuple[Path | None, Tables]:
    if path is None and environ.get("OVERHEARD_CONFIG"):
        path = Path(environ["OVERHEARD_CONFIG"])
    if path is None:
        # Only the default file may be missing: a given path that does not exist is a mistake.
        path = Path("pipeline.toml")
        if not path.exists():
            return None, {}
    try:
        with open_for_reading(path) as file:
            return path, parse_toml(read_limited(file, str(path), FILE_MAX_BYTES), str(path))
    except FileNotFoundError:
        raise ConfigError([f"{path}: no such file (give its path with --config or OVERHEARD_CONFIG)"]) from None
    except (OSError, ValueError) as error:  # ValueError: the path contains a NUL
        raise ConfigError([f"{path}: cannot be read: {error}"]) from None
    except InvalidInput as error:
        raise ConfigError([str(error)]) from None


def _describe(detail: Any, where: str, variables: VariableByKey) -> str:
    """Return one of pydantic's error details as a line with file or variable, section, key and a hint."""
    loc = [str(part) for part in detail["loc"]]
    depth = 2 if loc[0] in GROUPS else 1
    section, inside = ".".join(loc[:depth]), loc[depth:]
    if section not in SECTIONS:
        group = section.partition(".")[0]
        valid = [name for name in SECTIONS if name.startswith(f"{group}.")] or SECTIONS
        return f"{where}: there is no section [{section}]. {suggestion(section, valid)}"
    if not inside:
        return f"{where}: {section} must be a table: write [{section}] on a line of its own"
    fields, key = SECTIONS[section].model_fields, inside[0]
    source = f"environment {variables[section, key]}" if (section, key) in variables else where
    place = " ".join(str(int(part) + 1) if part.isdecimal() else part for part in inside)  # rows count from 1
    if detail["type"] == "extra_forbidden":
        row = row_type(fields[key]) if key in fields else None
        message = f"unknown key. {suggestion(inside[-1], row.model_fields if row else fields)}"
    else:
        # pydantic puts this in front of the validators' own messages.
        message = str(detail["msg"]).removeprefix("Value error, ")
    default = fields[key].default if key in fields and len(inside) == 1 else None
    shown = "" if default is None or isinstance(default, SecretStr) else f" (default: {default!r})"
    return f"{source}: [{section}] {place}: {message}{shown}"


def _conflicts(config: Config) -> Iterator[str]:
    """Yield a line for each combination of valid values that cannot work."""
    timeout, lease = config.notify.timeout, config.notify.lease
    if lease <= timeout + LEASE_MARGIN_SECONDS:
        yield (
            f"[notify] lease: {lease:g} must be more than [notify] timeout ({timeout:g}) and "
            f"{LEASE_MARGIN_SECONDS:g} seconds: else another process takes over what is still being sent, and sends it "
            "again"
        )
    if 0 < config.canary.interval < max(config.fetch.fresh_for, 2):
        least = f"at least 2 seconds and [fetch] fresh_for ({config.fetch.fresh_for:g})"
        yield f"[canary] interval: must be 0 (off), or {least}: nothing is read more often"
    for number, mute in enumerate(config.notify.mute, start=1):
        yield from (f"[notify] mute {number}: {problem}" for problem in operator_mute_problems(mute))
    url, secret = config.alerts.url.get_secret_value(), config.alerts.secret.get_secret_value()
    if url and not secret and is_signed(url):
        yield '[alerts] secret: a webhook is signed with one; make it with: echo "whsec_$(openssl rand -base64 24)"'
    # A chat's https:// address may have a secret: earlier releases took it for a webhook's and required one.
    if url and secret and not url.lower().startswith(("http://", "https://")):
        yield "[alerts] secret: only an http:// or https:// url is signed; remove it"
