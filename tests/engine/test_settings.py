"""The effect of a changed setting on a deployed stack: the preview, the updates and the replacements.

The settings are changed one after the other; a change is not undone before the next one. They are divided
into three series, which can run at the same time. Each series has a separate stack, which is first deployed
with all changes of earlier series. The table of each series is a snapshot; update the tables with
`make test-engine ARGS="-k changed_setting --snapshot-update"`, and review the difference.
"""

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from syrupy.assertion import SnapshotAssertion
from syrupy.extensions.single_file import SingleFileSnapshotExtension, WriteMode

from configuration import address, existing, network, scale
from configuration.declared import SETTINGS
from configuration.presets import PRESETS
from configuration.setting import Boolean, Choice, Integer, Secret, Setting, Text, TextList, TextMap
from settings import KEYS
from tests.engine import invariants
from tests.engine.conftest import Deploy
from tests.engine.deployment import Deployment, Run, Step
from tests.engine.stacks import CANARIES, DEV, NOTES
from tests.engine.timeline import Timeline
from tests.program.stack_settings import COMMITTED, NAME

CHANGES = {
    "publisherEmail": "gateway@example.com",
    "publisherName": "Another Platform Team",
    "publisherLogo": "docs/logo.svg",
    "capacity": "2",
    "sku": "StandardV2",
    "tags": json.dumps({"environment": "dev", "costCenter": "4711"}),
    "audience": "gateway",
    "requireResource": "true",
    "slackBotToken": "xoxb-111111111111-anotherCanary",
    "slackDigest": f"sha256:{'5' * 64}",
    "jiraUrl": "https://other.atlassian.net",
    "jiraUsername": "other@example.com",
    "jiraApiToken": "another-canary-jira-api-token",
    "jiraDigest": f"sha256:{'6' * 64}",
    "access": json.dumps({"functions": "users"}),
    "allowedOrigins": json.dumps(["https://tools.example.com"]),
    "accessTokenMinutes": "5",
    "grantDays": "7",
    "refreshGraceSeconds": "60",
    "consentDays": "7",
    "registrationDays": "14",
    "clientDomains": json.dumps(["claude.ai"]),
    "appSchemes": json.dumps(["cursor"]),
    "registerPerMinute": "20",
    "stackRegistersPerMinute": "200",
    "authorizePerMinute": "30",
    "tokenPerMinute": "90",
    "callsPerMinute": "1000",
    "callLimits": json.dumps({"slack": "120"}),
    "badTokensPerMinute": "300",
    "openRequests": "50",
    "keyVersion": "2",
    "containers": json.dumps([NOTES]),
    "isolateEnvironments": "true",
    "backends": json.dumps(["functions", "slack", "github"]),
    "protect": "false",
    "several": "",
    "azure-native:location": "northeurope",
}
"""A new value for each setting, in the order of the changes. The last change replaces all resources."""

LOCATION = "azure-native:location"

_FROM_THE_BEGINNING = "belongs to the first deployment; test_variants.py deploys stacks with it"
_NOT_DEPLOYED = "belongs to a server that this stack does not have"
_SIZE = "one property of one resource; tests/program/test_scale.py checks it"

_OWN_VALUES = {
    "agents": json.dumps(
        [{"name": "demo", "principal": "aaaaaaaa-0000-4000-8000-000000000001", "roles": ["SnippetKeeper"]}]
    ),
    "costAnomalyAlert": "true",
    "foundryModel": "gpt-5",
    "githubUrl": "https://github.example.com/mcp/",
    "roleMembers": json.dumps({"SnippetKeeper": ["ada00000-0000-4000-8000-000000001815"]}),
    "tools": json.dumps({"functions": {"delete_snippet": {"role": "SnippetKeeper"}}}),
}
"""Values for the step `several`, for settings whose example cannot be used."""

