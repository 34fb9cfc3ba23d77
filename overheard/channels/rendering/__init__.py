"""Notices as text: subjects, excerpts, pages and JSON bodies."""
