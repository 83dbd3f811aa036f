"""Turns syntax into closures: types are settled here, once, when an expression is loaded."""
