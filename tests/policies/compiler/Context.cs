// Declares the types that policy expressions can use, as API Management documents them:
// https://learn.microsoft.com/azure/api-management/api-management-policy-expressions#ContextVariables
// mono.py compiles policy expressions together with this file. The methods that throw are declared for the compiler only:
// API Management implements them.
using System;
using System.Collections.Generic;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

public interface IUrl
{
    string Scheme { get; }
    string Host { get; }
    int Port { get; }
    string Path { get; }
    string QueryString { get; }
    IReadOnlyDictionary<string, string[]> Query { get; }
}

public interface IMessageBody
{
    T As<T>(bool preserveContent = false);
    IDictionary<string, IList<string>> AsFormUrlEncodedContent(bool preserveContent = false);
}

public interface IRequest
{
    IMessageBody Body { get; }
    X509Certificate2 Certificate { get; }
    IReadOnlyDictionary<string, string[]> Headers { get; }
    string IpAddress { get; }
    IReadOnlyDictionary<string, string> MatchedParameters { get; }
    string Method { get; }
    IUrl OriginalUrl { get; }
    IUrl Url { get; }
}

public interface IResponse
{
    IMessageBody Body { get; }
    IReadOnlyDictionary<string, string[]> Headers { get; }
    int StatusCode { get; }
    string StatusReason { get; }
}

public interface ISubscriptionKeyParameterNames { string Header { get; } string Query { get; } }

public interface IApi
{
    string Id { get; }
    string Name { get; }
    string Path { get; }
    IEnumerable<string> Protocols { get; }
    IUrl ServiceUrl { get; }
    ISubscriptionKeyParameterNames SubscriptionKeyParameterNames { get; }
    bool IsCurrentRevision { get; }
    string Revision { get; }
    string Version { get; }
}

public interface IOperation { string Id { get; } string Method { get; } string Name { get; } string UrlTemplate { get; } }

public interface IDeployment
{
    string GatewayId { get; }
    string Region { get; }
    string ServiceName { get; }
    IReadOnlyDictionary<string, X509Certificate2> Certificates { get; }
}

public interface ILastError
{
    string Source { get; }
    string Reason { get; }
    string Message { get; }
    string Scope { get; }
    string Section { get; }
    string Path { get; }
    string PolicyId { get; }
}

public interface IGroup { string Id { get; } string Name { get; } }

public interface IUser { string Email { get; } string FirstName { get; } IEnumerable<IGroup> Groups { get; } string Id { get; } string LastName { get; } }

public interface ISubscription { string Id { get; } string Key { get; } string Name { get; } string PrimaryKey { get; } string SecondaryKey { get; } }

public interface IProduct { string Id { get; } string Name { get; } IEnumerable<IApi> Apis { get; } IEnumerable<IGroup> Groups { get; } }

public interface IContext
{
    IApi Api { get; }
    IDeployment Deployment { get; }
    TimeSpan Elapsed { get; }
    ILastError LastError { get; }
    IOperation Operation { get; }
    IProduct Product { get; }
    IRequest Request { get; }
    Guid RequestId { get; }
    IResponse Response { get; }
    ISubscription Subscription { get; }
    DateTime Timestamp { get; }
    bool Tracing { get; }
    IUser User { get; }
    IReadOnlyDictionary<string, object> Variables { get; }
    void Trace(string message);
}

public class BasicAuthCredentials { public string Password; public string UserId; }

public class Jwt
{
    public string Algorithm, Id, Issuer, Subject, Type;
    public IEnumerable<string> Audiences;
    public IReadOnlyDictionary<string, string[]> Claims;
    public DateTime? ExpirationTime, IssuedAt, NotBefore;
}

public static class Extensions
{
    public static string GetValueOrDefault(this IReadOnlyDictionary<string, string[]> values, string name, string defaultValue = null) { string[] found; return values.TryGetValue(name, out found) ? string.Join(",", found) : defaultValue; }
    public static string GetValueOrDefault(this IReadOnlyDictionary<string, string> values, string name, string defaultValue = null) { string found; return values.TryGetValue(name, out found) ? found : defaultValue; }
    public static object GetValueOrDefault(this IReadOnlyDictionary<string, object> values, string name) { object found; return values.TryGetValue(name, out found) ? found : null; }
    public static T GetValueOrDefault<T>(this IReadOnlyDictionary<string, object> values, string name, T defaultValue = default(T)) { object found; return values.TryGetValue(name, out found) ? (T)found : defaultValue; }
    public static Jwt AsJwt(this string input) { throw new NotSupportedException(); }
    public static bool TryParseJwt(this string input, out Jwt result) { throw new NotSupportedException(); }
    public static BasicAuthCredentials AsBasic(this string input) { throw new NotSupportedException(); }
    public static bool TryParseBasic(this string input, out BasicAuthCredentials result) { throw new NotSupportedException(); }
    public static byte[] Encrypt(this byte[] input, string alg, byte[] key, byte[] iv) { using (var aes = Aes.Create()) { aes.Key = key; aes.IV = iv; return input.Encrypt(aes, key, iv); } }
    public static byte[] Decrypt(this byte[] input, string alg, byte[] key, byte[] iv) { using (var aes = Aes.Create()) { aes.Key = key; aes.IV = iv; return input.Decrypt(aes, key, iv); } }
    public static byte[] Encrypt(this byte[] input, SymmetricAlgorithm alg, byte[] key, byte[] iv) { using (var encryptor = alg.CreateEncryptor(key, iv)) { return encryptor.TransformFinalBlock(input, 0, input.Length); } }
    public static byte[] Decrypt(this byte[] input, SymmetricAlgorithm alg, byte[] key, byte[] iv) { using (var decryptor = alg.CreateDecryptor(key, iv)) { return decryptor.TransformFinalBlock(input, 0, input.Length); } }
}
