// Whether the body is a JSON-RPC error (JSON-RPC 2.0, section 5.1). A compressed body is not read.
if (!context.Response.Headers.GetValueOrDefault("Content-Type", "").StartsWith("application/json", StringComparison.OrdinalIgnoreCase)) { return false; }
if (context.Response.Headers.GetValueOrDefault("Content-Encoding", "identity") != "identity") { return false; }
try
{
    var message = context.Response.Body.As<JObject>(preserveContent: true);
    var error = message["error"] as JObject;
    return (string)message["jsonrpc"] == "2.0" && error != null && error["code"].Type == JTokenType.Integer;
}
catch (Exception)
{
    return false;
}