NOT_CHANGED = {
    "apiCenter": "writes to an API Center of another team, which the double of Azure does not have; "
    "tests/program/test_agents.py checks its entries",
    "foundryProject": "writes to a Foundry project of another team, which the double of Azure does not "
    "have; tests/program/test_agents.py checks its connection",
    "toolLock": "changes one policy, when tools.lock.json has every server",
    "requireDigests": "refuses images without a digest and declares nothing",
    "subscriptionKeyVersion": "this stack admits no subscription keys, so it changes nothing",
    "githubSignIn": "changes the connection of foundryProject",
    "githubToken": "is stored in the connection of foundryProject, so it changes nothing without one",
    **dict.fromkeys(
        (
            setting.key
            for name, preset in PRESETS.items()
            if name not in json.loads(COMMITTED[f"{NAME}:backends"])
            for setting in preset.settings
        ),
        _NOT_DEPLOYED,
    ),
    **dict.fromkeys((setting.key for setting in existing.SETTINGS), _FROM_THE_BEGINNING),
    **dict.fromkeys((setting.key for setting in address.SETTINGS), _FROM_THE_BEGINNING),
    **dict.fromkeys((setting.key for setting in network.SETTINGS), _FROM_THE_BEGINNING),
    **dict.fromkeys((setting.key for setting in scale.SETTINGS), _SIZE),
    "entraAuthority": "another authority is for a stack in the twin",
    "local": "for a stack in the twin",
    "localUrl": "for a stack in the twin",
}


def _example(setting: Setting) -> str:
    """The example of a setting as the value of a stack; an error if it is only a part of a value."""
    match setting:
        case Text() | Choice() | Integer() | Boolean():
            return setting.example
        case TextList():
            return json.dumps([setting.example])
        case TextMap():
            name, _, value = setting.example.partition(" ")
            return json.dumps({name: value})
        case _:
            raise LookupError(
                f"'{setting.key}' needs a value in _OWN_VALUES or CHANGES, or a reason in NOT_CHANGED, in "
                "tests/engine/test_settings.py"
            )


NOT_CHANGED |= {
    setting.key: "test_secrets.py deploys a stack with it"
    for setting in SETTINGS
    if isinstance(setting, Secret) and setting.key not in {*CHANGES, *NOT_CHANGED}
}
SEVERAL = _OWN_VALUES | {
    setting.key: _example(setting)
    for setting in SETTINGS
    if setting.key not in {*CHANGES, *_OWN_VALUES, *NOT_CHANGED}
}
"""All other settings, which one step changes together. Each affects one property or one resource."""

# Resources with data or an address: replacing them loses registrations, grants and snippets, or changes the
# gateway's address.
LASTING = ("ApiManagementService", "Application", "DatabaseAccount", "RandomBytes", "StorageAccount")


class Page(SingleFileSnapshotExtension):
    """A text file."""

    _write_mode = WriteMode.TEXT
    file_extension = "txt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A setting that was changed.

    Attributes:
        preview: the preview of the deployment.
        done: the deployment.
    """

    preview: Run
    done: Run


def _configure(stack: Deployment, setting: str) -> None:
    """Sets the new value of a setting."""
    value = CHANGES[setting]
    secret = setting in CANARIES
    plain = {setting: value} if setting != "several" else SEVERAL
    stack.configure({} if secret else plain, {setting: value} if secret else {})
    if setting == "containers":
        stack.configure({}, {"notesToken": CANARIES["notesToken"]})


def _change(stack: Deployment, setting: str) -> Change:
    """Sets the new value of a setting, and deploys it."""
    _configure(stack, setting)
    return Change(preview=stack.preview(), done=stack.up())


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Gives each series its own settings."""
    if metafunc.cls is not None and "setting" in metafunc.fixturenames:
        metafunc.parametrize("setting", metafunc.cls.SETTINGS)


