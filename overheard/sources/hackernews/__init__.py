"""Hacker News: items by number through its Firebase API, and its past through Algolia's search."""
