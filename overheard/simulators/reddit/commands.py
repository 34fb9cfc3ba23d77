"""The commands of the control path: the Python API's methods and their JSON fields."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .control import Command
from .injected_failures import InjectedFailure

if TYPE_CHECKING:
    from .simulator import RedditSimulator

_POST = {"subreddit": "text*", "title": "text*", "selftext": "text", "url": "text", "over_18": "flag"}
_COMMENT = {"link": "text*", "body": "text*", "parent": "text"}
_NEW_ITEM = {"author": "text", "created": "number", "hold": "flag"}
_FULLNAME = {"fullname": "text*"}
_FAILURE = {"kind": "text*", "times": "count", "path": "text", "status": "count", "seconds": "number"}
_FAILURE |= {"headers": "headers", "whole_length": "flag", "retry_after": "text"}


def commands(simulator: RedditSimulator) -> dict[str, Command]:
    """Return the commands by their path below `/_simulator/`."""

    def post(**fields: Any) -> dict[str, str]:
        return {"fullname": simulator.add_post(**fields)}

    def comment(**fields: Any) -> dict[str, str]:
        return {"fullname": simulator.add_comment(**fields)}

    def failure(retry_after: str | None = None, **fields: Any) -> None:
        headers = {str(name): str(value) for name, value in fields.pop("headers", {}).items()}
        added = {"retry-after": retry_after} if retry_after is not None else {}
        simulator.faults.inject(InjectedFailure(**fields, headers=headers | added))

    return {
        "posts": Command(post, _POST | _NEW_ITEM),
        "comments": Command(comment, _COMMENT | _NEW_ITEM),
        "delete": Command(simulator.delete, _FULLNAME | {"by": "text"}),
        "hold": Command(simulator.hold, _FULLNAME),
        "approve": Command(simulator.approve, _FULLNAME),
        "edit": Command(simulator.edit, _FULLNAME | {"text": "text*"}),
        "delete-account": Command(simulator.delete_account, {"author": "text*"}),
        "vanish": Command(simulator.vanish, _FULLNAME),
        "subreddits": Command(simulator.set_subreddit, {"name": "text*", "state": "text"}),
        "faults": Command(failure, _FAILURE),
        "faults/clear": Command(simulator.faults.clear, {}),
        "expire-tokens": Command(simulator.expire_tokens, {}),
        "advance": Command(simulator.advance, {"seconds": "number*"}),
        "counts": Command(simulator.counts, {}, "GET"),
        "counts/reset": Command(simulator.reset_counts, {}),
        "requests": Command(simulator.recent_requests, {}, "GET"),
    }
