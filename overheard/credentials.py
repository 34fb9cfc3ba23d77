"""Read secrets from files, and check URLs with passwords. No error repeats a secret."""

from __future__ import annotations

import re

from overheard.errors import InvalidInput
from overheard.input_files import open_for_reading, read_limited

SECRET_MAX_BYTES = 64 << 10


def read_secret(path: str) -> str:
    """Return the stripped content of the file at ``path``. Raises ValueError whose text may be shown."""
    # A secret put by mistake where its file's path belongs must not end up in a log.
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
    """Raise ValueError unless all parsers find the same user, password and host in ``url``.

    An unescaped / ? # or @ ends a password early: its rest is then taken for a host, port or database, which error
    messages show.
    """
    rest = url.partition("://")[2]
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    if authority.count("@") > 1 or ("@" in rest[len(authority) :] and "@" not in authority):
        raise ValueError("has an @ that does not end a password: write / ? # @ in a password as %2F %3F %23 %40")
