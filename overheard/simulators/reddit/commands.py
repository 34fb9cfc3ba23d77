"""What can be asked for at the control door: the Python API's methods with their JSON fields."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .control import Command
from .injected_failures import InjectedFailure

if TYPE_CHECKING:
    from .simulator import RedditSimulator

_POST = {"subreddit": "text*", "title": "text*", "selftext": "text", "url": "text", "over_18": "flag"}
_COMMENT = {"link": "text*", "body": "text*", "parent": "text"}
_MADE = {"author": "text", "created": "number", "hold": "flag"}
_ONE = {"fullname": "text*"}
_FAULT = {"kind": "text*", "times": "count", "path": "text", "status": "count", "seconds": "number"}
_FAULT |= {"headers": "headers", "whole_length": "flag", "retry_after": "text"}


def commands(simulator: RedditSimulator) -> dict[str, Command]:
    """Return the commands by their path below `/_simulator/`."""

    def post(**given: Any) -> dict[str, str]:
        return {"fullname": simulator.add_post(**given)}

    def comment(**given: Any) -> dict[str, str]:
        return {"fullname": simulator.add_comment(**given)}

    def fault(retry_after: str | None = None, **given: Any) -> None:
        headers = {str(name): str(value) for name, value in given.pop("headers", {}).items()}
        added = {"retry-after": retry_after} if retry_after is not None else {}
        simulator.faults.inject(InjectedFailure(**given, headers=headers | added))

    return {
        "posts": Command(post, _POST | _MADE),
        "comments": Command(comment, _COMMENT | _MADE),
        "delete": Command(simulator.delete, _ONE | {"by": "text"}),
        "hold": Command(simulator.hold, _ONE),
        "approve": Command(simulator.approve, _ONE),
        "edit": Command(simulator.edit, _ONE | {"text": "text*"}),
        "delete-account": Command(simulator.delete_account, {"author": "text*"}),
        "vanish": Command(simulator.vanish, _ONE),
        "subreddits": Command(simulator.set_subreddit, {"name": "text*", "state": "text"}),
        "faults": Command(fault, _FAULT),
        "faults/clear": Command(simulator.faults.clear, {}),
        "expire-tokens": Command(simulator.expire_tokens, {}),
        "advance": Command(simulator.advance, {"seconds": "number*"}),
        "counts": Command(simulator.counts, {}, "GET"),
        "counts/reset": Command(simulator.reset_counts, {}),
        "requests": Command(simulator.recent_requests, {}, "GET"),
    }
