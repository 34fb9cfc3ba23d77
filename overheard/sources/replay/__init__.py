"""Replay files of items as if they were live."""
