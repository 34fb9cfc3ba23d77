"""Curated defects: each must be caught by the test that claims to. ``make mutants`` runs them; see ``__main__``."""
