"""One item, prepared for many queries.

Read in this order: layout (where each word stands), positions (of the pieces of a term), plain_texts and addresses (for
expressions and domains), leaf_finder (which leaves hold, and where), document (what a tree asks of an item).
"""
