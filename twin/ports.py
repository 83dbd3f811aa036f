"""Which service of the twin listens where."""

import errno
import socket
from collections.abc import Mapping
from dataclasses import dataclass

LOOPBACK = "127.0.0.1"


class PortTakenError(Exception):
    """Something else listens on a port that the twin needs; the message says how to choose others."""


@dataclass(frozen=True, slots=True)
class Ports:
    """The ports of one twin, counted from the gateway's."""

    gateway: int

    @property
    def control(self) -> int:
        """The control API."""
        return self.gateway + 1

    @property
    def entra(self) -> int:
        """The stand-in for Entra."""
        return self.gateway + 2

    @property
    def cosmos(self) -> int:
        """The stand-in for Cosmos DB."""
        return self.gateway + 3

    @property
    def blobs(self) -> int:
        """Azurite's blob service."""
        return self.gateway + 4

    @property
    def functions(self) -> int:
        """The Functions host."""
        return self.gateway + 5

    def stand_in(self, index: int) -> int:
        """The index-th port of stand-ins for external services, from 0; there is room for six."""
        return self.gateway + 6 + index

    def container(self, index: int) -> int:
        """The ingress of the Container App that the stack declares as the index-th, from 0."""
        return self.gateway + 12 + index

    def named(self) -> dict[str, int]:
        """All of them, by what they are for."""
        return {
            "gateway": self.gateway,
            "control API": self.control,
            "Entra": self.entra,
            "Cosmos DB": self.cosmos,
            "blob storage": self.blobs,
            "Functions": self.functions,
        }

    def require_free(self, named: Mapping[str, int] | None = None) -> None:
        """Makes sure that each can be listened on: those that every twin needs, or others.

        Raises:
            PortTakenError: at least one is taken.
        """
        taken = [
            f"{port} ({purpose})"
            for purpose, port in (self.named() if named is None else named).items()
            if _is_taken(port)
        ]
        if taken:
            noun, verb = ("Port", "is") if len(taken) == 1 else ("Ports", "are")
            other = 9000 if self.gateway != 9000 else 7000  # noqa: PLR2004 - any other base will do
            raise PortTakenError(
                f"{noun} {', '.join(taken)} {verb} taken. Is another twin running? "
                f"Stop it, or choose other ports:\n  make up PORT={other}"
            )


def _is_taken(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do: a port whose last connections are still fading is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError as error:
            if error.errno in (errno.EADDRINUSE, errno.EACCES):
                return True
            raise
    return False
