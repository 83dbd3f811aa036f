"""Turns syntax into Python: it resolves types and reports errors when an expression is loaded."""
