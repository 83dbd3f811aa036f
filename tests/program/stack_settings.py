"""Settings of test stacks, and the effect of `pulumi config` commands on them."""

import itertools
import json
import re
import shlex
from collections.abc import Iterable, Mapping

import pytest
from pulumi.runtime import set_all_config
from pulumi.runtime.settings import reset_options

import settings
from configuration import page, stack_file
from configuration.declared import SETTINGS
from configuration.unpinned import unpinned
from settings import Settings, SettingsError
from tests.stacks import FUNCTIONS_ONLY
from twin.stack import PROJECT

NAME = "remote-mcp-gateway"
COMMITTED = dict(stack_file.load(PROJECT, "dev").values)
DEV = {**COMMITTED, f"{NAME}:backends": FUNCTIONS_ONLY["backends"]}


DIGEST = f"sha256:{'1' * 64}"
"""The digest that `pin` writes for every image."""

SECRETS = {
    "slackBotToken": "xoxb-123456789012-abcdefghijkl",
    "jiraApiToken": "ATATT3xFfGF0-abcdefgh",
    "notesToken": "s3cret-s3cret",
    "githubToken": "github_pat_made_up",
}
"""The input to the prompt of `pulumi config set --secret KEY`."""


def load(values: Mapping[str, str], secrets: Iterable[str] = ()) -> Settings:
    reset_options(project=NAME, stack="dev")
    set_all_config(dict(values), [f"{NAME}:{key}" for key in secrets])
    try:
        return settings.load()
    finally:
        set_all_config({}, [])
        reset_options()


def changed(**values: str | None) -> dict[str, str]:
    """The dev stack's values with some replaced; None removes one."""
    merged = {**DEV, **{f"{NAME}:{key}": value for key, value in values.items()}}
    return {key: value for key, value in merged.items() if value is not None}


def refused(values: Mapping[str, str], secrets: Iterable[str] = ()) -> SettingsError:
    """The error with which these values are refused."""
    with pytest.raises(SettingsError) as caught:
        load(values, secrets)
    return caught.value


DEFAULTS = {setting.key: page.default_of(setting) for setting in SETTINGS}


def run(command: str, values: dict[str, str], secrets: set[str]) -> None:
    """Applies a `pulumi config` command to the values."""
    words = shlex.split(command)
    assert words[:2] == ["pulumi", "config"]
    verb, *rest = words[2:]
    target, *value = [word for word in rest if not word.startswith("--")]
    if "--path" not in rest:
        key = target if ":" in target else f"{NAME}:{target}"
        if "--secret" in rest:
            assert value == [], "a secret on the command line ends up in the shell's history"
            secrets.add(target)
            values[key] = SECRETS.get(target, "made-up-by-the-test")
        elif verb == "set":
            values[key] = value[0]
        else:
            del values[key]
            # The CLI then passes the default of Pulumi.yaml to the program.
            if (default := DEFAULTS.get(target)) is not None:
                values[key] = json.dumps(default) if isinstance(default, list) else str(default)
        return
    name, *steps = [
        int(place) if place else quoted or plain
        for place, quoted, plain in re.findall(r'\[(\d+)\]|\["(.+?)"\]|\.?([\w-]+)', target)
    ]
    key = f"{NAME}:{name}"
    root = json.loads(values.get(key) or ("[]" if isinstance(steps[0], int) else "{}"))
    node = root
    for step, following in itertools.pairwise(steps):
        if isinstance(node, dict):
            node = node.setdefault(step, [] if isinstance(following, int) else {})
        else:
            node = node[step]
    if verb == "rm":
        del node[steps[-1]]
    elif isinstance(node, list) and steps[-1] >= len(node):
        # The CLI also fills the list with nulls up to a later index.
        node.extend([None] * (steps[-1] - len(node)))
        node.append(value[0])
    else:
        node[steps[-1]] = value[0]
    values[key] = json.dumps(root)


def pin(values: dict[str, str], secrets: set[str], defaults: Mapping[str, str] | None = None) -> None:
    """Applies `make pin` to the values; `defaults` are those of Pulumi.yaml."""
    tagged = load({**(defaults or {}), **values, f"{NAME}:requireDigests": "false"}, secrets)
    for image in unpinned(tagged.presets, tagged.containers):
        run(shlex.join(image.command(DIGEST)), values, secrets)


def entry(**values: object) -> str:
    """The setting `containers` with one complete entry, with these keys changed; None removes a key."""
    merged = {"name": "notes", "image": "ghcr.io/example/notes:1.0.0", "port": 8080, **values}
    return json.dumps([{key: value for key, value in merged.items() if value is not None}])


def agent(**values: object) -> str:
    """The setting `agents` with one complete entry, with these keys changed."""
    complete = {"name": "demo", "principal": "aaaaaaaa-0000-4000-8000-000000000001", "roles": ["functions"]}
    return json.dumps([complete | values])


ADMITS_AGENTS = {"access": '{"functions": "users agents"}'}
ALL_BACKENDS = '["functions", "slack", "jira", "github"]'
JIRA = {"jiraUrl": "https://example.atlassian.net", "jiraUsername": "a@b.example"}
SSE = {"transport": "sse", "sessionParameter": "sessionId"}
SEPARATE = {"transport": "separate", "sessionParameter": "sessionId"}
