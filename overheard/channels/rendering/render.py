"""Say in one line what a notice is about."""

from __future__ import annotations

from overheard.channels.rendering.places import shown_place
from overheard.channels.rendering.sanitize import defuse, one_line
from overheard.channels.rendering.summary_words import summary_heading, total_of
from overheard.matching.markup import BREAK, flow
from overheard.matching.text.scripts import visible
from overheard.notices import Notice, PublicMention

SUBJECT_MAX_CHARS = 160
MATCH_MAX_CHARS = 40  # of the matched words, in a subject
# Widths of an excerpt, tried in this order; 0: none. Chosen by eye, not measured.
MENTION_WIDTHS = (320, 160, 80, 0)


def subject(notice: Notice) -> str:
    """Return one line, safe in a mail header and in a chat."""
    return defuse(one_line(_subject(notice), SUBJECT_MAX_CHARS))


def _subject(notice: Notice) -> str:
    name = notice.name or notice.workspace
    if notice.alert is not None:
        incidents = ", ".join(f"{incident.count} × {incident.kind}" for incident in notice.alert.incidents)
        return f"Overheard on {notice.alert.host}: {incidents}"
    if notice.report is not None:
        return f"{name} · {notice.report.title}"
    if notice.type == "mention.created":
        mention = notice.mentions[0]
        place, matched = shown_place(mention.source, mention.place), one_line(_matched_words(mention), MATCH_MAX_CHARS)
        return f"{place} · “{matched}” mentioned"
    if notice.type == "mentions.summary":
        return f"{name} · {summary_heading(notice)}"
    return f"{name} · digest, {count_text(notice)}"


def count_text(notice: Notice) -> str:
    """Return how many mentions or incidents there are."""
    noun = "mention" if notice.alert is None else "incident"
    count = total_of(notice) if notice.alert is None else len(notice.alert.incidents)
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _matched_words(mention: PublicMention) -> str:
    for field, start, end in mention.shown_highlights:
        text = mention.text_of(field)
        # What a query found may have markup inside; an address that is a link's target is nothing but markup.
        words = visible(flow(text).masked[start:end]).replace(BREAK, " ").strip() or text[start:end]
        if words.strip():
            return words
    return mention.queries[0] if mention.queries else mention.item
