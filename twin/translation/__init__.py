"""Derives the services of the twin from declared resources, one module for each kind of service."""
