"""The declared settings, their page, and their examples."""

import json
import re
from dataclasses import fields

import pytest
import yaml

import settings
from backends.registry import DESCRIPTIONS, HOSTED
from configuration import declared, page
from configuration.address import CERTIFICATE, HOSTNAME
from configuration.declared import ALERT_EMAILS, SETTINGS
from configuration.entry import ENTRY_KEYS
from configuration.foundry import FOUNDRY_PROJECT
from configuration.presets import PRESETS
from configuration.setting import Boolean, Secret, Setting
from tests.engine.stacks import CANARIES
from tests.existing import EXISTING
from tests.program.stack_settings import (
    ADMITS_AGENTS,
    ALL_BACKENDS,
    COMMITTED,
    DEV,
    JIRA,
    NAME,
    SECRETS,
    SEPARATE,
    SSE,
    agent,
    changed,
    entry,
    load,
    refused,
    run,
)
from twin.gateway_plan import LOCAL
from twin.stack import PROJECT


def test_the_dev_stack_runs_locally_as_committed_and_needs_credentials_in_azure() -> None:
    local = {f"{NAME}:{key}": value for key, value in LOCAL.items()}
    assert load({**COMMITTED, **local}).backends == ("functions", "slack", "jira", "github")
    message = str(refused(COMMITTED))
    assert all(key in message for key in ("slackBotToken", "jiraUrl", "jiraUsername", "jiraApiToken"))


def test_the_dev_stack_is_complete_as_committed() -> None:
    stack = load(DEV)

    assert (stack.location, stack.sku, stack.capacity) == ("westeurope", "BasicV2", 1)
    assert stack.backends == ("functions",)
    assert (stack.audience, stack.require_resource, stack.local) == ("backend", False, False)
    assert stack.lifetimes.access_token == 600
    assert stack.lifetimes.code == 60
    assert stack.lifetimes.transaction == 600
    assert stack.entra_authority == "https://login.microsoftonline.com"
    assert stack.tags == {"environment": "dev"}


def test_the_project_file_contains_the_declared_settings() -> None:
    written = page.PROJECT_FILE.read_text()
    assert page.project_file(written) == written, "run `.venv/bin/python -m configuration.page`"

    in_file = yaml.safe_load(written)["config"]
    for setting in SETTINGS:
        if setting.pulumi_type is None or ":" in setting.key:
            # Maps cannot be declared in Pulumi.yaml, and a declared secret would be required in every stack.
            assert setting.key not in in_file
            continue
        entry = in_file.pop(setting.key)
        assert entry["type"] == setting.pulumi_type
        assert entry["description"] == setting.reason
        default = page.default_of(setting)
        assert entry.get("default") == (default == "true" if isinstance(setting, Boolean) else default)
    assert in_file == {}


def test_the_page_of_settings_is_current() -> None:
    assert page.PAGE.read_text() == page.page(), "run `.venv/bin/python -m configuration.page`"


def test_a_declared_setting_without_a_group_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    assert declared.ungrouped() == []
    forgotten = Boolean(key="forgotten", description="It is forgotten.", default=False, example="true")
    monkeypatch.setattr(declared, "FORGOTTEN", forgotten, raising=False)
    with pytest.raises(
        SystemExit, match=r"^error: FORGOTTEN: in no group; add it to GROUPS in configuration/"
    ):
        page.main()


@pytest.mark.parametrize("key", ["sku", "capacity", "protect", "backends", "entraAuthority"])
def test_a_default_that_is_missing_in_the_project_file_is_reported_with_the_command_that_writes_it(
    key: str,
) -> None:
    (problem,) = refused(changed(**{key: None})).problems
    assert problem.wrong == "Not set, and Pulumi.yaml does not have its default."
    assert problem.remedy == ".venv/bin/python -m configuration.page"


