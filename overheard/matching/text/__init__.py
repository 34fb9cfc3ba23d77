"""Words.

Read in this order: scripts, folding, words (the table of what a word is), separators, symbols, variants, fast_reading.
"""
