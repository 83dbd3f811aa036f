"""A host for Azure Functions apps whose functions are MCP tools, without Azure and without Core Tools.

It imports a function app as the Python worker does, and serves its MCP tool triggers as the MCP extension
does (Azure/azure-functions-mcp-extension 1.6): streamable HTTP at `/runtime/webhooks/mcp`, HTTP+SSE at
`/runtime/webhooks/mcp/sse`. App Service's built-in authentication stands in front of it.
"""
