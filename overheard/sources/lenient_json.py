"""Decode JSON from a server, with what strict decoders refuse: one bad text must not cost the items beside it. Pure."""

from __future__ import annotations

import json
import math

import msgspec

NUMBER_MAX_DIGITS = 100
_DECODER = msgspec.json.Decoder()
NOT_JSON = (ValueError, RecursionError)  # also of text that is nested more deeply than can be read


def decode_json(body: bytes) -> object:
    """Return the value; None if the body is not JSON. Texts may have lone surrogates: see ``sanitized``."""
    try:
        return _DECODER.decode(body)
    except (msgspec.MsgspecError, *NOT_JSON):
        pass
    # The standard library accepts lone surrogates, NaN and numbers of any size. It is slower, so it comes second.
    try:
        value: object = json.loads(body.decode(errors="replace"), parse_int=_number)
    except NOT_JSON:
        return None
    return value


def _number(text: str) -> int | float:
    return int(text) if len(text) <= NUMBER_MAX_DIGITS else math.inf
