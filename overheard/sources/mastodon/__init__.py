"""Mastodon: the public timelines and hashtags of its servers."""
