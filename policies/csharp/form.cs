// The form that was posted; an empty one when it is none: wrong content type, too large, or a parameter twice.
var form = new JObject();
var type = context.Request.Headers.GetValueOrDefault("Content-Type", "").Split(';')[0].Trim();
if (context.Request.Body == null || !string.Equals(type, "application/x-www-form-urlencoded", StringComparison.OrdinalIgnoreCase)) { return form; }
var text = context.Request.Body.As<string>(preserveContent: true);
if (text.Length > 16384) { return form; }
foreach (var pair in text.Split('&'))
{
    if (pair == "") { continue; }
    int equals = pair.IndexOf('=');
    var name = WebUtility.UrlDecode(equals < 0 ? pair : pair.Substring(0, equals));
    if (form[name] != null) { return new JObject(); }
    form[name] = equals < 0 ? "" : WebUtility.UrlDecode(pair.Substring(equals + 1));
}
return form;
