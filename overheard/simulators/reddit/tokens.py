"""Access tokens, issued by the rules of Reddit's `POST /api/v1/access_token`."""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import Lock
from urllib.parse import parse_qsl

from overheard.simulators.http.exchange import SimulatedRequest, SimulatedResponse

from . import render

INSTALLED = "https://oauth.reddit.com/grants/installed_client"


@dataclass(frozen=True, slots=True)
class Holder:
    """The holder of a token: a client and, with the password grant, a user. `expires` is in Unix seconds."""

    client: str
    user: str | None
    expires: float


class Tokens:
    """Issues and checks tokens. Thread-safe.

    `clients` maps ids to secrets ("" for an installed app), `users` maps names to passwords.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        clients: Mapping[str, str],
        users: Mapping[str, str],
        token_seconds: float = 86_400,
    ) -> None:
        self._clock = clock
        self._clients = dict(clients)
        self._users = dict(users)
        self._seconds = token_seconds
        self._holders: dict[str, Holder] = {}
        self._revoked: set[str] = set()
        self._lock = Lock()

    def issue(self, request: SimulatedRequest) -> SimulatedResponse:
        """Answer a token request. As on Reddit, a refused grant is a 200 with an "error"."""
        client = self._client(request.headers.get("authorization", ""))
        if client is None:
            headers = {"www-authenticate": 'Basic realm="reddit"'}
            return SimulatedResponse(401, render.error(401, "Unauthorized"), headers)
        form = dict(parse_qsl(request.body.decode("utf-8", "replace")))
        grant = form.get("grant_type", "")
        user = None
        if grant == "client_credentials":
            if not self._clients[client]:
                return _refused("unauthorized_client", "Only confidential clients may use client_credentials auth")
        elif grant == "password":
            user = form.get("username", "")
            password = self._users.get(user)
            if password is None or not _same(password, form.get("password", "")):
                return _refused("invalid_grant")
        elif grant == INSTALLED:
            if not 20 <= len(form.get("device_id", "")) <= 50:
                return _refused("invalid_request", "bad device_id")
        else:
            return SimulatedResponse(400, json.dumps({"error": "unsupported_grant_type"}))
        return self._grant(Holder(client, user, self._clock() + self._seconds), form.get("scope", "*"))

    def holder(self, authorization: str) -> Holder | None:
        """Return the holder of a bearer token; None if the token is unknown or has expired."""
        scheme, _, token = authorization.partition(" ")
        with self._lock:
            holder = self._holders.get(token.strip()) if scheme.lower() == "bearer" else None
        return holder if holder and holder.expires > self._clock() else None

    def expire(self) -> None:
        """Invalidate all tokens; their holders find out with the next request."""
        with self._lock:
            self._holders.clear()

    def revoke(self, client: str) -> None:
        """Refuse a client from now on, and its tokens: its app has vanished from prefs/apps. Raises KeyError."""
        with self._lock:
            self._known(client)
            self._revoked.add(client)
            self._holders = {key: holder for key, holder in self._holders.items() if holder.client != client}

    def restore(self, client: str) -> None:
        """Accept a revoked client again. Raises KeyError."""
        with self._lock:
            self._known(client)
            self._revoked.discard(client)

    def _known(self, client: str) -> None:
        if client not in self._clients:
            raise KeyError(f"{client} is not a client")

    def _grant(self, holder: Holder, scope: str) -> SimulatedResponse:
        token = secrets.token_urlsafe(24)
        now = self._clock()
        with self._lock:
            # Drop expired tokens here, so that the table does not grow.
            self._holders = {key: other for key, other in self._holders.items() if other.expires > now}
            self._holders[token] = holder
        body = {
            "access_token": token,
            "token_type": "bearer",
            "expires_in": int(self._seconds),
            "scope": scope,
        }
        return SimulatedResponse(200, json.dumps(body))

    def _client(self, authorization: str) -> str | None:
        scheme, _, encoded = authorization.partition(" ")
        try:
            client, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return None
        known = None if client in self._revoked else self._clients.get(client)
        return client if scheme.lower() == "basic" and known is not None and _same(known, secret) else None


def _refused(error: str, description: str | None = None) -> SimulatedResponse:
    body = {"error": error} | ({"error_description": description} if description else {})
    return SimulatedResponse(200, json.dumps(body))


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())  # bytes, as it refuses strings beyond ASCII
