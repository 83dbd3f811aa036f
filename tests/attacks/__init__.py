"""Attacks on the authorization server and the MCP paths, each on the policies in this process."""
