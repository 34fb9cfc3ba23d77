"""A simulator of Stack Exchange's API, version 2.3: questions and answers, quota and backoff.

    with StackExchangeSimulator() as simulator:
        question = simulator.ask("stackoverflow", "How do I …?", "<p>…</p>", tags=["postgresql"])
        simulator.reply(question, "<p>Like this</p>")
        # GET {simulator.url}2.3/questions?site=stackoverflow&tagged=postgresql&sort=creation&order=asc

It refuses what the API refuses (api.stackexchange.com/docs), always compresses its responses, and enforces the quota
and each `backoff` that it has asked for. It imports nothing else of Overheard, so that a mistake in the client cannot
be repeated here.
"""

from .simulator import StackExchangeSimulator

__all__ = ["StackExchangeSimulator"]
