"""Reads values of the stack's configuration and collects their problems."""

import difflib
import json
from collections.abc import Iterable, Mapping

import pulumi
from pulumi.runtime import config as pulumi_config

from configuration.problem import Problem

NOT_READ = "twin"
"""In the twin, the value of secrets that only the Pulumi CLI can decrypt; servers then use stand-ins."""


class Reader:
    """Reads values and collects their problems.

    A missing or wrong value is reported and replaced by a valid one, so that reading can continue.
    `settings.load` raises an error if there are problems, so these replacements are never used.
    """

    def __init__(self, config: pulumi.Config) -> None:
        self.problems: list[Problem] = []
        self._config = config
        self._secrets: set[str] = set()

    def reject(self, key: str, wrong: str, why: str, remedy: str) -> None:
        """Records a problem, if it is not recorded yet."""
        problem = Problem(key=key, wrong=wrong, why=why, remedy=remedy)
        if problem not in self.problems:
            self.problems.append(problem)

    def peek(self, key: str) -> str:
        """The unchecked value; an empty string if it is not set.

        Args:
            key: a setting of the project, or of another namespace, such as `azure-native:location`.
        """
        # `Config.get` is not used, because it warns about every secret that is not read as an `Output`.
        return str(pulumi_config.get_config(self._full(key)) or "").strip()

    def has(self, key: str) -> bool:
        """Whether the stack's file or `Pulumi.yaml` has a value, which may be empty."""
        return pulumi_config.get_config(self._full(key)) is not None

    def _full(self, key: str) -> str:
        return key if ":" in key else self._config.full_key(key)

    def structure(self, key: str) -> object:
        """A list or map, or the string itself if it is neither; None if it is not set."""
        value = self.peek(key)
        if not value:
            return None
        try:
            return json.loads(value)
        except ValueError:
            return value

    def secret(self, key: str) -> str:
        """The value of a secret, or an empty string. A value that is not encrypted is reported.

        The key becomes a known setting, because entries of `containers` choose the keys of their secrets.
        """
        self._secrets.add(key)
        full = self._config.full_key(key)
        encrypted = pulumi_config.is_config_secret(full) or full in pulumi_config.get_config_secret_keys_env()
        value = self.peek(key)
        if value and not encrypted:
            self.reject(
                key,
                "Must be encrypted in the stack's file, because it is a secret.",
                "Everyone who can read the file or its history can read it. Revoke it and set a new one.",
                f"pulumi config set --secret {key}",
            )
        return value

    @property
    def local(self) -> bool:
        """Whether the stack runs in the twin."""
        return self.peek("local").lower() == "true"

    def reject_unknown_keys(self, keys: Iterable[str], removed: Mapping[str, str]) -> None:
        """Reports keys with a value that are neither in `keys` nor secrets that were read.

        Args:
            keys: the keys of the settings.
            removed: explanations for settings that no longer exist, by key.
        """
        known = tuple(keys)
        prefix = f"{self._config.name}:"
        present = {**pulumi_config.get_config_env(), **pulumi_config.CONFIG.get()}
        for key in sorted(full.removeprefix(prefix) for full in present if full.startswith(prefix)):
            if key in known or key in self._secrets:
                continue
            near = difflib.get_close_matches(key, known, n=1)
            why = f"Did you mean '{near[0]}'?" if near else "docs/settings.md lists all settings."
            self.reject(key, "This setting does not exist.", removed.get(key, why), f"pulumi config rm {key}")
