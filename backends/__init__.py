"""The MCP servers behind the gateway, one module each."""
