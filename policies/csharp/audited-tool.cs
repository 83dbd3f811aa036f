// The name of the tool that is called, "-" when it is not known. The characters are those that MCP allows in names of
// tools, so that nothing else a client writes there is recorded.
var name = context.Variables.GetValueOrDefault<string>("toolName", "") ?? "";
if (name == "" && context.Request.Headers.GetValueOrDefault("Mcp-Method", "") == "tools/call")
{
    name = context.Request.Headers.GetValueOrDefault("Mcp-Name", "");
}
if (name == "") { return "-"; }
return Regex.IsMatch(name, @"^[A-Za-z0-9_./\-]{1,128}\z") ? name : "invalid";
