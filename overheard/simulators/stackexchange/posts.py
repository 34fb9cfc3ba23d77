"""The simulated sites' questions and answers. Numbers are dense within a site, over both kinds, as on the real ones."""

from __future__ import annotations

import html
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from threading import Lock

NAMES = {"stackoverflow": "stackoverflow.com", "superuser": "superuser.com"}  # the others: .stackexchange.com


@dataclass(slots=True)
class SimulatedPost:
    """A question, or the answer to one (`question`: its number). Times are Unix seconds; `body` is HTML."""

    site: str
    number: int
    body: str
    author: str
    created: int
    active: int
    title: str = ""
    tags: tuple[str, ...] = ()
    question: int | None = None
    edited: int | None = None
    fields: dict[str, object] = field(default_factory=dict)


class SimulatedPosts:
    """The posts of all sites. Thread-safe."""

    def __init__(self) -> None:
        self._posts: dict[str, dict[int, SimulatedPost]] = defaultdict(dict)
        self._last: dict[str, int] = defaultdict(int)
        self._lock = Lock()

    def add(self, site: str, body: str, author: str, created: int, **values: object) -> SimulatedPost:
        with self._lock:
            self._last[site] += 1
            post = SimulatedPost(site, self._last[site], body, author, created, created, **values)  # type: ignore[arg-type]
            self._posts[site][post.number] = post
            if post.question is not None:
                question = self._posts[site][post.question]
                question.active = max(question.active, created)
            return post

    def edit(self, post: SimulatedPost, body: str, at: int) -> None:
        with self._lock:
            post.body, post.edited, post.active = body, at, at
            if post.question is not None:
                self._posts[post.site][post.question].active = at

    def delete(self, site: str, number: int) -> None:
        """Delete a post, and the answers to it."""
        with self._lock:
            posts = self._posts[site]
            del posts[number]
            for each in [other.number for other in posts.values() if other.question == number]:
                del posts[each]

    def get(self, site: str, number: int) -> SimulatedPost | None:
        with self._lock:
            return self._posts[site].get(number)

    def listed(self, site: str, *, answers: bool) -> list[SimulatedPost]:
        """Return the questions, or the answers, of a site."""
        with self._lock:
            return [post for post in self._posts[site].values() if (post.question is not None) == answers]

    def answer_count(self, post: SimulatedPost) -> int:
        with self._lock:
            return sum(other.question == post.number for other in self._posts[post.site].values())


def rendered(post: SimulatedPost, answers: int, *, with_body: bool) -> dict[str, object]:
    """Return a post as the API's object; names and titles are HTML-encoded there."""
    host = NAMES.get(post.site, f"{post.site}.stackexchange.com")
    common: dict[str, object] = {
        "owner": {
            "account_id": 1,
            "reputation": 1,
            "user_id": 1,
            "user_type": "registered",
            "display_name": html.escape(post.author),
            "link": f"https://{host}/users/1/someone",
        },
        "score": 0,
        "last_activity_date": post.active,
        "creation_date": post.created,
        "content_license": "CC BY-SA 4.0",
    }
    if post.edited is not None:
        common["last_edit_date"] = post.edited
    if with_body:
        common["body"] = post.body
    if post.question is not None:
        return {**common, "is_accepted": False, "answer_id": post.number, "question_id": post.question, **post.fields}
    return {
        "tags": list(post.tags),
        **common,
        "is_answered": False,
        "view_count": 1,
        "answer_count": answers,
        "question_id": post.number,
        "link": f"https://{host}/questions/{post.number}/a-slug",
        "title": html.escape(post.title),
        **post.fields,
    }


def sorted_page(
    posts: Iterable[SimulatedPost], sort: str, order: str, page: int, size: int
) -> tuple[list[SimulatedPost], bool]:
    """Return a page of posts, and whether more follow."""
    ordered = sorted(
        posts,
        key=lambda post: (post.active if sort == "activity" else post.created, post.number),
        reverse=order == "desc",
    )
    return ordered[(page - 1) * size : page * size], len(ordered) > page * size
