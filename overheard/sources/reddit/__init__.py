"""Reddit. Everything that depends on how Reddit names, lists and refuses things is in this folder."""
