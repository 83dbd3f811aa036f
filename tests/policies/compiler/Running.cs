// Runs compiled policy expressions: reads cases from a file, and writes the result of each case as a line of JSON.
using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Newtonsoft.Json;
using Newtonsoft.Json.Linq;

/// A fixed time, which the evaluator in Python also uses.
public static class Clock
{
    public static DateTime UtcNow { get { return new DateTime(1970, 1, 1, 0, 0, 0, DateTimeKind.Utc).AddSeconds(1700000000); } }
}

public class TestUrl : IUrl
{
    readonly JObject json;
    public TestUrl(JObject json) { this.json = json; }
    public string Scheme { get { return (string)json["scheme"]; } }
    public string Host { get { return (string)json["host"]; } }
    public int Port { get { return (int)json["port"]; } }
    public string Path { get { return (string)json["path"]; } }
    public string QueryString { get { return (string)json["queryString"]; } }
    public IReadOnlyDictionary<string, string[]> Query { get { return TestContext.Lists(json["query"], StringComparer.Ordinal); } }
}

public class TestBody : IMessageBody
{
    readonly string text;
    public TestBody(string text) { this.text = text; }
    public T As<T>(bool preserveContent = false)
    {
        object read = typeof(T) == typeof(JObject) ? JObject.Parse(text)
            : typeof(T) == typeof(JArray) ? JArray.Parse(text)
            : typeof(T) == typeof(JToken) ? JToken.Parse(text)
            : typeof(T) == typeof(byte[]) ? (object)Encoding.UTF8.GetBytes(text) : text;
        return (T)read;
    }
    public IDictionary<string, IList<string>> AsFormUrlEncodedContent(bool preserveContent = false) { throw new NotSupportedException(); }
}

public class TestResponse : IResponse
{
    readonly JObject json;
    public TestResponse(JObject json) { this.json = json; }
    public IMessageBody Body { get { return TestContext.Body(json); } }
    public IReadOnlyDictionary<string, string[]> Headers { get { return TestContext.Lists(json["headers"], StringComparer.OrdinalIgnoreCase); } }
    public int StatusCode { get { return (int)json["status"]; } }
    public string StatusReason { get { return (string)json["reason"]; } }
}

public class TestRequest : IRequest
{
    readonly JObject json;
    public TestRequest(JObject json) { this.json = json; }
    public IMessageBody Body { get { return TestContext.Body(json); } }
    public X509Certificate2 Certificate { get { return null; } }
    public IReadOnlyDictionary<string, string[]> Headers { get { return TestContext.Lists(json["headers"], StringComparer.OrdinalIgnoreCase); } }
    public string IpAddress { get { return (string)json["ip"]; } }
    public IReadOnlyDictionary<string, string> MatchedParameters { get { return new Dictionary<string, string>(); } }
    public string Method { get { return (string)json["method"]; } }
    public IUrl OriginalUrl { get { return Url; } }
    public IUrl Url { get { return new TestUrl((JObject)json["url"]); } }
}

public class TestOperation : IOperation
{
    public TestOperation(string id) { Id = id; }
    public string Id { get; private set; }
    public string Method { get { return ""; } }
    public string Name { get { return ""; } }
    public string UrlTemplate { get { return ""; } }
}

public class TestError : ILastError
{
    readonly JObject json;
    public TestError(JObject json) { this.json = json; }
    public string Source { get { return (string)json["source"]; } }
    public string Reason { get { return (string)json["reason"]; } }
    public string Message { get { return (string)json["message"]; } }
    public string Scope { get { return ""; } }
    public string Section { get { return ""; } }
    public string Path { get { return ""; } }
    public string PolicyId { get { return ""; } }
}

public class TestContext : IContext
{
    readonly JObject json;
    public TestContext(JObject json) { this.json = json; }
    public IApi Api { get { return null; } }
    public IDeployment Deployment { get { return null; } }
    public TimeSpan Elapsed { get { return TimeSpan.Zero; } }
    public ILastError LastError { get { return new TestError((JObject)json["lastError"]); } }
    public IOperation Operation { get { return new TestOperation((string)json["operation"]); } }
    public IProduct Product { get { return null; } }
    public IRequest Request { get { return new TestRequest((JObject)json["request"]); } }
    public Guid RequestId { get { return Guid.Empty; } }
    public IResponse Response { get { return new TestResponse((JObject)json["response"]); } }
    public ISubscription Subscription { get { return null; } }
    public DateTime Timestamp { get { return Clock.UtcNow; } }
    public bool Tracing { get { return false; } }
    public IUser User { get { return null; } }
    public void Trace(string message) { }
    public IReadOnlyDictionary<string, object> Variables
    {
        get { return ((JObject)json["variables"]).Properties().ToDictionary(variable => variable.Name, variable => Value((JObject)variable.Value)); }
    }

    static object Value(JObject variable)
    {
        var value = variable["value"];
        switch ((string)variable["type"])
        {
            case "JObject": return JObject.Parse((string)value);
            case "IResponse": return new TestResponse((JObject)value);
            case "string[]": return value.Select(item => (string)item).ToArray();
            case "bool": return (bool)value;
            default: return (string)value;
        }
    }

    public static IMessageBody Body(JObject message) { return message["body"].Type == JTokenType.Null ? null : new TestBody((string)message["body"]); }

    public static IReadOnlyDictionary<string, string[]> Lists(JToken json, StringComparer comparer)
    {
        var lists = new Dictionary<string, string[]>(comparer);
        foreach (var property in ((JObject)json).Properties()) { lists[property.Name] = property.Value.Select(item => (string)item).ToArray(); }
        return lists;
    }
}

public static class Program
{
    static string Show(object value)
    {
        if (value is byte[]) { return Convert.ToBase64String((byte[])value); }
        if (value == null || value is string || value is JToken) { return value == null ? null : value.ToString(); }
        var items = value as System.Collections.IEnumerable;
        if (items != null) { return "[" + string.Join("|", items.Cast<object>().Select(Show).ToArray()) + "]"; }
        var number = value as IFormattable;
        return number != null ? number.ToString(null, CultureInfo.InvariantCulture) : value.ToString();
    }

    public static void Main(string[] arguments)
    {
        System.Threading.Thread.CurrentThread.CurrentCulture = CultureInfo.InvariantCulture;
        var reader = new JsonTextReader(new StreamReader(arguments[0], new UTF8Encoding(false))) { DateParseHandling = DateParseHandling.None };
        var output = new StreamWriter(Console.OpenStandardOutput(), new UTF8Encoding(false));
        foreach (JObject testCase in JArray.Load(reader))
        {
            var result = new JObject();
            try
            {
                var value = new Expressions(new TestContext(testCase)).Run((int)testCase["expression"]);
                result["type"] = value == null ? "null" : value.GetType().Name;
                result["value"] = Show(value);
            }
            catch (Exception error) { result["throws"] = error.GetType().Name; }
            output.WriteLine(result.ToString(Formatting.None));
        }
        output.Flush();
    }
}
