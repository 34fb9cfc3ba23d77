"""All queries against one item.

Read in this order: anchors (under which words a query is filed), fast_words and letter_anchors (what an item offers),
item_anchors (both together), filed_query and shelf (where queries are), query_index; search_words narrows down what a
source's own search is asked for.
"""
