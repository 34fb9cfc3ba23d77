"""Matching of queries against texts: pure functions, without database, bus or HTTP.

Read the modules in this order; each depends only on those before it: text (what a word is), tree (what a query means),
document (the words of one item), rarity (which words a query is indexed under), query_errors and unsupported_syntax
(what a user mistyped), language (from a query's text to its tree), index (all queries against one item).

language takes these steps: tokens, grammar (what is written: written.py), meaning (fields and options distributed over
the terms: term_scope.py; a term: leaves.py, word_forms.py, patterns.py; other fields: values.py, hosts.py).
"""
