"""The commands of the control path: the Python API's methods and their JSON fields."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from overheard.simulators.http.control import Command

if TYPE_CHECKING:
    from .simulator import RedditSimulator

_POST = {"subreddit": "text*", "title": "text*", "selftext": "text", "url": "text", "over_18": "flag", "flair": "text"}
_POST |= {"captions": "texts", "options": "texts", "crosspost": "text"}
_COMMENT = {"link": "text*", "body": "text*", "parent": "text"}
_NEW_ITEM = {"author": "text", "created": "number", "hold": "flag"}
_FULLNAME = {"fullname": "text*"}


def commands(simulator: RedditSimulator) -> dict[str, Command]:
    """Return the commands by their path below `/_simulator/`."""

    def post(**fields: Any) -> dict[str, str]:
        return {"fullname": simulator.add_post(**fields)}

    def comment(**fields: Any) -> dict[str, str]:
        return {"fullname": simulator.add_comment(**fields)}

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
        "subreddits/rename": Command(simulator.rename_subreddit, {"name": "text*", "new": "text*"}),
        "revoke": Command(simulator.revoke, {"client": "text*"}),
        "restore": Command(simulator.restore, {"client": "text*"}),
        "expire-tokens": Command(simulator.expire_tokens, {}),
        "counts": Command(simulator.counts, {}, "GET"),
        "counts/reset": Command(simulator.reset_counts, {}),
    }
