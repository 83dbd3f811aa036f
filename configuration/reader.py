"""Reads values of the stack's configuration and gathers what is wrong with them."""

import difflib
import json
import re
import shlex
from collections.abc import Mapping

import pulumi
from pulumi.runtime import config as pulumi_config

from configuration.problem import Problem

_NULL_ENTRY = (
    "Pulumi fills a list with nulls when a command sets a later index of a list that the stack's file does "
    "not have; the default in Pulumi.yaml is not copied. Set every index, beginning with 0."
)


class Reader:
    """Reads values and gathers what is wrong with them.

    A value that is missing or wrong is reported and replaced by a harmless one, so that reading goes on;
    the replacement never leaves `load`.
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

    def text(self, key: str, example: str, why: str) -> str:
        """A text that has to be there."""
        value = self.peek(key)
        if not value:
            self.reject(key, "It is not set.", why, set_command(key, example))
        return value

    def peek(self, key: str) -> str:
        """The value as it stands, for a check of another key; reports nothing."""
        # Not by `Config.get`, which warns of every secret that is not wrapped yet.
        return str(pulumi_config.get_config(self._config.full_key(key)) or "").strip()

    def secret(self, key: str) -> str:
        """A secret as it stands, or an empty text. It has to be encrypted in the stack's file.

        The keys of secrets that a stack invents for its containers are known from here on.
        """
        self._secrets.add(key)
        full = self._config.full_key(key)
        encrypted = pulumi_config.is_config_secret(full) or full in pulumi_config.get_config_secret_keys_env()
        value = self.peek(key)
        if value and not encrypted:
            self.reject(
                key,
                "It is a secret and stands in the stack's file in clear.",
                "Whoever reads the file, or its history, has it. Take a new one; this one is known.",
                f"pulumi config set --secret {key}",
            )
        return value

    @property
    def local(self) -> bool:
        """Whether the stack runs in the twin."""
        return self.peek("local").lower() == "true"

    def choice(self, key: str, choices: tuple[str, ...], why: str) -> str:
        """One of some texts."""
        value = self.text(key, choices[0], why)
        if value and value not in choices:
            near = next((choice for choice in choices if choice.lower() == value.lower()), None)
            near = near or next(iter(difflib.get_close_matches(value, choices, n=1)), choices[0])
            self.reject(key, f"'{value}' is not one of {', '.join(choices)}.", why, set_command(key, near))
        return value

    def integer(self, key: str, least: int, most: int, why: str) -> int:
        """A whole number within limits."""
        value = self.text(key, str(least), why)
        if not value:
            return least
        if not re.fullmatch(r"-?[0-9]{1,9}", value, re.ASCII):
            self.reject(key, f"'{value}' is not a whole number.", why, set_command(key, str(least)))
            return least
        number = int(value)
        if not least <= number <= most:
            nearest = min(max(number, least), most)
            allowed = str(least) if least == most else f"{least} to {most}"
            self.reject(key, f"{number} is outside of {allowed}.", why, set_command(key, str(nearest)))
        return number

    def boolean(self, key: str, example: str) -> bool:
        """A yes or a no."""
        why = "It is a yes or a no."
        value = self.text(key, example, why)
        if value and value.lower() not in ("true", "false"):
            self.reject(key, f"'{value}' is neither true nor false.", why, set_command(key, example))
        return value.lower() == "true"

    def strings(self, key: str, example: str, why: str) -> tuple[str, ...]:
        """A list of texts, each once."""
        value = self._structure(key, f"--path '{key}[0]' {example}", why)
        if value is None:
            return ()
        if isinstance(value, list) and None in value:
            value = self._reject_null_entries(key, value, example)
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            self.reject(
                key,
                "It is not a list of texts.",
                why,
                f"pulumi config rm {key} && pulumi config set --path '{key}[0]' {example}",
            )
            return ()
        items = tuple(str(item).strip() for item in value)
        for item in sorted({item for item in items if items.count(item) > 1}):
            self.reject(
                key,
                f"'{item}' stands in it twice.",
                why,
                f"pulumi config rm --path '{key}[{items.index(item)}]'",
            )
        return items

    def _reject_null_entries(self, key: str, value: list[object], example: str) -> list[object]:
        """Reports entries without a value, with the commands that set every index; returns that list."""
        items = [item for item in value if item is not None]
        if value[0] is None and example not in items:
            items.insert(0, example)
        commands = [
            f"pulumi config set --path '{key}[{index}]' {shlex.quote(str(item))}"
            for index, item in enumerate(items)
        ]
        self.reject(
            key,
            f"Its entry {value.index(None)} is null.",
            _NULL_ENTRY,
            " && ".join([f"pulumi config rm {key}", *commands]),
        )
        return items

    def strings_by_name(self, key: str, example: str, why: str) -> Mapping[str, str]:
        """A map of texts; empty when it is not set."""
        if not self.peek(key):
            return {}
        value = self._structure(key, f"--path {key}.{example}", why)
        if not isinstance(value, dict):
            self.reject(
                key,
                "It is not a map of names to texts.",
                why,
                f"pulumi config rm {key} && pulumi config set --path {key}.{example}",
            )
            return {}
        # Pulumi turns a value that looks like a number or a yes into one; a tag is a text.
        return {name: item if isinstance(item, str) else json.dumps(item) for name, item in value.items()}

    def objects(self, key: str, why: str) -> tuple[Mapping[str, object], ...]:
        """A list of maps; empty when it is not set."""
        if not self.peek(key):
            return ()
        value = self._structure(key, key, why)
        if isinstance(value, list) and None in value:
            nulls = [index for index, item in enumerate(value) if item is None]
            self.reject(
                key,
                f"Its entry {nulls[0]} is null.",
                _NULL_ENTRY,
                " && ".join(f"pulumi config rm --path '{key}[{index}]'" for index in reversed(nulls)),
            )
            return ()
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            self.reject(key, "It is not a list of maps.", why, f"pulumi config rm {key}")
            return ()
        return tuple(value)

    def refuse_unknown_keys(self, keys: tuple[str, ...]) -> None:
        """Reports what is set and neither among `keys` nor a secret that was asked for."""
        prefix = f"{self._config.name}:"
        present = {**pulumi_config.get_config_env(), **pulumi_config.CONFIG.get()}
        for key in sorted(full.removeprefix(prefix) for full in present if full.startswith(prefix)):
            if key in keys or key in self._secrets:
                continue
            near = difflib.get_close_matches(key, keys, n=1)
            why = f"Did you mean '{near[0]}'?" if near else "Pulumi.yaml lists the keys that there are."
            self.reject(key, "There is no such setting.", why, f"pulumi config rm {key}")

    def _structure(self, key: str, example: str, why: str) -> object:
        value = self.peek(key)
        if not value:
            self.reject(key, "It is not set.", why, f"pulumi config set {example}")
            return None
        try:
            return json.loads(value)
        except ValueError:
            return value


def set_command(key: str, value: str) -> str:
    """The command that sets a key."""
    quoted = value if re.fullmatch(r"[\w.:/@-]+", value, re.ASCII) else f'"{value}"'
    return f"pulumi config set {key} {quoted}"
