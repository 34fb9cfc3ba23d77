"""A plain evaluator of queries, which the index is tested against: slow, and simple enough to be read and believed.

It reads code points one by one, keeps nothing between calls and knows nothing of the code under test but the query's
tree. ``holds.evaluate`` says whether a tree holds for an item and which code points its positive leaves cover;
``chunks`` says what a word of a query finds, from the way it is written.
"""
