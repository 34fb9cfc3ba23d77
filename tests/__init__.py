"""Tests: unit, contract and integration tests, fault and soak runs, benchmarks, and a whole machine."""
