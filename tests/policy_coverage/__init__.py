"""Measures which of the project's policies a run of all tests covers, and requires a minimum."""
