"""Bluesky: all public posts, from a Jetstream server's stream of events.

``events`` decodes frames of both versions of the protocol, ``posts`` turns records into items, ``batch`` collects them
into pages, ``cursor`` says where to resume; all of that is pure. ``client`` is the WebSocket, ``source`` puts them
together.
"""
