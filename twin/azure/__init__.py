"""Computes the outputs that Azure returns for declared resources."""
