// The client's state exactly as it stands in the query, with its "=" in front; "" when there is none.
// It is data: it goes back as it came, undecoded.
foreach (var pair in context.Request.Url.QueryString.TrimStart('?').Split('&'))
{
    if (pair.StartsWith("state=", StringComparison.Ordinal)) { return pair.Substring(5); }
}
return "";
