"""The project's own MCP servers that are container images: complete descriptions without credentials."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from configuration.container import Container, Process
from configuration.reader import NOT_READ, Reader
from configuration.setting import NOT_SET, Boolean, Secret, Setting, Text, TextList

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """One setting with which a server authenticates at its service.

    Attributes:
        setting: the setting with its value; a `Secret` becomes a secret of the Container App.
        variable: the environment variable in which the server receives the value.
        placeholder: the value in the twin if the stack does not set it; the server then uses a stand-in.
        problem: returns the problem of a value, as a sentence, or None.
        trailing: characters that are removed from the end of the value.
    """

    setting: Text | Secret
    variable: str
    placeholder: str
    problem: Callable[[str], str | None]
    trailing: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """A setting that limits what a server may do.

    Attributes:
        setting: the setting with its value.
        variables: returns the environment variables for the value; a variable with the value None is removed.
        valid: the pattern of the entries of a list; None if every entry is valid.
    """

    setting: Boolean | TextList
    variables: Callable[[Any], Mapping[str, str | None]]
    valid: re.Pattern[str] | None = None

    def read(self, reader: Reader) -> Mapping[str, str | None]:
        """The environment variables for the value; invalid entries of a list are reported."""
        value = self.setting.read(reader)
        if isinstance(self.setting, TextList) and isinstance(value, tuple) and self.valid:
            for index, item in enumerate(value):
                if not self.valid.fullmatch(item):
                    wrong = f"'{item}' is not valid."
                    self.setting.reject(reader, wrong, self.setting.command_without_entry(index))
        return self.variables(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """One of the project's own servers.

    Attributes:
        container: the server, without credentials.
        credentials: the settings with which the server authenticates at its service.
        limits: the settings that limit what the server may do.
        remedy: the sentence for the case that the service rejects the credentials.
    """

    container: Container
    credentials: tuple[Credential, ...]
    limits: tuple[Limit, ...] = ()
    remedy: str

    @property
    def digest(self) -> Text:
        """The setting with the digest of the image."""
        return Text(
            key=f"{self.container.name}Digest",
            description=(
                f"Digest of {self.container.title}'s image, in addition to the version that the program pins."
            ),
            limits="sha256: and 64 hexadecimal digits, as `docker buildx imagetools inspect` prints it.",
            default="",
            example=f"sha256:{'0' * 64}",
            problem=_digest_problem,
        )

    @property
    def settings(self) -> tuple[Setting, ...]:
        """All settings of the server, in the order of the documentation."""
        return (
            *(credential.setting for credential in self.credentials),
            *(limit.setting for limit in self.limits),
            self.digest,
        )

    def read(self, reader: Reader, *, enabled: bool, prefix: str = "") -> Container | None:
        """The server with its credentials; None if it is disabled.

        Args:
            reader: reads the settings, even if the server is disabled.
            enabled: whether `backends` contains the server.
            prefix: the path prefix of its URLs at the gateway; empty for none.
        """
        digest = self.digest.read(reader)
        values = {credential.setting.key: credential.setting.read(reader) for credential in self.credentials}
        limits = {name: value for limit in self.limits for name, value in limit.read(reader).items()}
        if not enabled:
            return None
        container = _limited(self.container, limits)
        if digest:
            container = replace(container, image=f"{container.image}@{digest}")
        container = self._with_credentials(container, self._checked(reader, values)).with_prefix(prefix)
        # With a path prefix, the root of the host belongs to other applications.
        return container.without_event_streams() if prefix and container.root_messages else container

    def _checked(self, reader: Reader, values: Mapping[str, str]) -> Mapping[str, str]:
        """The values of the environment variables with the credentials.

        Missing settings are reported. In the twin, placeholders are used if no setting is set, or if a secret
        cannot be decrypted.
        """
        if reader.local and (not any(values.values()) or NOT_READ in values.values()):
            return {credential.variable: credential.placeholder for credential in self.credentials}
        name = self.container.name
        for credential in self.credentials:
            if not values[credential.setting.key]:
                reader.reject(
                    credential.setting.key,
                    NOT_SET,
                    f"The backend '{name}' is enabled and needs {', '.join(values)}. To disable it, "
                    "remove it from `backends`.",
                    credential.setting.command,
                )
        if all(values.values()):
            for credential in self.credentials:
                if wrong := credential.problem(values[credential.setting.key]):
                    credential.setting.reject(reader, wrong)
        return {
            credential.variable: values[credential.setting.key].rstrip(credential.trailing)
            if credential.trailing
            else values[credential.setting.key]
            for credential in self.credentials
        }

    def _with_credentials(self, container: Container, values: Mapping[str, str]) -> Container:
        secret = {
            credential.variable for credential in self.credentials if isinstance(credential.setting, Secret)
        }
        plain = {variable: value for variable, value in values.items() if variable not in secret}
        return replace(
            container,
            processes=tuple(
                replace(process, env={**process.env, **plain}) for process in container.processes
            ),
            secrets={variable: value for variable, value in values.items() if variable in secret},
        )


def _limited(container: Container, variables: Mapping[str, str | None]) -> Container:
    """A copy of the server with additional environment variables; a value of None removes a variable."""

    def env(process: Process) -> Mapping[str, str]:
        merged: Mapping[str, str | None] = {**process.env, **variables}
        return {name: value for name, value in merged.items() if value is not None}

    processes = tuple(replace(process, env=env(process)) for process in container.processes)
    return replace(container, processes=processes)


def _digest_problem(value: str) -> str | None:
    return None if _DIGEST.fullmatch(value) else f"'{value}' is not a digest."
