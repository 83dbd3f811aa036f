"""Configuration of stacks for tests."""

FUNCTIONS_ONLY = {"backends": '["functions"]'}
"""The dev stack with one MCP server. The committed one has all, and asks for credentials outside the twin."""
