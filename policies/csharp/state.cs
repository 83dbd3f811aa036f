// The client's state exactly as it is in the query, with the "=" in front of it; "" when there is none. It is returned
// as it was sent, undecoded.
foreach (var pair in (context.Request.OriginalUrl.QueryString ?? "").TrimStart('?').Split('&'))
{
    int equals = pair.IndexOf('=');
    if (equals > 0 && System.Net.WebUtility.UrlDecode(pair.Substring(0, equals)) == "state") { return pair.Substring(equals); }
}
return "";
