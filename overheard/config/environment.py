"""Override the configuration by ``OVERHEARD_<SECTION>__<KEY>`` and, for secrets, ``OVERHEARD_<SECTION>__<KEY>_FILE``.

The environment wins over the file: a container or a supervisor sets it for one process, the file is for all of them.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any, get_args, get_origin

from pydantic import SecretStr, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from overheard.config import SECTIONS
from overheard.config.deprecated import REMOVED, RENAMED, table_of
from overheard.config.section import SettingsSection
from overheard.credentials import read_secret

PREFIX = "OVERHEARD_"
FILE_SUFFIX = "_FILE"
# Variables with our prefix that are not keys: where the configuration is, and where tests find the corpus.
RESERVED = {"OVERHEARD_CONFIG", "OVERHEARD_CORPUS"}

Tables = dict[str, Any]  # of the file, as TOML parses them
VariableByKey = dict[tuple[str, str], str]  # the variable that set a (section, key)


def override(tables: Tables, environ: Mapping[str, str], problems: list[str], deprecated: list[str]) -> VariableByKey:
    """Write the values of the environment into ``tables``. Return which variable set which key.

    Appends to ``problems`` and ``deprecated``. If a variable is set under its old and its new name, the new one counts.
    """
    variables: VariableByKey = {}
    ours = [name for name in environ if name.startswith(PREFIX) and name not in RESERVED]
    for variable in sorted(ours, key=_has_old_name):  # new names first
        section, key = _section_and_key(variable)
        # Before the key is looked up, where one that no longer exists would be an error.
        if why := REMOVED.get((section, key)):
            deprecated.append(f"environment: {variable} is no longer used ({why}): unset it")
            continue
        try:
            key, text = _key_and_text(variable, section, key, environ)
        except ValueError as problem:
            problems.append(f"environment: {variable}: {problem}")
            continue
        if (section, key) in variables:
            deprecated.append(f"environment: {variable} is not used, as {variables[section, key]} is set: unset it")
            continue
        variables[section, key] = variable
        field = SECTIONS[section].model_fields.get(key)
        # An unknown key is written, too: the validation reports it with all other problems.
        table_of(tables, section)[key] = text if field is None else _from_text(field.annotation, text)
    return variables


def row_type(field: FieldInfo) -> type[SettingsSection] | None:
    """Return the type of the rows of an array of tables; None if the key is not one."""
    return get_args(field.annotation)[0] if get_origin(field.annotation) is tuple else None


def suggestion(word: str, valid: Iterable[str]) -> str:
    """Return a hint: the valid name that is closest to ``word``, if any, and all valid names."""
    names = list(valid)
    close = difflib.get_close_matches(word, names, n=1)
    hint = f"Did you mean {close[0]}? " if close else ""
    return f"{hint}Valid: {', '.join(names)}"


def _has_old_name(variable: str) -> bool:
    return variable.removeprefix(PREFIX).lower().partition("__")[0] in RENAMED


def _section_and_key(variable: str) -> tuple[str, str]:
    """``OVERHEARD_A__B__KEY`` → (``a.b``, ``key``)."""
    section, _, key = variable.removeprefix(PREFIX).lower().rpartition("__")
    section = section.replace("__", ".")
    # No warning, unlike for a file's section: OVERHEARD_REDDIT__… stays valid, as an alias that deploy/install uses.
    return RENAMED.get(section, section), key


def _key_and_text(variable: str, section: str, key: str, environ: Mapping[str, str]) -> tuple[str, str]:
    """Return the key that a variable sets, and its text. Raises ValueError, which never contains the text."""
    if section not in SECTIONS or not key:
        names = [f"{PREFIX}{name.upper().replace('.', '__')}__…" for name in SECTIONS]
        raise ValueError(f"no such setting. {suggestion(variable, names)}")
    fields = SECTIONS[section].model_fields
    text = environ[variable]
    # A setting's own name may end in _file.
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
    if key in fields and row_type(fields[key]):
        raise ValueError(f"tables can only be given in the file, as [[{section}.{key}]]")
    return key, text


def _from_text(annotation: Any, text: str) -> Any:
    """Convert a variable's text to a number or boolean if the key is one; else leave it to the validation to refuse."""
    # The sections are strict, and a variable is always text: only here may "5" become 5.
    plain = annotation if get_origin(annotation) is None else annotation.__args__[0]
    if plain not in (int, float, bool):
        return text
    try:
        return TypeAdapter(plain).validate_python(text)
    except ValidationError:
        return text
