"""Matching of queries against texts: pure functions, without database, bus or HTTP.

Read the modules in this order; each depends only on those before it:

1. text: what a word is (scripts, folding, symbols, signs, stems, variants). markup: a text without Markdown and HTML.
2. tree: what a query means.
3. language: from a query's text to its tree, by way of tokens; grammar (into what is written: written.py); meaning
   (fields and options distributed over terms: term_scope.py; a term: leaves.py, spelling.py, word_forms.py,
   patterns.py; other fields: values.py, hosts.py). What is refused: unsupported_syntax, limits, narrowness,
   query_errors.
4. document: one item, as a tree asks for it (layout: its words, numbered; places: where terms stand; leaf_finder).
5. index: all queries against one item (rarity: the words that a query is filed under; lookup, forms: those of an item).
"""
