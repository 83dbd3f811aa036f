"""Formatting and parsing of values in the invariant culture."""
