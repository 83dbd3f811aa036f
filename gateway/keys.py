"""The keys with which the gateway seals tokens and signs consent forms."""

from dataclasses import dataclass

import pulumi
import pulumi_random as random

_TOKEN_KEY_BYTES = 64  # A256CBC-HS512 (RFC 7518, section 5.2.5)
_CONSENT_KEY_BYTES = 32  # HMAC-SHA256


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRingArgs:
    """What `KeyRing` needs.

    Attributes:
        version: the version in use, counted from 1.
    """

    version: int


class KeyRing(pulumi.ComponentResource):
    """The keys of every version so far, made once and kept in the stack's state as secrets.

    Every version stays declared and is protected, so no deployment makes a key anew: rotation only adds.
    `pulumi destroy` asks to lift the protection first (`pulumi state unprotect --all`).

    Attributes:
        token: key that seals tokens, base64 of 64 bytes.
        token_previous: the one before it, which opens tokens that are still about; None in version 1.
        consent: key of the consent form's HMAC, base64 of 32 bytes.
    """

    token: pulumi.Output[str]
    token_previous: pulumi.Output[str] | None
    consent: pulumi.Output[str]

    def __init__(self, name: str, args: KeyRingArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("mcp:gateway:KeyRing", name, None, opts)
        # ignore_changes: a length that somebody edits must not replace a key that seals live tokens.
        kept = pulumi.ResourceOptions(parent=self, protect=True, ignore_changes=["length", "keepers"])
        versions = range(1, args.version + 1)
        tokens = {
            version: random.RandomBytes(
                f"{name}-token-v{version}", random.RandomBytesArgs(length=_TOKEN_KEY_BYTES), opts=kept
            )
            for version in versions
        }
        consents = {
            version: random.RandomBytes(
                f"{name}-consent-v{version}", random.RandomBytesArgs(length=_CONSENT_KEY_BYTES), opts=kept
            )
            for version in versions
        }
        self.token = pulumi.Output.secret(tokens[args.version].base64)
        self.token_previous = (
            pulumi.Output.secret(tokens[args.version - 1].base64) if args.version > 1 else None
        )
        self.consent = pulumi.Output.secret(consents[args.version].base64)
        self.register_outputs({})
