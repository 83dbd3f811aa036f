"""Keys, ids and configuration of the running twin, which an operator could also read.

The stack is evaluated again with the seed in the twin's state folder, which results in the same values.
"""

import base64
import json
import sqlite3
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from joserfc.jwk import OctKey

from apim.service import Service
from tests.stacks import FUNCTIONS_ONLY
from twin.azure.cloud import Cloud
from twin.entra.directory import Directory
from twin.entra.keys import SigningKeys
from twin.stack import Stack, evaluate
from twin.state import StateFolder
from twin.translation import gateway, tenant


@dataclass
class Deployment:
    """The stack of a running twin.

    Attributes:
        gateway: URL of its gateway.
        entra: URL of its stand-in for Entra.
        state: its state folder.
    """

    gateway: str
    entra: str
    state: StateFolder

    @classmethod
    def of(cls, gateway: str, entra: str, state: Path) -> "Deployment":
        return cls(gateway, entra, StateFolder(state))

    @cached_property
    def cloud(self) -> Cloud:
        return Cloud(seed=self.state.seed(), gateway_url=self.gateway)

    @cached_property
    def stack(self) -> Stack:
        return self._evaluated()

    @cached_property
    def directory(self) -> Directory:
        return tenant.directory(self.stack, self.cloud, self.entra)

    @cached_property
    def client_id(self) -> str:
        """The client id of the gateway's Entra application."""
        (value,) = [
            named_value.value
            for named_value in self.service().named_values
            if named_value.name == "entra-client"
        ]
        return value

    def service(self, **config: str) -> Service:
        """The service that the gateway runs, or would run with other settings."""
        return gateway.service(self._evaluated(**config) if config else self.stack, self.cloud)

    def key(self, name: str = "token-key-v1") -> OctKey:
        """The key in a named value."""
        (value,) = [
            named_value.value for named_value in self.service().named_values if named_value.name == name
        ]
        return OctKey.import_key(base64.b64decode(value))

    def signed_by_entra(self, claims: dict[str, Any]) -> str:
        """A JWT with the signature of the twin's Entra."""
        return SigningKeys(self.state.entra_keys).sign(claims)

    def documents(self) -> list[dict[str, Any]]:
        """All documents in the store, of all containers."""
        database = sqlite3.connect(f"file:{self.state.documents}?mode=ro", uri=True)
        try:
            return [json.loads(body) for (body,) in database.execute("SELECT body FROM documents")]
        finally:
            database.close()

    def _evaluated(self, **config: str) -> Stack:
        return evaluate(
            {
                **FUNCTIONS_ONLY,
                "local": "true",
                "localUrl": self.gateway,
                "entraAuthority": self.entra,
                **config,
            },
            cloud=self.cloud,
        )
