"""How well queries find what is meant: precision and recall on items that were labelled one by one (README.md)."""