class Series:
    """Settings that are changed one after the other; pytest-xdist gives each class to a worker.

    Attributes:
        SETTINGS: the settings.
    """

    SETTINGS: tuple[str, ...]

    @pytest.fixture(scope="class")
    @classmethod
    def stack(cls, new_stack: Deploy) -> Deployment:
        """The dev stack, deployed with the settings that earlier series change."""
        stack = new_stack(DEV)
        for setting in itertools.takewhile(lambda key: key != cls.SETTINGS[0], CHANGES):
            _configure(stack, setting)
        first = stack.up()
        assert not first.failed, first.output
        return stack

    @pytest.fixture(scope="class")
    @classmethod
    def changes(cls, stack: Deployment) -> dict[str, Change]:
        """All changes of the series, one after the other."""
        return {setting: _change(stack, setting) for setting in cls.SETTINGS}

    def test_a_changed_setting_is_deployed(self, setting: str, changes: dict[str, Change]) -> None:
        assert not changes[setting].preview.failed, changes[setting].preview.output
        assert not changes[setting].done.failed, changes[setting].done.output

    def test_the_invariants_hold_while_settings_change(
        self, stack: Deployment, changes: dict[str, Change]
    ) -> None:
        assert changes
        violations = invariants.violations(Timeline(stack.azure.record.calls()))
        assert not violations, "\n".join(violations)

    def test_only_another_region_replaces_resources_with_state(
        self, setting: str, changes: dict[str, Change]
    ) -> None:
        replaced = {
            step.name
            for step in changes[setting].done.steps
            if step.op in ("replace", "create-replacement", "delete-replaced", "delete")
            and step.type.endswith(LASTING)
        }
        if setting == LOCATION:
            assert replaced
            return
        # When a server is removed, its application in Entra is deleted.
        assert replaced == ({"jira-audience-application"} if setting == "backends" else set())

    def test_a_preview_shows_all_changes_of_the_deployment(
        self, setting: str, changes: dict[str, Change]
    ) -> None:
        change = changes[setting]
        previewed = {(step.urn, step.op) for step in change.preview.changes}
        unexpected = [
            f"{step.op} {step.name}" for step in change.done.changes if (step.urn, step.op) not in previewed
        ]
        assert unexpected == []

    def test_what_a_changed_setting_does(
        self, changes: dict[str, Change], snapshot: SnapshotAssertion
    ) -> None:
        table = "\n".join(line for setting, change in changes.items() for line in _lines(setting, change))
        assert f"{table}\n" == snapshot.use_extension(Page)


_KEYS = tuple(CHANGES)


class TestFirstSettings(Series):
    SETTINGS = _KEYS[:12]

    @pytest.fixture(scope="class")
    @classmethod
    def region_change(cls, stack: Deployment) -> Change:
        """A change of the region of a protected stack, after which the setting is changed back."""
        stack.configure({LOCATION: CHANGES[LOCATION]})
        change = Change(preview=stack.preview(), done=stack.up())
        stack.configure({LOCATION: "westeurope"})
        return change

    @pytest.fixture(scope="class")
    @classmethod
    def changes(cls, stack: Deployment, region_change: Change) -> dict[str, Change]:
        """All changes of the series, after the stack refused another region."""
        assert region_change.done.failed
        return {setting: _change(stack, setting) for setting in cls.SETTINGS}

    def test_a_protected_stack_refuses_another_region(self, region_change: Change) -> None:
        for run in (region_change.preview, region_change.done):
            assert run.failed
            assert "protect" in run.output
        assert [call for call in region_change.done.calls if call.changed_azure] == []


class TestNextSettings(Series):
    SETTINGS = _KEYS[12:26]


class TestLastSettings(Series):
    SETTINGS = _KEYS[26:]


def test_every_setting_is_changed_or_listed_as_not_changed() -> None:
    changed = {key for key in CHANGES if ":" not in key} - {"several"} | SEVERAL.keys()
    assert changed | NOT_CHANGED.keys() == set(KEYS)
    series = (TestFirstSettings, TestNextSettings, TestLastSettings)
    assert [key for module in series for key in module.SETTINGS] == list(CHANGES)


def _lines(setting: str, change: Change) -> Iterator[str]:
    """The resources that a setting changes, and the changes that only the preview shows."""
    yield setting
    previewed, done = _relevant(change.preview), _relevant(change.done)
    for verb in ("create", "update", "replace", "delete"):
        if touched := [step for step in done if step.op == verb]:
            yield f"    {verb}: " + ", ".join(_summary(touched))
    happened = {(step.urn, step.op) for step in done}
    for verb in ("update", "replace"):
        if only := [step for step in previewed if step.op == verb and (step.urn, verb) not in happened]:
            yield f"    {verb} only in the preview: " + ", ".join(_summary(only))
    if not previewed and not done:
        yield "    nothing"


def _relevant(run: Run) -> list[Step]:
    return [
        step
        for step in run.changes
        if not step.type.startswith(("mcp:", "pulumi:"))
        and step.op not in ("create-replacement", "delete-replaced")
    ]


def _summary(steps: list[Step]) -> Iterator[str]:
    """The resources of each type: their names, or their number if there are more than four."""
    by_type: dict[str, list[str]] = {}
    for step in steps:
        by_type.setdefault(step.type.rpartition(":")[2], []).append(step.name)
    for type_, names in sorted(by_type.items()):
        yield f"{len(names)} {type_}" if len(names) > 4 else f"{type_} {' and '.join(sorted(names))}"
