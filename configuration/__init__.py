"""Reads and checks the configuration of a stack; `settings` combines the parts."""
