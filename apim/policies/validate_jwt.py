"""https://learn.microsoft.com/azure/api-management/validate-jwt-policy."""

import base64
import binascii
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import jwt

from apim import tokens
from apim.csharp import compile_expression
from apim.csharp.context import Context
from apim.failure import Failure
from apim.keysets import KeysUnavailableError, OpenIdConfiguration
from apim.node import Node, Read
from apim.policy import INBOUND, Policy
from apim.run import Run, decoded_values
from apim.shape import Attribute, Child, Kind, Shape, Text
from apim.statements import Action
from apim.tokens import RequiredClaim, SigningKey, TokenError

_JWT_VARIABLE = "validate-jwt: the token that was accepted"
_AS_JWT = f'@(((string)context.Variables["{_JWT_VARIABLE}"]).AsJwt())'


@dataclass(frozen=True, slots=True, kw_only=True)
class Demands:
    """The requirements for a token, each as a function of the context.

    Attributes:
        configurations: URLs of OpenID configuration endpoints.
        keys: signing keys in addition to those of the endpoints.
        issuers: allowed issuers in addition to those of the endpoints.
        audiences: allowed audiences.
        claims: claims that the token must contain.
        signed: whether the token must be signed.
        expiring: whether the token must have an expiration time.
        skew: seconds by which the clocks of issuer and gateway may differ.
        more: checks the claims in addition to the checks above.

    Raises:
        TokenError: `more` raises it for a token that it does not accept.
    """

    configurations: Sequence[Read[str | None]] = ()
    keys: Read[list[SigningKey]] = field(default=lambda _context: [])
    issuers: Sequence[Read[str | None]] = ()
    audiences: Sequence[Read[str | None]] = ()
    claims: Read[list[RequiredClaim]] = field(default=lambda _context: [])
    signed: Read[bool] = field(default=lambda _context: True)
    expiring: Read[bool] = field(default=lambda _context: True)
    skew: Read[float] = field(default=lambda _context: 0.0)
    more: Callable[[tokens.Claims, Context], None] = field(default=lambda _claims, _context: None)


def checking(node: Node, demands: Demands) -> Action:
    """The action that finds the request's token, validates it and stores it in a variable."""
    find = _finder(node)
    status_of, message_of = (
        node.integer("failed-validation-httpcode"),
        node.string("failed-validation-error-message"),
    )
    variable = node.constant("output-token-variable-name")
    as_jwt = compile_expression(_AS_JWT, name="validate-jwt") if variable else None

    def refuse(context: Context, error: TokenError) -> Failure:
        message = str(error)
        return Failure(
            reason=error.reason,
            message=message,
            status=status_of(context),
            public=message_of(context) or message,
        )

    def check(run: Run, token: str, known: list[OpenIdConfiguration]) -> None:
        context = run.context
        keys = [
            *demands.keys(context),
            *(key for configuration in known for key in configuration.keys.values()),
        ]
        claims = tokens.verified_claims(token, keys, signed=demands.signed(context))
        issuers = [read(context) or "" for read in demands.issuers] + [one.issuer for one in known]
        tokens.check_issuer(claims, issuers)
        tokens.check_audience(claims, [(read(context) or "").strip() for read in demands.audiences])
        tokens.check_lifetime(
            claims, context.now(), demands.skew(context), required=demands.expiring(context)
        )
        for wanted in demands.claims(context):
            tokens.check_claim(claims, wanted)
        demands.more(claims, context)
        if as_jwt is not None:
            context.variables[_JWT_VARIABLE] = token
            context.variables[variable] = as_jwt.evaluate(context)
            del context.variables[_JWT_VARIABLE]

    async def fetch_and_check(run: Run, token: str, kid: str | None) -> None:
        context = run.context
        known = await _fetched(run, [read(context) or "" for read in demands.configurations], kid)
        try:
            check(run, token, known)
        except TokenError as error:
            raise refuse(context, error) from error

    def validate(run: Run) -> Awaitable[None] | None:
        context = run.context
        try:
            token = find(context)
            kid = tokens.header(token).get("kid")
            kid = kid if isinstance(kid, str) else None
            known = [run.services.keys.cached(read(context) or "", kid) for read in demands.configurations]
            cached = [one for one in known if one is not None]
            if len(cached) < len(known):
                return fetch_and_check(run, token, kid)
            check(run, token, cached)
        except TokenError as error:
            raise refuse(context, error) from error
        return None

    return validate


async def _fetched(run: Run, urls: list[str], kid: str | None) -> list[OpenIdConfiguration]:
    """The configurations of the endpoints; unreachable ones are skipped if at least one responds."""
    known: list[OpenIdConfiguration] = []
    problem: KeysUnavailableError | None = None
    for url in urls:
        try:
            known.append(await run.services.keys.get(url, kid))
        except KeysUnavailableError as error:
            problem = error
    if not known and problem is not None:
        raise Failure(reason="OpenIdConfigurationUnavailable", message=str(problem)) from problem
    return known


def claims_of(node: Node) -> Read[list[RequiredClaim]]:
    """The claims of the element `required-claims`."""
    holder = node.child("required-claims")
    wanted = [
        (
            claim.string("name"),
            claim.string("match"),
            claim.string("separator"),
            [value.text() for value in claim.children("value")],
        )
        for claim in (holder.children("claim") if holder else [])
    ]
    return lambda context: [
        RequiredClaim(
            name(context) or "",
            tuple((value(context) or "").strip() for value in values),
            (match(context) or "all") == "all",
            separator(context),
        )
        for name, match, separator, values in wanted
    ]


def texts_of(node: Node, group: str, name: str) -> list[Read[str | None]]:
    """The texts of the elements `name` within a group such as `audiences`."""
    holder = node.child(group)
    return [child.text() for child in holder.children(name)] if holder else []


