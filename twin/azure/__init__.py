"""Computes Azure's outputs for declared resources, and derives the twin's services from them."""
