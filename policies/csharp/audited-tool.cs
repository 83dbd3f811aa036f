// The name of the tool that the request calls, according to its headers (MCP 2026-07-28): "-" for another request,
// "unknown" without a name. Only names with the characters that MCP allows in the names of tools are recorded, so that a
// client cannot write anything else into the audit log.
if (context.Request.Headers.GetValueOrDefault("Mcp-Method", "") != "tools/call") { return "-"; }
var name = context.Request.Headers.GetValueOrDefault("Mcp-Name", "");
return Regex.IsMatch(name, @"^[A-Za-z0-9_./\-]{1,128}\z") ? name : name == "" ? "unknown" : "invalid";
