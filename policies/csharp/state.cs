// The client's state exactly as the query has it, with its "=" in front; "" when there is none. It is data: it is
// returned as it came, undecoded.
foreach (var pair in (context.Request.OriginalUrl.QueryString ?? "").TrimStart('?').Split('&'))
{
    int equals = pair.IndexOf('=');
    if (equals > 0 && System.Net.WebUtility.UrlDecode(pair.Substring(0, equals)) == "state") { return pair.Substring(equals); }
}
return "";
