"""A message to several recipients: a retry goes only to those that do not have it."""

from __future__ import annotations

import pytest

from overheard.channels.recipient_memory import GREYLIST_SECONDS, RecipientMemory
from overheard.channels.recipients import send_to_each
from overheard.errors import DeliveryRefused, PartlyRefused, PermanentError, RetryableError


class Chats:
    """Chats, of which some fail; ``got`` is who got a message, in order."""

    def __init__(self) -> None:
        self.failing: dict[str, Exception] = {}
        self.got: list[str] = []
        self.memory = RecipientMemory()

    def send(self, chat: str) -> None:
        if chat in self.failing:
            raise self.failing[chat]
        self.got.append(chat)

    def deliver(self, chats: str, delivery: str = "a", now: float = 0.0) -> None:
        send_to_each({chat: chat for chat in chats}, self.send, delivery=delivery, memory=self.memory, now=now)


def test_after_a_fault_that_passes_the_next_try_goes_on_where_it_ended() -> None:
    chats = Chats()
    chats.failing["y"] = RetryableError("503")
    with pytest.raises(RetryableError, match="503"):
        chats.deliver("xyz")
    chats.failing.clear()
    chats.deliver("xyz")
    assert chats.got == ["x", "y", "z"]
    chats.deliver("xyz", "b")
    assert chats.got == ["x", "y", "z"] * 2


def test_a_recipient_that_refuses_is_tried_again_for_an_hour_and_then_the_others_do_not_wait_for_it() -> None:
    chats = Chats()
    chats.failing["y"] = DeliveryRefused("closed")
    with pytest.raises(PartlyRefused, match=r"^2 of 3 recipients have it: closed$"):
        chats.deliver("xyz")
    with pytest.raises(PermanentError, match=r"^2 of 3 recipients have it: closed$"):
        chats.deliver("xyz", now=GREYLIST_SECONDS)
    with pytest.raises(PermanentError):
        chats.deliver("xyz", "b", now=GREYLIST_SECONDS + 60)
    assert chats.got == ["x", "z"] * 2
