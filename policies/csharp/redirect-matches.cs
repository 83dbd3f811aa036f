// Whether the redirect URI is one that the client registered: equal to the letter, but for the port of a
// loopback IP address (RFC 8252, section 7.3).
var asked = (string)context.Variables["redirectUri"];
string loopback = @"^http://(127\.0\.0\.1|\[::1\])(:[0-9]{1,5})?([/?]|\z)";
var port = Regex.Match(asked, @"^http://[^/?]*:([0-9]{1,5})([/?]|\z)");
bool portFits = !port.Success || (int.Parse(port.Groups[1].Value) >= 1 && int.Parse(port.Groups[1].Value) <= 65535);
foreach (var registered in (JArray)((JObject)context.Variables["client"])["redirectUris"])
{
    var known = (string)registered;
    if (string.Equals(known, asked, StringComparison.Ordinal)) { return true; }
    if (portFits && Regex.IsMatch(known, loopback) && Regex.IsMatch(asked, loopback)
        && string.Equals(Regex.Replace(known, loopback, "http://$1$3"), Regex.Replace(asked, loopback, "http://$1$3"), StringComparison.Ordinal)) { return true; }
}
return false;
