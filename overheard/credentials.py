"""Secrets in the configuration: files that hold them, and URLs with a password in them. No error here repeats one."""

from __future__ import annotations

import re

from overheard.errors import InvalidInput
from overheard.input_files import open_for_reading, read_limited

SECRET_MAX_BYTES = 64 << 10


def read_secret(path: str) -> str:
    """The secret in the file at ``path``, without the white space around it. Raises ValueError, fit to be shown."""
    # Who puts the secret itself where its file's path belongs must not find it in a log.
    is_path = path.startswith(("/", "./", "../")) and "://" not in path
    shown = path if is_path else "*** (write a path that begins with /)"
    try:
        with open_for_reading(path) as file:
            return read_limited(file, shown, SECRET_MAX_BYTES).decode().strip()
    except UnicodeDecodeError:
        raise ValueError(f"{shown}: not UTF-8 text") from None
    except InvalidInput as error:
        raise ValueError(str(error) if is_path else f"{shown}: no file") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "no path"
        raise ValueError(f"{shown}: {reason}") from None


def check_url_password(url: str) -> None:
    """Raise ValueError unless everybody reads the same user, password and host in ``url``.

    A raw / ? # or @ in a password ends it early: what follows is taken for a host, a port or a database, which error
    messages name.
    """
    rest = url.partition("://")[2]
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    if authority.count("@") > 1 or ("@" in rest[len(authority) :] and "@" not in authority):
        raise ValueError("has an @ that does not end a password: write / ? # @ in a password as %2F %3F %23 %40")
