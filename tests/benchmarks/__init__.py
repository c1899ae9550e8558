"""Measurements run by hand: `python -m tests.benchmarks [NAME …] [--json]`. Never timed tests."""
