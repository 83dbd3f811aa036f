"""The names of the rules, and the edit that fixes a finding of each."""

from dataclasses import replace

from apim.findings import Finding

REMEDIES = {
    "undeclared-named-value": "declare it among the gateway's named values, or correct its name",
    "unused-named-value": "delete its declaration, or mention it as {{name}}",
    "undeclared-fragment": "declare it, or correct fragment-id",
    "unused-fragment": "delete its declaration, or include it with <include-fragment>",
    "invalid-policy": "",
    "unknown-policy": "correct the element's name",
    "unsupported-policy": "use one of the policies that docs/policy-support.md lists",
    "policy-unavailable": "remove it, or choose a SKU in which it is available",
    "document-size": "shorten it, or move a part into a fragment",
    "csharp": "",
    "member-not-allowed": "use a type or member of the documented list (policy expressions, .NET types)",
    "reference-comparison": "",
    "encoded-csharp": "write quotes and < as they are",
    "buffered-stream": "it must not buffer event streams: remove it from APIs that stream",
    "missing-token-check": "add validate-jwt, validate-azure-ad-token or an authenticated check of the "
    "Authorization header to <inbound>, before everything that depends on the caller",
    "unverified-token": "compare the token's signature or MAC, or use validate-jwt: AsJwt() only parses",
    "commented-token-check": "remove the <!-- and --> around it",
    "missing-base": "add <base />; without it the policies of the outer scopes do not run",
    "culture-sensitive": "pass StringComparison.Ordinal (or OrdinalIgnoreCase), use string.CompareOrdinal, "
    "ToLowerInvariant() or ToUpperInvariant()",
    "traced-secret": "do not log it, or log only its length or its presence",
    "undecoded-query": "read OriginalUrl.QueryString and decode it, as policies/csharp/query.cs.j2 does",
    "unqualified-type": "write the type with its namespace",
    "time-claim": "",
    "cache-remove-value": "overwrite it with cache-store-value and a value that marks it as removed",
    "null-variable": 'set-variable may fail for null (R7): use ?? "", an empty object or a default',
    "response-variable": "read it with GetValueOrDefault<IResponse>(name), and compare with null (R8)",
    "shared-response-variable": "give each call its own variable: if the second call fails, the variable may "
    "still contain the response of the first (R8)",
    "variables": "",
    "connection-header": "leave it to API Management (R3), and exclude it from computed names",
}
"""The remedies by rule; empty if the message of the finding contains it."""

WARNINGS = frozenset({"unused-named-value", "unused-fragment", "encoded-csharp"})
"""The rules whose findings do not stop a policy from working."""


def is_warning(finding: Finding) -> bool:
    """Whether the policy works as it is."""
    return finding.code in WARNINGS


def with_remedy(finding: Finding) -> Finding:
    """The finding, with the edit that fixes it at the end of its message.

    Raises:
        LookupError: the rule is not in `REMEDIES`.
    """
    remedy = REMEDIES.get(finding.code)
    if remedy is None:
        raise LookupError(
            f"lint rule '{finding.code}' is not in REMEDIES: add it, with its remedy, to apim/lint/rules.py"
        )
    return replace(finding, message=f"{finding.message}: {remedy}") if remedy else finding
