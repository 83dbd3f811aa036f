"""Translates the syntax tree to Python: resolves types and reports errors."""
