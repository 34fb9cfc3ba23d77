"""Feeds as documents, in the forms that their specifications prescribe."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from email.utils import format_datetime
from xml.sax.saxutils import escape, quoteattr

from .feed import SimulatedEntry, SimulatedFeed

CONTENT_TYPES = {
    "rss": "application/rss+xml",
    "rdf": "application/rdf+xml",
    "atom": "application/atom+xml",
    "json": "application/feed+json",
}


def render(feed: SimulatedFeed, url: str) -> bytes:
    """Return the document that is at `url`."""
    entries = feed.shown()
    text = {"rss": _rss, "rdf": _rdf, "atom": _atom, "json": _json}[feed.format](feed, entries, url)
    declaration = "" if feed.format == "json" else f'<?xml version="1.0" encoding="{feed.encoding}"?>\n'
    return f"{declaration}{text}".encode(feed.encoding, "xmlcharrefreplace")


def _guid(feed: SimulatedFeed, entry: SimulatedEntry) -> str:
    return f"{entry.guid}-{feed.served}" if feed.new_guids else entry.guid


def _rss(feed: SimulatedFeed, entries: list[SimulatedEntry], url: str) -> str:
    items = "".join(
        f"<item><title>{escape(entry.title)}</title><link>{escape(entry.link)}</link>"
        f'<guid isPermaLink="false">{escape(_guid(feed, entry))}</guid>'
        + (f"<pubDate>{_rfc822(entry.published)}</pubDate>" if entry.published is not None else "")
        + f"<dc:creator>{escape(entry.author)}</dc:creator>"
        + "".join(f"<category>{escape(tag)}</category>" for tag in entry.tags)
        + f"<description>{escape(entry.body)}</description></item>\n"
        for entry in entries
    )
    return (
        '<rss version="2.0" xmlns:dc="http://purl.org/dc/elements/1.1/" '
        'xmlns:sy="http://purl.org/rss/1.0/modules/syndication/"><channel>'
        f"<title>{escape(feed.title)}</title><link>{escape(_home(url))}</link><description/>"
        + (f"<ttl>{feed.ttl}</ttl>" if feed.ttl is not None else "")
        + _syndication(feed)
        + f"\n{items}</channel></rss>\n"
    )


def _rdf(feed: SimulatedFeed, entries: list[SimulatedEntry], url: str) -> str:
    listed = "".join(f"<rdf:li rdf:resource={quoteattr(_guid(feed, entry))}/>" for entry in entries)
    items = "".join(
        f"<item rdf:about={quoteattr(_guid(feed, entry))}><title>{escape(entry.title)}</title>"
        f"<link>{escape(entry.link)}</link><description>{escape(entry.body)}</description>"
        f"<dc:creator>{escape(entry.author)}</dc:creator>"
        + (f"<dc:date>{_iso(entry.published)}</dc:date>" if entry.published is not None else "")
        + "</item>\n"
        for entry in entries
    )
    return (
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/" '
        'xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:sy="http://purl.org/rss/1.0/modules/syndication/">'
        f"<channel rdf:about={quoteattr(url)}><title>{escape(feed.title)}</title><link>{escape(_home(url))}</link>"
        f"<description/>{_syndication(feed)}<items><rdf:Seq>{listed}</rdf:Seq></items></channel>\n{items}</rdf:RDF>\n"
    )


def _syndication(feed: SimulatedFeed) -> str:
    period = f"<sy:updatePeriod>{feed.update_period}</sy:updatePeriod>" if feed.update_period else ""
    frequency = feed.update_frequency
    return period + (f"<sy:updateFrequency>{frequency}</sy:updateFrequency>" if frequency is not None else "")


def _atom(feed: SimulatedFeed, entries: list[SimulatedEntry], url: str) -> str:
    items = "".join(
        f"<entry><id>{escape(_guid(feed, entry))}</id><title>{escape(entry.title)}</title>"
        f'<link rel="alternate" type="text/html" href={quoteattr(entry.link)}/>'
        f"<author><name>{escape(entry.author)}</name></author>"
        + (f"<published>{_iso(entry.published)}</published>" if entry.published is not None else "")
        + f"<updated>{_iso(entry.updated or entry.published or 0.0)}</updated>"
        + f'<content type="html">{escape(entry.body)}</content></entry>\n'
        for entry in entries
    )
    return (
        f'<feed xmlns="http://www.w3.org/2005/Atom"><id>{escape(url)}</id><title>{escape(feed.title)}</title>'
        f'<updated>{_iso(feed.changed_at)}</updated><link rel="self" href={quoteattr(url)}/>'
        f'<link rel="alternate" href={quoteattr(_home(url))}/>\n{items}</feed>\n'
    )


def _json(feed: SimulatedFeed, entries: list[SimulatedEntry], url: str) -> str:
    items = [
        {
            "id": _guid(feed, entry),
            "url": entry.link,
            "title": entry.title,
            "content_html": entry.body,
            "authors": [{"name": entry.author}],
            "tags": list(entry.tags),
        }
        | ({"date_published": _iso(entry.published)} if entry.published is not None else {})
        | ({"date_modified": _iso(entry.updated)} if entry.updated is not None else {})
        for entry in entries
    ]
    head = {"version": "https://jsonfeed.org/version/1.1", "title": feed.title, "home_page_url": _home(url)}
    return json.dumps({**head, "feed_url": url, "items": items}, indent=1)


def _home(url: str) -> str:
    return "/".join(url.split("/")[:3]) + "/"


def _rfc822(moment: float) -> str:
    return format_datetime(datetime.fromtimestamp(moment, UTC), usegmt=True)


def _iso(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
