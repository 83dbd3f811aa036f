"""The configurations in which the program is tested."""

import functools
from dataclasses import dataclass

from twin.stack import Stack, evaluate

VARIANTS = {
    "dev": {},
    "one-audience": {"audience": "gateway", "requireResource": "true"},
    "large": {
        "sku": "StandardV2",
        "capacity": "3",
        "keyVersion": "2",
        "accessTokenMinutes": "5",
        "grantDays": "7",
        "registrationDays": "14",
        "oauthScopes": "openid profile offline_access",
        "allowedOrigins": '["https://tools.example.com"]',
        "tags": '{"costCenter": "4711"}',
        "azure-native:location": "northeurope",
    },
    "classic": {"sku": "Developer", "entraAuthority": "https://login.microsoftonline.us"},
}


@dataclass(frozen=True)
class Case:
    """One variant, evaluated for an update or for a preview."""

    variant: str
    preview: bool

    def __str__(self) -> str:
        return f"{self.variant}-{'preview' if self.preview else 'up'}"

    @property
    def stack(self) -> Stack:
        return _evaluated(self.variant, self.preview)


CASES = tuple(Case(variant, preview) for variant in VARIANTS for preview in (False, True))
UP = tuple(case for case in CASES if not case.preview)


@functools.cache
def _evaluated(variant: str, preview: bool) -> Stack:
    return evaluate(VARIANTS[variant], preview=preview)
