// Decodes `encoded`, a query string or a form (application/x-www-form-urlencoded), into `parameters`: a single value of
// a name is a string, several are an array. "+" is a space; a malformed escape is kept as it is.
var parameters = new JObject();
foreach (var pair in encoded.Split('&'))
{
    if (pair == "") { continue; }
    int equals = pair.IndexOf('=');
    var name = System.Net.WebUtility.UrlDecode(equals < 0 ? pair : pair.Substring(0, equals));
    var value = equals < 0 ? "" : System.Net.WebUtility.UrlDecode(pair.Substring(equals + 1));
    var known = parameters[name];
    if (known == null) { parameters[name] = value; }
    else if (known is JArray) { ((JArray)known).Add(value); }
    else { parameters[name] = new JArray((string)known, value); }
}
