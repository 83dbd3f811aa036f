"""A demo: an agent of Microsoft Foundry that uses all MCP servers of a stack from a terminal."""
