"""A simulator of a Mastodon server: timelines, hashtags and single statuses, for clients without a token.

    with MastodonSimulator() as simulator:
        simulator.publish("Hello #python", tags=["python"])
        simulator.federate("Late #python", late_by=600)     # written ten minutes ago elsewhere, arrives now
        # GET {simulator.url}api/v1/timelines/public?min_id=0&limit=40

It follows Mastodon's published source (github.com/mastodon/mastodon): ids are snowflakes made from a status's own time,
pages are listed newest first, and requests with min_id, max_id or since_id are limited per address (rack_attack.rb). It
imports nothing else of Overheard, so that a mistake in the client cannot be repeated here.
"""

from .simulator import MastodonSimulator

__all__ = ["MastodonSimulator"]
