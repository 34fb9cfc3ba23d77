"""Reddit. All that knows how Reddit names, lists and refuses things is in this folder."""
