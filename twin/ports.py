"""The ports of the twin's services."""

import errno
import socket
from collections.abc import Mapping
from dataclasses import dataclass

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Address:
    """An address of this machine at which a process listens.

    Attributes:
        host: an IPv4 address of the loopback interface.
        port: a TCP port.
    """

    host: str
    port: int


class PortTakenError(Exception):
    """A port that the twin needs is in use; the message has the command that uses other ports."""


@dataclass(frozen=True, slots=True)
class Ports:
    """The ports of one twin: those of the gateway and the ports after it."""

    gateway: int

    @property
    def control(self) -> int:
        """The port of the control API."""
        return self.gateway + 1

    @property
    def entra(self) -> int:
        """The port of the stand-in for Entra."""
        return self.gateway + 2

    @property
    def cosmos(self) -> int:
        """The port of the stand-in for Cosmos DB."""
        return self.gateway + 3

    @property
    def blobs(self) -> int:
        """The port of Azurite's blob service."""
        return self.gateway + 4

    @property
    def functions(self) -> int:
        """The port of the Functions host."""
        return self.gateway + 5

    def stand_in(self, index: int) -> int:
        """The port of a stand-in for an external service, by its index from 0 to 5."""
        return self.gateway + 6 + index

    def container(self, index: int) -> int:
        """The port of the ingress of a Container App, by its index in the stack, from 0."""
        return self.gateway + 12 + index

    def named(self) -> dict[str, int]:
        """The ports that every twin uses, by their purpose."""
        return {
            "gateway": self.gateway,
            "control API": self.control,
            "Entra": self.entra,
            "Cosmos DB": self.cosmos,
            "blob storage": self.blobs,
            "Functions": self.functions,
        }

    def require_free(self, named: Mapping[str, int] | None = None) -> None:
        """Checks that ports are free.

        Args:
            named: the ports, by their purpose; None for the ports that every twin uses.

        Raises:
            PortTakenError: at least one port is in use.
        """
        taken = [
            f"{port} ({purpose})"
            for purpose, port in (self.named() if named is None else named).items()
            if _is_taken(port)
        ]
        if taken:
            noun, verb = ("Port", "is") if len(taken) == 1 else ("Ports", "are")
            other = 9000 if self.gateway != 9000 else 7000  # noqa: PLR2004 - any other port is suitable
            raise PortTakenError(
                f"{noun} {', '.join(taken)} {verb} taken. Is another twin running? "
                f"Stop it, or choose other ports:\n  make up PORT={other}"
            )


def _is_taken(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # Servers set SO_REUSEADDR, too. With it, a port with connections in the state TIME_WAIT is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError as error:
            if error.errno in (errno.EADDRINUSE, errno.EACCES):
                return True
            raise
    return False
