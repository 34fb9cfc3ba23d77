"""A simulator of a Jetstream server: Bluesky's public events over WebSocket, in both versions of its protocol.

    with BlueskySimulator() as simulator:
        uri = simulator.add_post("Hello, world")
        # ws://127.0.0.1:PORT/subscribe, or …/xrpc/network.bsky.jetstream.subscribeEvents
        simulator.delete_post(uri)

It follows the published server (github.com/bluesky-social/jetstream): inclusive cursors, one time for all operations of
a commit, a limited look-back that v1 clamps to silently and v2 tells of. It refuses parameters that the server does not
know. It imports nothing else of Overheard, so that a mistake in the client cannot be repeated here.
"""

from .faults import StreamFault, StreamFaults
from .simulator import BlueskySimulator

__all__ = ["BlueskySimulator", "StreamFault", "StreamFaults"]
