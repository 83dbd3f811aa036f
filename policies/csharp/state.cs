// The client's state exactly as it stands in the query, with its "=" in front; "" when there is none.
// It is data: it goes back as it came, undecoded.
foreach (var pair in context.Request.Url.QueryString.TrimStart('?').Split('&'))
{
    int equals = pair.IndexOf('=');
    if (equals > 0 && WebUtility.UrlDecode(pair.Substring(0, equals)) == "state") { return pair.Substring(equals); }
}
return "";
