"""Reads the initial data of a stand-in from a YAML file."""

from pathlib import Path
from typing import Any

import yaml

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml's loader, which is ten times as fast, if PyYAML was built with it; otherwise PyYAML's own."""


def read(file: Path) -> dict[str, Any]:
    """The data in a file."""
    return yaml.load(file.read_text(encoding="utf-8"), _LOADER)  # noqa: S506 -- both are safe
