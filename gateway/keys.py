"""The keys with which the gateway encrypts tokens and signs consent forms.

A key's version is part of the name of its named value (`token-key-v1`), so no named value ever changes its
content. API Management does not define the order in which a deployment's named values and policies take
effect, so during a rotation policies and named values of both versions may be in use together:

    version in use              2           3
    policies accept         1 2 3       2 3 4
    named values contain  1 2 3 4   1 2 3 4 5

Policies with version 2 accept the tokens of policies with version 3, and vice versa. All named values
that either of them mentions exist in both deployments.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_random as random

from gateway.plan import declared_key_versions, key_name

_TOKEN_KEY_BYTES = 64  # A256CBC-HS512 (RFC 7518, section 5.2.5)
_CONSENT_KEY_BYTES = 32  # HMAC-SHA256


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRingArgs:
    """Arguments of `KeyRing`.

    Attributes:
        version: the version in use, counted from 1.
        protect: whether Pulumi refuses to delete or replace a key.
    """

    version: int
    protect: bool


class KeyRing(pulumi.ComponentResource):
    """The keys of all versions up to the next two, created once and stored as secrets in the state.

    Every version remains declared, so no deployment replaces a key: rotation only adds keys.

    Attributes:
        values: the keys that policies may use, base64 and secret, by the name of their named value.
    """

    values: Mapping[str, pulumi.Output[str]]

    def __init__(self, name: str, args: KeyRingArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("mcp:gateway:KeyRing", name, None, opts)
        # ignore_changes: an edited length must not replace a key of valid tokens.
        kept = pulumi.ResourceOptions(parent=self, protect=args.protect, ignore_changes=["length", "keepers"])
        declared = declared_key_versions(args.version)
        self.values = {}
        for purpose, length in (("token", _TOKEN_KEY_BYTES), ("consent", _CONSENT_KEY_BYTES)):
            for version in range(1, declared.stop):
                key = random.RandomBytes(
                    f"{name}-{purpose}-v{version}", random.RandomBytesArgs(length=length), opts=kept
                )
                if version in declared:
                    self.values[key_name(purpose, version)] = pulumi.Output.secret(key.base64)
        self.register_outputs({})
