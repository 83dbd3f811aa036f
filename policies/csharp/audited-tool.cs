// The name of the tool that the request calls, as far as its headers say it (MCP 2026-07-28): "-" for another request,
// "unknown" without a name. The characters are those that MCP allows in names of tools, so that nothing else a client
// writes there is recorded.
if (context.Request.Headers.GetValueOrDefault("Mcp-Method", "") != "tools/call") { return "-"; }
var name = context.Request.Headers.GetValueOrDefault("Mcp-Name", "");
return Regex.IsMatch(name, @"^[A-Za-z0-9_./\-]{1,128}\z") ? name : name == "" ? "unknown" : "invalid";
