"""Overheard: notifies people of posts and comments that match their queries. ARCHITECTURE.md maps the code."""

__version__ = "0.1.0"
USER_AGENT = f"Overheard/{__version__}"
