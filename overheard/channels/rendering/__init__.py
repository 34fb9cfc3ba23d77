"""Render notices: subjects, excerpts, pages and JSON bodies."""
