"""Imports a function app, as the Python worker does."""

import importlib
import logging
import sys
from dataclasses import dataclass
from pathlib import Path

import azure.functions as func

from twin.functions.settings import HostError, HostSettings
from twin.functions.tool import Tool


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionsApp:
    """The settings and the tools of one function app.

    Attributes:
        settings: the settings in its `host.json`.
        tools: the tools, by name in lower case, because the extension compares names case-insensitively.
    """

    settings: HostSettings
    tools: dict[str, Tool]

    @classmethod
    def load(cls, folder: Path) -> "FunctionsApp":
        """Reads `host.json` in a folder, adds the folder to `sys.path` and imports its `function_app.py`.

        Raises:
            HostError: the folder contains no function app, or this host cannot serve its function app.
        """
        settings = HostSettings.read(folder / "host.json")
        if not (folder / "function_app.py").is_file():
            raise HostError(f"{folder}: contains no function_app.py")
        sys.path.insert(0, str(folder.resolve()))
        module = importlib.import_module("function_app")
        apps = [value for value in vars(module).values() if isinstance(value, func.FunctionApp)]
        if len(apps) != 1:
            raise HostError(
                f"{folder / 'function_app.py'}: has {len(apps)} FunctionApp objects; Azure needs exactly one"
            )
        return cls.of(apps[0], settings)

    @classmethod
    def of(cls, app: func.FunctionApp, settings: HostSettings) -> "FunctionsApp":
        """Creates the app from an imported `FunctionApp` object.

        Raises:
            HostError: two tools share a name, or a function is not a tool.
        """
        return cls(settings=settings, tools=_tools(app))


def _tools(app: func.FunctionApp) -> dict[str, Tool]:
    """The tools of an app, in the order of their declaration.

    Raises:
        HostError: two tools share a name, or a function is not a tool.
    """
    root = logging.getLogger()
    level = root.level
    # The library warns that no function has an HTTP trigger. This app needs none.
    root.setLevel(logging.ERROR)
    try:
        functions = app.get_functions()
    finally:
        root.setLevel(level)
    tools: dict[str, Tool] = {}
    for function in functions:
        tool = Tool.of(function)
        if tools.setdefault(tool.definition.name.lower(), tool) is not tool:
            raise HostError(f"two functions declare the tool {tool.definition.name}")
    return tools
