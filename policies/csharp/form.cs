// The form that was posted, or null when it is none: wrong content type, too large, or a parameter twice.
if (context.Request.Body == null) { return null; }
var type = context.Request.Headers.GetValueOrDefault("Content-Type", "").Split(';')[0].Trim();
if (!string.Equals(type, "application/x-www-form-urlencoded", StringComparison.OrdinalIgnoreCase)) { return null; }
var text = context.Request.Body.As<string>(preserveContent: true);
if (text.Length > 16384) { return null; }
var form = new Dictionary<string, string>();
foreach (var pair in text.Split('&'))
{
    if (pair == "") { continue; }
    int equals = pair.IndexOf('=');
    var name = WebUtility.UrlDecode(equals < 0 ? pair : pair.Substring(0, equals));
    if (form.ContainsKey(name)) { return null; }
    form[name] = equals < 0 ? "" : WebUtility.UrlDecode(pair.Substring(equals + 1));
}
return form;
