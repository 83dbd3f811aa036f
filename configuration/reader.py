"""Reads values of the stack's configuration and collects what is wrong with them."""

import difflib
import json
from collections.abc import Iterable, Mapping

import pulumi
from pulumi.runtime import config as pulumi_config

from configuration.problem import Problem

NOT_READ = "twin"
"""In the twin: the value of a secret that only the Pulumi CLI can decrypt. The server gets a stand-in."""


class Reader:
    """Reads values and collects what is wrong with them.

    A value that is missing or wrong is reported and replaced by a harmless one, so that reading goes on;
    the replacement never leaves `settings.load`.
    """

    def __init__(self, config: pulumi.Config) -> None:
        self.problems: list[Problem] = []
        self._config = config
        self._secrets: set[str] = set()

    def reject(self, key: str, wrong: str, why: str, remedy: str) -> None:
        """Notes a problem, once."""
        problem = Problem(key=key, wrong=wrong, why=why, remedy=remedy)
        if problem not in self.problems:
            self.problems.append(problem)

    def peek(self, key: str) -> str:
        """The value as it is; empty when it is not set. Reports nothing.

        Args:
            key: a setting of the project, or one of another namespace as `azure-native:location`.
        """
        full = key if ":" in key else self._config.full_key(key)
        # Not by `Config.get`, which warns of every secret that is not wrapped yet.
        return str(pulumi_config.get_config(full) or "").strip()

    def structure(self, key: str) -> object:
        """A list or map, or the string itself when it is neither; None when it is not set."""
        value = self.peek(key)
        if not value:
            return None
        try:
            return json.loads(value)
        except ValueError:
            return value

    def secret(self, key: str) -> str:
        """A secret as it is, or an empty string. It must be encrypted in the stack's file.

        The keys of secrets that a stack invents for its containers are known from here on.
        """
        self._secrets.add(key)
        full = self._config.full_key(key)
        encrypted = pulumi_config.is_config_secret(full) or full in pulumi_config.get_config_secret_keys_env()
        value = self.peek(key)
        if value and not encrypted:
            self.reject(
                key,
                "It is a secret and is in the stack's file in clear.",
                "Everyone who reads the file, or its history, has it. Revoke it and set a new one.",
                f"pulumi config set --secret {key}",
            )
        return value

    @property
    def local(self) -> bool:
        """Whether the stack runs in the twin."""
        return self.peek("local").lower() == "true"

    def reject_unknown_keys(self, keys: Iterable[str], removed: Mapping[str, str]) -> None:
        """Reports what is set and neither among `keys` nor a secret that was asked for.

        Args:
            keys: the settings.
            removed: settings that no longer exist, with what replaced them.
        """
        known = tuple(keys)
        prefix = f"{self._config.name}:"
        present = {**pulumi_config.get_config_env(), **pulumi_config.CONFIG.get()}
        for key in sorted(full.removeprefix(prefix) for full in present if full.startswith(prefix)):
            if key in known or key in self._secrets:
                continue
            near = difflib.get_close_matches(key, known, n=1)
            why = f"Did you mean '{near[0]}'?" if near else "docs/settings.md lists all settings."
            self.reject(key, "There is no such setting.", removed.get(key, why), f"pulumi config rm {key}")
