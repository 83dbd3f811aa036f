"""The kinds of settings. A setting has a key, a purpose and valid values, and reads its value.

A setting is declared once, in `configuration.declared`. The declaration determines how its value is read and
checked, the command in each message, its entry in `Pulumi.yaml` and its section in docs/settings.md.
"""

import difflib
import json
import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar

from configuration.reader import Reader

NOT_SET = "Required, but not set."
_NO_DEFAULT = "Not set, and Pulumi.yaml does not have its default."
_WRITE_DEFAULTS = ".venv/bin/python -m configuration.page"

# If `Pulumi.yaml` declares the type of the list, the Pulumi CLI rejects such a list before the program runs.
_NULL_ENTRY = (
    "If a command sets a later index of a list that is not in the stack's file, Pulumi fills the list with "
    "nulls; the default in Pulumi.yaml is not copied. Set every index, beginning with 0."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One setting of a stack.

    Attributes:
        key: key in the stack's file.
        description: purpose and consequences of the setting.
        limits: the valid values, if the type does not determine them.
        example: a valid value.
        set_by_twin: True if only the local twin sets it.
    """

    pulumi_type: ClassVar[str | None] = None
    """The type in `Pulumi.yaml`; None for maps and secrets, which cannot be declared there."""

    key: str
    description: str
    limits: str = ""
    example: str
    set_by_twin: bool = False

    @property
    def reason(self) -> str:
        """The explanation in a message about a wrong value."""
        return f"{self.description} {self.accepts}".strip()

    @property
    def accepts(self) -> str:
        """The valid values, as a sentence."""
        return self.limits

    @property
    def command(self) -> str:
        """The command that sets the example."""
        return self.command_for(self.example)

    def command_for(self, value: str) -> str:
        """The command that sets a value."""
        return f"pulumi config set {self.key} {shlex.quote(value)}"

    def reject(self, reader: Reader, wrong: str, remedy: str | None = None) -> None:
        """Reports a wrong value; the default remedy is the command that sets the example."""
        reader.reject(self.key, wrong, self.reason, remedy or self.command)

    def reject_empty(self, reader: Reader, remedy: str | None = None) -> None:
        """Reports that a setting with a default is empty or missing.

        Pulumi passes the defaults in `Pulumi.yaml` to the program. A missing value therefore means that
        `Pulumi.yaml` is not up to date.
        """
        if reader.has(self.key):
            self.reject(reader, NOT_SET, remedy)
        else:
            self.reject(reader, _NO_DEFAULT, _WRITE_DEFAULTS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Text(Setting):
    """A string.

    Attributes:
        default: None when the setting is required.
        problem: returns the problem of a value, as a sentence, or None.
    """

    pulumi_type: ClassVar[str | None] = "string"

    default: str | None = None
    problem: Callable[[str], str | None] = lambda _value: None

    def read(self, reader: Reader) -> str:
        """The value; empty if it is not set. A missing required value is reported."""
        value = reader.peek(self.key)
        if not value:
            if self.default is None:
                self.reject(reader, NOT_SET)
            elif self.default:
                self.reject_empty(reader)
        elif wrong := self.problem(value):
            self.reject(reader, wrong)
        return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice(Setting):
    """One of several strings.

    Attributes:
        choices: the valid strings.
        default: the string that is used if the stack does not set it.
    """

    pulumi_type: ClassVar[str | None] = "string"

    choices: tuple[str, ...]
    default: str

    @property
    def accepts(self) -> str:
        """The valid values, as a sentence."""
        return f"One of {', '.join(f'`{choice}`' for choice in self.choices)}. {self.limits}".strip()

    def read(self, reader: Reader) -> str:
        """The value; an invalid value is reported and replaced by the most similar choice."""
        value = reader.peek(self.key)
        if value in self.choices:
            return value
        if not value:
            self.reject_empty(reader)
            return self.default
        near = next((choice for choice in self.choices if choice.lower() == value.lower()), None)
        near = near or next(iter(difflib.get_close_matches(value, self.choices, n=1)), self.choices[0])
        wrong = f"'{value}' is not one of {', '.join(self.choices)}."
        self.reject(reader, wrong, self.command_for(near))
        return near


@dataclass(frozen=True, slots=True, kw_only=True)
class Integer(Setting):
    """A whole number within limits.

    Attributes:
        minimum: the smallest number.
        maximum: the largest number.
        default: used when the stack does not set it.
    """

    pulumi_type: ClassVar[str | None] = "integer"

    minimum: int
    maximum: int
    default: int

    @property
    def accepts(self) -> str:
        """The valid values, as a sentence."""
        return f"A whole number from {self.minimum} to {self.maximum}. {self.limits}".strip()

    def read(self, reader: Reader, maximum: int | None = None) -> int:
        """Reads and checks the value.

        Args:
            reader: collects the problems.
            maximum: a smaller limit that depends on another setting.
        """
        maximum = self.maximum if maximum is None else maximum
        value = reader.peek(self.key)
        if not re.fullmatch(r"-?[0-9]{1,9}", value, re.ASCII):
            remedy = self.command_for(str(min(self.default, maximum)))
            if value:
                self.reject(reader, f"'{value}' is not a whole number.", remedy)
            else:
                self.reject_empty(reader, remedy)
            return self.minimum
        number = int(value)
        if not self.minimum <= number <= maximum:
            nearest = min(max(number, self.minimum), maximum)
            allowed = str(maximum) if self.minimum == maximum else f"{self.minimum} to {maximum}"
            self.reject(reader, f"Must be {allowed}, not {number}.", self.command_for(str(nearest)))
        return number


@dataclass(frozen=True, slots=True, kw_only=True)
class Boolean(Setting):
    """True or false.

    Attributes:
        default: used when the stack does not set it.
    """

    pulumi_type: ClassVar[str | None] = "boolean"

    default: bool

    def read(self, reader: Reader) -> bool:
        """Reads and checks the value; reports problems to the reader."""
        value = reader.peek(self.key)
        if value.lower() not in ("true", "false"):
            remedy = self.command_for(str(self.default).lower())
            if value:
                self.reject(reader, f"'{value}' is neither true nor false.", remedy)
            else:
                self.reject_empty(reader, remedy)
        return value.lower() == "true"


@dataclass(frozen=True, slots=True, kw_only=True)
class TextList(Setting):
    """A list of different strings.

    Attributes:
        default: used if the stack does not set it.
    """

    pulumi_type: ClassVar[str | None] = "array"

    default: tuple[str, ...]

    @property
    def command(self) -> str:
        """The command that sets the example as the only entry."""
        return self.command_for_entry(0, self.example)

    def command_for_entry(self, index: int, value: str) -> str:
        """The command that sets one entry."""
        return f"pulumi config set --path '{self.key}[{index}]' {shlex.quote(value)}"

    def command_without_entry(self, index: int) -> str:
        """The command that removes one entry."""
        return f"pulumi config rm --path '{self.key}[{index}]'"

    def read(self, reader: Reader) -> tuple[str, ...]:
        """Reads and checks the entries; reports problems to the reader."""
        value = reader.structure(self.key)
        if value is None:
            self.reject_empty(reader)
            return ()
        if isinstance(value, list) and None in value:
            value = self._reject_nulls(reader, value)
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            remedy = f"pulumi config rm {self.key} && {self.command}"
            self.reject(reader, "Must be a list of strings.", remedy)
            return ()
        items = tuple(str(item).strip() for item in value)
        for item in sorted({item for item in items if items.count(item) > 1}):
            self.reject(reader, f"'{item}' is listed twice.", self.command_without_entry(items.index(item)))
        return items

    def _reject_nulls(self, reader: Reader, value: list[object]) -> list[object]:
        """Reports null entries, with the commands that set every index; returns the list without them."""
        items = [item for item in value if item is not None]
        if value[0] is None and self.default and self.default[0] not in items:
            items.insert(0, self.default[0])
        commands = [self.command_for_entry(index, str(item)) for index, item in enumerate(items)]
        reader.reject(
            self.key,
            f"Entry {value.index(None)} is null.",
            _NULL_ENTRY,
            " && ".join([f"pulumi config rm {self.key}", *commands]),
        )
        return items


@dataclass(frozen=True, slots=True, kw_only=True)
class TextMap(Setting):
    """A map from names to strings; empty if it is not set. The example is a name and a value."""

    @property
    def command(self) -> str:
        """The command that sets the example."""
        name, _, value = self.example.partition(" ")
        return f"pulumi config set --path {self.key}.{name} {shlex.quote(value)}"

    def command_without(self, name: str) -> str:
        """The command that removes an entry."""
        return f"pulumi config rm --path '{self.key}[\"{name}\"]'"

    def read(self, reader: Reader) -> Mapping[str, str]:
        """Reads and checks the entries; reports problems to the reader."""
        value = reader.structure(self.key)
        if value is None:
            return {}
        if not isinstance(value, dict):
            remedy = f"pulumi config rm {self.key} && {self.command}"
            self.reject(reader, "Must be a map of names to strings.", remedy)
            return {}
        # Pulumi converts strings that look like numbers or booleans; a tag is a string.
        return {name: item if isinstance(item, str) else json.dumps(item) for name, item in value.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class MapMap(Setting):
    """A map from names to maps; empty if it is not set. The example is a path below the key and a value."""

    @property
    def command(self) -> str:
        """The command that sets the example."""
        path, _, value = self.example.partition(" ")
        return f"pulumi config set --path {self.key}.{path} {shlex.quote(value)}"

    def read(self, reader: Reader) -> Mapping[str, Mapping[str, object]]:
        """Reads and checks the entries; reports problems to the reader."""
        value = reader.structure(self.key)
        if value is None:
            return {}
        if not isinstance(value, dict) or not all(isinstance(item, dict) for item in value.values()):
            remedy = f"pulumi config rm {self.key} && {self.command}"
            self.reject(reader, "Must be a map of names to maps.", remedy)
            return {}
        return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Secret(Setting):
    """A string that is encrypted in the stack's file."""

    @property
    def command(self) -> str:
        """The command that prompts for the value, so that it is not in the shell's history."""
        return f"pulumi config set --secret {self.key}"

    def read(self, reader: Reader) -> str:
        """The value; empty if it is not set."""
        return reader.secret(self.key)


@dataclass(frozen=True, slots=True, kw_only=True)
class MapList(Setting):
    """A list of maps; empty if it is not set. The example is a key of the first entry, and its value.

    Attributes:
        guide: the page of the documentation that shows complete entries.
    """

    guide: str

    @property
    def command(self) -> str:
        """The command that sets a key of the first entry."""
        name, _, value = self.example.partition(" ")
        return f"pulumi config set --path '{self.key}[0].{name}' {shlex.quote(value)}"

    def read(self, reader: Reader) -> tuple[Mapping[str, object], ...]:
        """Reads and checks the entries; reports problems to the reader."""
        value = reader.structure(self.key)
        if value is None:
            return ()
        if isinstance(value, list) and None in value:
            nulls = [index for index, item in enumerate(value) if item is None]
            remedy = " && ".join(
                f"pulumi config rm --path '{self.key}[{index}]'" for index in reversed(nulls)
            )
            reader.reject(self.key, f"Entry {nulls[0]} is null.", _NULL_ENTRY, remedy)
            return ()
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            self.reject(reader, "Must be a list of maps.", f"pulumi config rm {self.key}")
            return ()
        return tuple(value)
