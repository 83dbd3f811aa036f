"""Reads and checks a stack's configuration, with one module for each part; `settings` combines them."""
