from __future__ import annotations

import urllib.request
from urllib.error import HTTPError

import pytest

from overheard.simulators.chats.simulator import ChatSimulator, Refused, json_object
from overheard.simulators.chats.sliding_limit import SlidingLimit
from overheard.simulators.http.exchange import SimulatedRequest, SimulatedResponse


class Plain(ChatSimulator):
    def post(self, request: SimulatedRequest) -> SimulatedResponse:
        if wait := self.limit.take(request.path, self.now()):
            raise Refused("too fast", 429, {"wait": wait}, {"retry-after": f"{wait:.0f}"})
        self.accept(request.path, json_object(request), request)
        return SimulatedResponse(200, "ok")


def post(url: str, body: bytes) -> int:
    try:
        with urllib.request.urlopen(url, data=body, timeout=60) as response:
            return int(response.status)
    except HTTPError as error:
        with error:
            return error.code


def test_it_keeps_what_it_accepts_and_says_why_it_refuses() -> None:
    now = 1000.0
    with Plain(SlidingLimit(1, 10.0), clock=lambda: now) as chat:
        assert [post(f"{chat.url}a", b'{"x": 1}'), post(f"{chat.url}a", b"{}")] == [200, 429]
        (message,) = chat.wait_for(1)
        assert (message.number, message.to, message.at, message.content) == (1, "/a", 1000.0, {"x": 1})
        assert chat.refusals == ["too fast"]
        chat.advance(10)
        assert post(f"{chat.url}a", b"{}") == 200
        with pytest.raises(TimeoutError, match=r"2 of 3 messages .* refused: too fast"):
            chat.wait_for(3, timeout=0)


def test_the_limit_counts_each_key_by_itself() -> None:
    limit = SlidingLimit(2, 10.0)
    assert [limit.take("a", at) for at in (0, 1, 2, 10.5)] == [0, 0, 8, 0]
    assert (limit.take("b", 2), limit.remaining("b")) == (0, 1)


@pytest.mark.parametrize("body", [b"[]", b"{", b'{"a": "\\ud800"}', b'"\xff"'])
def test_a_body_that_no_service_takes_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"JSON|Expecting|surrogates|decode"):
        json_object(SimulatedRequest("POST", "/", {}, body))
