"""A host for Azure Functions apps whose functions are MCP tools, without Azure and without Core Tools.

It imports a function app as the Python worker does, and sends the responses of the released MCP extension
(Azure/azure-functions-mcp-extension 1.6.0): streamable HTTP at `/runtime/webhooks/mcp`, HTTP+SSE at
`/runtime/webhooks/mcp/sse`, behind App Service's built-in authentication. docs/protocol-versions.md
describes the consequences for clients.
"""