def test_every_field_of_the_settings_is_used_by_the_program() -> None:
    files = [
        PROJECT / "__main__.py",
        *(file for folder in ("gateway", "backends") for file in (PROJECT / folder).rglob("*.py")),
        *(PROJECT / "policies").rglob("*.j2"),
    ]
    program = "\n".join(file.read_text() for file in files)
    own = (PROJECT / "settings.py").read_text()
    unused = [
        field.name
        for record in (settings.Settings, settings.Lifetimes, settings.RateLimits)
        for field in fields(record)
        if not re.search(rf"\.{field.name}\b", program) and f"self.{field.name}" not in own
    ]
    assert unused == [], "use the value in gateway/, backends/ or policies/, or remove the setting"


def test_every_secret_setting_of_the_dev_stack_has_a_canary() -> None:
    """tests/engine/test_secrets.py deploys a stack with the secrets of `CANARIES` and searches for them."""
    disabled = {
        setting.key
        for name, preset in PRESETS.items()
        if name not in json.loads(COMMITTED[f"{NAME}:backends"])
        for setting in preset.settings
    }
    secrets = {setting.key for setting in SETTINGS if isinstance(setting, Secret)} - disabled
    assert secrets, "there is no secret"
    assert not secrets - CANARIES.keys(), "add them to CANARIES in tests/engine/stacks.py"


def test_settings_have_unique_keys_and_descriptions_in_sentences() -> None:
    assert len({setting.key for setting in SETTINGS}) == len(SETTINGS)
    for setting in (*SETTINGS, *ENTRY_KEYS.values()):
        assert re.fullmatch(r"[A-Z].*\.", setting.description), setting
        assert not setting.limits or setting.limits.endswith("."), setting


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.key)
def test_the_example_of_a_setting_is_accepted(setting: Setting) -> None:
    local = LOCAL if setting.key == "localUrl" else {}
    stack, secrets = changed(backends=ALL_BACKENDS, **JIRA, **SECRETS, **local), set(SECRETS)
    if setting.key in ("existingApiManagement", "existingIdentity", "pathPrefix"):
        # These settings require each other.
        stack |= {f"{NAME}:{key}": EXISTING[key] for key in ("existingApiManagement", "existingIdentity")}
    if setting.key in ("zones", "regions"):
        stack[f"{NAME}:sku"] = "Premium"
    if setting.key in ("gatewayHostname", "gatewayCertificate"):
        stack |= {
            f"{NAME}:gatewayHostname": HOSTNAME.example,
            f"{NAME}:gatewayCertificate": CERTIFICATE.example,
        }
    if setting.key == "monthlyBudget":
        stack[f"{NAME}:alertEmails"] = json.dumps([ALERT_EMAILS.example])
    if setting.key == "backends":
        del stack[f"{NAME}:backends"]
    if setting.key == "containers":
        stack[f"{NAME}:containers"] = entry(secrets={"NOTES_TOKEN": "notesToken"})
    else:
        del stack[f"{NAME}:notesToken"]
    del stack[f"{NAME}:githubToken"]
    if setting.key in ("githubToken", "githubSignIn"):
        stack[f"{NAME}:foundryProject"] = FOUNDRY_PROJECT.example
    if setting.key == "agents":
        stack |= changed(**ADMITS_AGENTS, agents=agent())
    if setting.key == "roleMembers":
        stack |= changed(tools='{"functions": {"save_snippet": {"role": "SnippetWriter"}}}')
    run(setting.command, stack, secrets)
    load(stack, secrets)


@pytest.mark.parametrize("key", [key for key, declared in ENTRY_KEYS.items() if declared.example])
def test_the_example_of_a_key_of_an_entry_is_accepted(key: str) -> None:
    legacy = SSE if key in ("paths.sse", "paths.messages", "sessionParameter") else {}
    separate = SEPARATE if key.startswith(("http.", "sse.")) else {}
    stack = changed(containers=entry(**legacy, **separate))
    run(f"pulumi config set --path 'containers[0].{key}' '{ENTRY_KEYS[key].example}'", stack, set())
    load(stack)


def test_the_setting_backends_accepts_exactly_the_servers_that_the_program_can_declare() -> None:
    assert set(settings.BACKENDS) == {*DESCRIPTIONS, *PRESETS, *HOSTED}


def test_settings_cannot_be_changed() -> None:
    stack = load(DEV)

    for field in fields(stack):
        with pytest.raises((AttributeError, TypeError)):
            setattr(stack, field.name, None)
