"""Which queries hold in a text, and where: pure functions of text, no database, no bus, no HTTP.

Read in this order, each leans only on those before it: text (what is a word), tree (what a query
means), document (one item's words), rarity (what a query waits for), language (from what users write to
a tree), index (all queries against one item).
"""
