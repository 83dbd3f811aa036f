// What a client asks to be registered as (RFC 7591, section 2): either {"error", "error_description"} or the
// metadata that is kept. Members that are not named here are ignored, as the RFC says.
JObject asked;
try
{
    asked = JObject.Parse((string)context.Variables["body"]);
}
catch (Exception)
{
    return new JObject { ["error"] = "invalid_client_metadata", ["error_description"] = "The body must be one JSON object." };
}

var uris = asked["redirect_uris"] as JArray;
if (uris == null || uris.Count < 1 || uris.Count > 10)
{
    return new JObject { ["error"] = "invalid_redirect_uri", ["error_description"] = "redirect_uris must be an array of 1 to 10 absolute URIs." };
}
foreach (var uri in uris)
{
    var text = uri.Type == JTokenType.String ? (string)uri : "";
    // Only characters that RFC 3986 knows, so no backslash and no space; no control character, encoded or not; no
    // fragment, no wildcard.
    bool clean = text.Length <= 1024 && Regex.IsMatch(text, @"^[a-z]([A-Za-z0-9\-._~:/?\[\]@!$&'()+,;=]|%[2-9A-Fa-f][0-9A-Fa-f])+\z") && !Regex.IsMatch(text, "%7[Ff]");
    bool web = Regex.IsMatch(text, @"^https://[A-Za-z0-9]([A-Za-z0-9\-.]*[A-Za-z0-9])?(:[0-9]{1,5})?([/?]|\z)");
    bool loopback = Regex.IsMatch(text, @"^http://(127\.0\.0\.1|\[::1\]|localhost)(:[0-9]{1,5})?([/?]|\z)");
    bool native = Regex.IsMatch(text, @"^[a-z][a-z0-9+\-]*(\.[a-z0-9+\-]+)+:/[^@\[\]]*\z");
    var port = Regex.Match(text, @"^https?://[^/?]*:([0-9]{1,5})([/?]|\z)");
    bool portFits = !port.Success || (int.Parse(port.Groups[1].Value) >= 1 && int.Parse(port.Groups[1].Value) <= 65535);
    // The answer adds these to the query; a client must not hear one of them twice (RFC 6749, section 3.1).
    int mark = text.IndexOf('?');
    bool reserved = (mark < 0 ? "" : text.Substring(mark + 1)).Split('&')
        .Any(pair => new string[] { "code", "state", "iss", "error", "error_description", "error_uri" }.Contains(System.Net.WebUtility.UrlDecode(pair.Split('=')[0])));
    if (reserved)
    {
        return new JObject { ["error"] = "invalid_redirect_uri", ["error_description"] = "The query of a redirect URI may not hold code, state, iss, error, error_description or error_uri: the answer adds them." };
    }
    // API Management takes a query of 2048 bytes at most, on v2 tiers: what is left for the other parameters of an
    // authorization request must be enough for a state.
    if (Uri.EscapeDataString(text).Length > 1300)
    {
        return new JObject { ["error"] = "invalid_redirect_uri", ["error_description"] = "A redirect URI may have 1300 bytes when it is percent-encoded, and one has " + Uri.EscapeDataString(text).Length + ": a query of at most 2048 bytes has to hold it, and state, resource and scope." };
    }
    if (!clean || !portFits || !(web || loopback || native))
    {
        return new JObject { ["error"] = "invalid_redirect_uri", ["error_description"] = "Each redirect URI must be https, http on a loopback host, or a private-use scheme with a dot in it; without fragment, user information or wildcard." };
    }
}

// The three lists hold strings only, and only what the authorization server can do.
var supported = new Dictionary<string, string[]>
{
    { "grant_types", new string[] { "authorization_code", "refresh_token" } },
    { "response_types", new string[] { "code" } },
};
foreach (var list in supported)
{
    var given = asked[list.Key];
    if (given == null || given.Type == JTokenType.Null) { continue; }
    var items = given as JArray;
    if (items == null || items.Count == 0 || items.Any(item => item.Type != JTokenType.String || !list.Value.Contains((string)item))
        || !items.Any(item => (string)item == list.Value[0]))
    {
        return new JObject { ["error"] = "invalid_client_metadata", ["error_description"] = list.Key + " must hold " + list.Value[0] + ", and may hold: " + string.Join(", ", list.Value) };
    }
}
var method = asked["token_endpoint_auth_method"];
if (method != null && method.Type != JTokenType.Null && (method.Type != JTokenType.String || (string)method != "none"))
{
    return new JObject { ["error"] = "invalid_client_metadata", ["error_description"] = "token_endpoint_auth_method must be none: clients are public and use PKCE." };
}

var name = asked["client_name"];
if (name != null && name.Type != JTokenType.Null)
{
    var text = name.Type == JTokenType.String ? (string)name : "";
    // Two UTF-16 units that belong together are one character.
    bool visible = text.Trim().Length > 0 && text.Count(c => c < '\udc00' || c > '\udfff') <= 100;
    for (int i = 0; i < text.Length; i++)
    {
        char c = text[i];
        // Control characters, and those that reorder, hide or fake text (Unicode TR 36, section 2.5.1): bidi and
        // format characters, fillers that look like nothing, tags and private use beyond the basic plane. The
        // half of a pair that JSON may hold alone has become U+FFFD.
        if ((c < ' ' || (c >= '\u007f' && c <= '\u009f') || c == '\u00ad' || c == '\u061c' || c == '\u180e'
            || (c >= '\u200b' && c <= '\u200f') || (c >= '\u2028' && c <= '\u202e') || (c >= '\u2060' && c <= '\u206f')
            || c == '\ufeff' || (c >= '\ufff0' && c <= '\uffff') || (c >= '\ue000' && c <= '\uf8ff')
            || c == '\u115f' || c == '\u1160' || c == '\u17b4' || c == '\u17b5' || c == '\u2800' || c == '\u3164' || c == '\uffa0'
            || (c >= '\udb40' && c <= '\udbff'))) { visible = false; }
    }
    if (!visible)
    {
        return new JObject { ["error"] = "invalid_client_metadata", ["error_description"] = "client_name must be text of 1 to 100 visible characters." };
    }
}

var kept = new JObject { ["redirect_uris"] = new JArray(uris.Select(uri => (string)uri).Distinct()) };
if (name != null && name.Type != JTokenType.Null) { kept["client_name"] = (string)name; }
kept["grant_types"] = asked["grant_types"] is JArray ? asked["grant_types"] : new JArray("authorization_code");
kept["response_types"] = new JArray("code");
kept["token_endpoint_auth_method"] = "none";
return kept;
