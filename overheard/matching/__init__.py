"""Matching of queries against items: pure functions, without database, bus or HTTP.

Read the folders in this order; each depends only on those before it:

    text/      what a word is, when two spellings are the same word, what separates words
    markup/    the mask of a text: Markdown, HTML and entities apart from the words
    tree.py    the meaning of a query
    language/  from a query's text to its tree; what is refused, and why
    item/      one item, laid out for many queries: which leaves of trees hold in it, and where
    index/     all queries against one item
"""
