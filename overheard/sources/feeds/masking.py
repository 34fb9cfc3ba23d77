"""Hide the secrets in a feed's URL, and keep what tells one feed from another. Pure.

Feeds have no login, so their secrets are in the URL: ``?feed=…&user=…`` (Reddit), ``?feed_token=…`` (GitLab),
``?token=…`` (GitHub), ``/private/…`` (podcasts). What looks like one is hidden. What identifies a public feed stays:
a channel, a search, a tag. A short hash tells apart feeds that would look the same.
"""

from __future__ import annotations

import hashlib
import re
from urllib.parse import unquote_plus, urlsplit

HIDDEN = "***"
TAG_DIGITS = 4  # of the hash: enough to tell a person's feeds apart, too few to test guesses of a secret

# Names of parameters. The words of a secret's name, such as feed_token or apiKey; and those whose values identify a
# public feed, however random they look.
# fmt: off
SECRET_WORDS = frozenset((
    "token", "auth", "key", "secret", "sig", "signature", "pass", "passwd", "password", "pwd", "hash", "session", "sid",
    "sess", "credential", "credentials", "code", "jwt", "bearer", "ticket", "pin", "hmac", "private", "login",
))
IDENTIFYING = frozenset((
    "channel_id", "playlist_id", "q", "query", "search", "tag", "tags", "tagged", "tagnames", "topic", "sort", "order",
    "hl", "gl", "ceid", "lang", "language", "category", "cat", "community", "user", "author", "page", "limit", "format",
    "type",
))
# fmt: on
SECRET_FOLDERS = frozenset(("private", "token", "key", "apikey", "auth", "secret"))  # in a path, before a secret
SECRET_ENDINGS = ("token", "key", "secret", "password", "passwd", "pass", "auth", "session", "sessionid")
# A longer word, or a longer number, is not one that people write. Chosen, not measured.
WORD_MAX_CHARS, NUMBER_MAX_DIGITS = 24, 15
RANDOM_MIN_CHARS = 12  # of the parts that are not words: shorter ones are versions, ids and dates

_NAME_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+|\d+")
_SEPARATORS = re.compile(r"[^A-Za-z0-9]+")
_WORD = re.compile(r"(?:[A-Z]?[a-z]{2,}|[A-Z]{2,}|[A-Za-z]){1,4}(?:\d{1,4}(?:[a-z]{1,8})?)?")
_UNPRONOUNCEABLE = re.compile(r"(?=.{12})[A-Za-z]*[bcdfghjklmnpqrstvwxz]{5}[A-Za-z]*", re.IGNORECASE)
_HEX = re.compile(r"(?=[0-9]*[a-f])(?=[a-f]*[0-9])[0-9a-f]{8,}", re.IGNORECASE)
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_EXTENSION = re.compile(r"\.(?:rss|atom|xml|json|rdf)$", re.IGNORECASE)


def masked(url: str) -> str:
    """Return the URL with HIDDEN in place of its secrets, and a short hash after ``#`` if it has any."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return HIDDEN
    if not re.fullmatch(r"[\w.-]+|[0-9a-f:.]+", host):
        return f"{parts.scheme}://{HIDDEN}"
    netloc = (f"[{host}]" if ":" in host else host) + (f":{port}" if port else "")
    shown = parts._replace(netloc=netloc, path=_path(parts.path), query=_query(parts.query), fragment="").geturl()
    if HIDDEN not in shown and not parts.fragment and "@" not in parts.netloc:
        return shown
    return f"{shown}#{hashlib.sha256(url.encode('utf-8', 'replace')).hexdigest()[:TAG_DIGITS]}"


def _path(path: str) -> str:
    shown: list[str] = []
    for segment in path.split("/"):
        follows_secret_folder = bool(shown) and shown[-1].lower() in SECRET_FOLDERS
        shown.append(HIDDEN if segment and (follows_secret_folder or looks_random(segment)) else segment)
    return "/".join(shown)


def _query(query: str) -> str:
    return "&".join(_parameter(part) for part in query.split("&"))


def _parameter(part: str) -> str:
    name, equals, value = part.partition("=")
    if not equals:
        return HIDDEN if looks_random(part) else part
    if looks_random(name):
        return f"{HIDDEN}={HIDDEN}"
    if not value or name.lower() in IDENTIFYING:
        return part
    return f"{name}={HIDDEN}" if is_secret_name(name) or looks_random(value) else part


def is_secret_name(name: str) -> bool:
    """Return True if a parameter of this name is a secret: ``feed_token``, ``apiKey``."""
    words = [word.lower() for word in _NAME_WORDS.findall(unquote_plus(name))]
    return any(word in SECRET_WORDS or word.endswith(SECRET_ENDINGS) for word in words)


def looks_random(text: str) -> bool:
    """Return True if a part of a URL does not consist of words, numbers and versions."""
    plain = _EXTENSION.sub("", unquote_plus(text))
    if _UUID.search(plain):
        return True
    return sum(len(part) for part in _SEPARATORS.split(plain) if _is_odd(part)) >= RANDOM_MIN_CHARS


def _is_odd(part: str) -> bool:
    if part.isdigit():
        return len(part) > NUMBER_MAX_DIGITS
    if len(part) > WORD_MAX_CHARS or _HEX.fullmatch(part) or _UNPRONOUNCEABLE.fullmatch(part):
        return True
    return bool(part) and not _WORD.fullmatch(part)
