// The name of the tool that the request calls, according to its headers: "-" for another request, "unknown" without a
// name. Only from MCP 2026-07-28 on must a server refuse headers that do not match the body, so in older versions they are
// not read. A server may not implement that version: then the name is what the client claims. Only names with the
// characters that MCP allows in the names of tools are recorded, so that a client cannot write anything else into the
// audit log.
if (context.Request.Headers.GetValueOrDefault("Mcp-Method", "") != "tools/call") { return "-"; }
var name = context.Request.Headers.GetValueOrDefault("Mcp-Name", "");
return Regex.IsMatch(name, @"^[A-Za-z0-9_./\-]{1,128}\z") ? name : name == "" ? "unknown" : "invalid";
