"""Reads a stack's configuration as the Pulumi CLI passes it to the program.

`Pulumi.yaml` declares settings and their defaults, `Pulumi.<stack>.yaml` sets them. The twin, the tests and
the verification run without the Pulumi CLI, so they read both files here.

Source: https://www.pulumi.com/docs/iac/concepts/projects/project-file/ and
https://www.pulumi.com/docs/iac/concepts/config/
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The loader of libyaml, which is ten times as fast, if PyYAML was built with it; otherwise PyYAML's own."""


class ConfigurationError(Exception):
    """A stack file is missing, malformed, or has values that cannot be used; the message has the remedy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """The values of one stack.

    Attributes:
        project: name of the Pulumi project.
        stack: name of the stack.
        values: values by full key (`project:name` or `namespace:name`), in Pulumi's format for programs.
        secret_keys: the keys that are secret.
        encrypted: the keys whose encrypted values were replaced, without the project's namespace.
    """

    project: str
    stack: str
    values: Mapping[str, str]
    secret_keys: frozenset[str]
    encrypted: tuple[str, ...] = ()


def load(
    root: Path,
    stack: str,
    config: Mapping[str, str] | None = None,
    secrets: Mapping[str, str] | None = None,
    *,
    encrypted: str | None = None,
) -> Configuration:
    """Merges the defaults in `Pulumi.yaml`, `Pulumi.<stack>.yaml`, `config` and `secrets`.

    Later values take precedence.

    Args:
        root: folder of `Pulumi.yaml`.
        stack: name of the stack.
        config: additional values; a key without a namespace belongs to the project.
        secrets: additional values that are secrets for the program.
        encrypted: replaces the encrypted values in the stack's file; None if they are errors.

    Raises:
        ConfigurationError: a file is missing or malformed, or an encrypted value is not in `config` or
            `secrets`.
    """
    project_file = _read(root / "Pulumi.yaml")
    project = project_file.get("name")
    if not isinstance(project, str):
        raise ConfigurationError(f"{root / 'Pulumi.yaml'} has no project name: add a line `name: ...`.")
    plain = {_full_key(project, key): value for key, value in (config or {}).items()}
    secret = {_full_key(project, key): value for key, value in (secrets or {}).items()}

    values: dict[str, str] = {}
    replaced: dict[str, str] = {}
    names: list[str] = []
    for key, declared in (project_file.get("config") or {}).items():
        default = _default(declared)
        if default is not None:
            values[_full_key(project, key)] = _text(default)
    stack_path = root / f"Pulumi.{stack}.yaml"
    for key, value in (_read(stack_path).get("config") or {}).items():
        full = _full_key(project, key)
        if isinstance(value, dict) and set(value) == {"secure"}:
            if full in plain or full in secret:
                continue
            name = full.removeprefix(f"{project}:")
            if encrypted is not None:
                replaced[full] = encrypted
                names.append(name)
            else:
                raise ConfigurationError(
                    f"{stack_path.name} has {name} encrypted, and only the Pulumi CLI can decrypt it. "
                    f"Pass it to the twin through the environment: --secret {name}"
                )
        else:
            values[full] = _text(value)
    secret = {**replaced, **secret}
    return Configuration(
        project=project,
        stack=stack,
        values={**values, **plain, **secret},
        secret_keys=frozenset(secret),
        encrypted=tuple(names),
    )


def _read(path: Path) -> dict[str, Any]:
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), _LOADER) or {}  # noqa: S506 -- both are safe
    except FileNotFoundError:
        known = sorted(
            file.name.removeprefix("Pulumi.").removesuffix(".yaml")
            for file in path.parent.glob("Pulumi.*.yaml")
        )
        hint = f" Stacks that exist: {', '.join(known)}." if known else ""
        raise ConfigurationError(f"There is no {path.name} in {path.parent}.{hint}") from None
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{path.name} is not YAML: {error}") from None
    if not isinstance(content, dict):
        raise ConfigurationError(f"{path.name} must be a YAML mapping.")
    return content


def _full_key(project: str, key: str) -> str:
    return key if ":" in key else f"{project}:{key}"


def _default(declared: object) -> object:
    """The default in an entry of `Pulumi.yaml`. For namespaces other than the project's, it is `value`."""
    if not isinstance(declared, dict):
        return declared
    return declared.get("default", declared.get("value"))


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value)