def _finder(node: Node) -> Read[str]:
    """The function that finds the token of a request."""
    named = [name for name in ("header-name", "query-parameter-name", "token-value") if node.has(name)]
    if len(named) > 1 or (not named and not node.literal_default("header-name")):
        node.fail(
            f"<{node.element.name}> needs exactly one of header-name, query-parameter-name and token-value"
        )
    if node.has("token-value"):
        value_of = node.string("token-value")
        return lambda context: (value_of(context) or "").strip()
    if node.has("query-parameter-name"):
        parameter_of = node.string("query-parameter-name")
        return lambda context: _parameter(context, parameter_of(context) or "")
    header_of = node.string("header-name")
    scheme_of = node.string("require-scheme") if "require-scheme" in node.known_attributes else None

    def from_header(context: Context) -> str:
        name = header_of(context) or ""
        values = context.request.headers.get(name)
        if not values or not values[0].strip():
            raise TokenError("TokenNotPresent", "JWT not present.")
        scheme, _, token = values[0].strip().rpartition(" ")
        required = scheme_of(context) if scheme_of and name.lower() == "authorization" else None
        if required and scheme.strip().lower() != required.lower():
            raise TokenError("TokenNotPresent", f"JWT not present with the scheme {required}.")
        return token

    return from_header


def _parameter(context: Context, name: str) -> str:
    """The decoded value of a query parameter; "" if it is absent."""
    values = decoded_values(context.request.original_url.query_string.removeprefix("?"))
    return values.get(name, [""])[0]


def _inline_keys(node: Node) -> Read[list[SigningKey]]:
    """The keys of the element `issuer-signing-keys`."""
    holder = node.child("issuer-signing-keys")
    found: list[tuple[Read[str | None], Read[str | None], str, str]] = []
    for key in holder.children("key") if holder else []:
        modulus, exponent = key.constant("n"), key.constant("e")
        if bool(modulus) != bool(exponent) or bool(modulus) == (key.element.text is not None):
            key.fail("<key> needs a Base64 string, or both n and e")
        found.append((key.string("id"), key.text(), modulus, exponent))

    def keys(context: Context) -> list[SigningKey]:
        made = []
        for kid, text, modulus, exponent in found:
            if modulus:
                made.append(
                    SigningKey(kid(context), jwt.PyJWK.from_dict({"kty": "RSA", "n": modulus, "e": exponent}))
                )
                continue
            try:
                made.append(
                    SigningKey(kid(context), base64.b64decode((text(context) or "").strip(), validate=True))
                )
            except binascii.Error as error:
                raise TokenError("JwtInvalid", "A signing key is not Base64. Access denied.") from error
        return made

    return keys


def _compile(node: Node) -> Action:
    configurations = [child.string("url") for child in node.children("openid-config")]
    if not configurations and node.child("issuer-signing-keys") is None:
        node.fail("<validate-jwt> needs <openid-config> or <issuer-signing-keys>")
    return checking(
        node,
        Demands(
            configurations=configurations,
            keys=_inline_keys(node),
            issuers=texts_of(node, "issuers", "issuer"),
            audiences=texts_of(node, "audiences", "audience"),
            claims=claims_of(node),
            signed=node.boolean("require-signed-tokens"),
            expiring=node.boolean("require-expiration-time"),
            skew=node.number("clock-skew"),
        ),
    )


def group(name: str, item: str) -> Child:
    """The declaration of an element that contains elements with text, such as `audiences` with `audience`."""
    return Child(
        name, Shape(children=(Child(item, Shape(text=Text.VALUE, text_required=True), least=1, most=None),))
    )


FINDING = (
    Attribute("query-parameter-name"),
    Attribute("token-value"),
    Attribute("failed-validation-httpcode", default="401", kind=Kind.INTEGER, least=100, most=999),
    Attribute("failed-validation-error-message"),
    Attribute("output-token-variable-name", expression=False),
)
REQUIRED_CLAIMS = Child(
    "required-claims",
    Shape(
        children=(
            Child(
                "claim",
                Shape(
                    (
                        Attribute("name", required=True),
                        Attribute("match", default="all", values=("all", "any")),
                        Attribute("separator"),
                    ),
                    children=(Child("value", Shape(text=Text.VALUE, text_required=True), most=None),),
                ),
                least=1,
                most=None,
            ),
        )
    ),
)

POLICY = Policy(
    name="validate-jwt",
    sections=INBOUND,
    shape=Shape(
        (
            Attribute("header-name"),
            *FINDING,
            Attribute("require-expiration-time", default="true", kind=Kind.BOOLEAN),
            Attribute("require-scheme"),
            Attribute("require-signed-tokens", default="true", kind=Kind.BOOLEAN),
            Attribute("clock-skew", default="0", kind=Kind.NUMBER, least=0),
        ),
        children=(
            Child("openid-config", Shape((Attribute("url", required=True),)), most=None),
            Child(
                "issuer-signing-keys",
                Shape(
                    children=(
                        Child(
                            "key",
                            Shape(
                                (
                                    Attribute("id"),
                                    Attribute("n", expression=False),
                                    Attribute("e", expression=False),
                                    Attribute(
                                        "certificate-id", unsupported="the twin does not support certificates"
                                    ),
                                ),
                                text=Text.VALUE,
                            ),
                            least=1,
                            most=None,
                        ),
                    )
                ),
            ),
            Child("decryption-keys", Shape(), unsupported="the twin does not decrypt tokens"),
            group("audiences", "audience"),
            group("issuers", "issuer"),
            REQUIRED_CLAIMS,
        ),
    ),
    compile=_compile,
)
