"""Benchmarks: figures against their budgets. Run by `make bench`; never a timed test."""
