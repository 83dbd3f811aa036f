"""Computes the outputs that Azure gives to declared resources."""
