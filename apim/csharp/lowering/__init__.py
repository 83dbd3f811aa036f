"""Turns syntax into Python: types are settled and errors refused here, once, when an expression is loaded."""
