"""The documents are correct: commands are valid, links and files exist, generated parts are current."""

import importlib.util
import json
import re
import shlex
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from typer import Typer
from typer.main import get_command

from apim import page, score, support
from apim.readings import TABLE, Question
from apim.readings.page import PAGE as READINGS
from apim.readings.page import readings
from gateway.account import Role
from gateway.admin.command import app as admin
from settings import KEYS, SettingsError
from tests.clients import page as clients_page
from tests.clients.client import Client, clients
from tests.clients.install import require_files
from tests.clients.toolchains import TOOLCHAINS, InstallError
from tests.program.stack_settings import load, pin, run
from tests.program.variants import VARIANTS, Case
from twin.cli import app as twin

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")),
    ROOT / "benchmarks" / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
]
DEPLOYMENT = ROOT / "docs" / "deployment.md"
PIPELINE = ROOT / "docs" / "pipeline.md"
TROUBLESHOOTING = ROOT / "docs" / "troubleshooting.md"
PROJECT = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())
NAME = PROJECT["name"]

# Patterns of the commands of other programs, written as in the documentation of these programs.
EXTERNAL_COMMANDS = [
    r"az login",
    r'az account set --subscription "<name or id>"',
    r"az provider register --wait --namespace Microsoft\.\w+",
    r"az provider show --namespace Microsoft\.\w+ --query registrationState",
    r"az functionapp list-flexconsumption-locations --output table",
    r'az apim list --query "\[\]\.\{name:name, location:location\}" --output table',
    r"az apim deletedservice list --output table",
    r"az apim deletedservice purge --service-name <name> --location <region>",
    r"az containerapp (logs|revision) \w+ --name <app> --resource-group <resource group>",
    r"az webapp log deployment show --name <app> --resource-group <resource group>",
    r"az cosmosdb sql role assignment create( --[a-z-]+ (<[a-z ]+>|/dbs/oauth|[0-9-]{36}))+",
    r"az group create --name \w+ --location <region>",
    r"az storage (account|container) create( --[a-z-]+ (<account>|\w+))+",
    r"az keyvault (create|key create)( --[a-z-]+ (<vault>|\w+))+",
    r"az ad app create --display-name [\w-]+ --query appId --output tsv",
    r"az ad sp create --id <application id> --query id --output tsv",
    r"az ad app federated-credential create --id <application id> --parameters credential\.json",
    r"az ad app permission add --id <application id> --api [0-9a-f-]+ --api-permissions [0-9a-f-]+=Role",
    r"az ad app permission admin-consent --id <application id>",
    r"az role assignment create --assignee-object-id <\w+ principal>( --[a-z-]+ (\"[\w ]+\"|[\w@./<> ]+))+",
    r'gh variable set [A-Z_]+( --env \w+)? --body (\w+|"azblob:[^"]+"|<[\w -]+>)',
    r"git (pull|checkout <commit>|diff tools\.lock\.json)",
    r"git clone https://github\.com/Azure/api-management-policy-snippets",
    r"git -C api-management-policy-snippets checkout [0-9a-f]{40}",
    r"pulumi (login|install|whoami)",
    r'pulumi login "azblob://state\?storage_account=<account>"',
    r'pulumi stack init prod --secrets-provider "azurekeyvault://<vault>\.vault\.azure\.net/keys/pulumi"',
    r"pulumi (preview|up|refresh|destroy|cancel)( --stack \w+)?( --preview-only)?( --diff)?",
    r"pulumi preview --import-file import\.json",
    r"pulumi (preview|up) --policy-pack policy_pack",
    r"python3 -m venv policy_pack/\.venv",
    r"policy_pack/\.venv/bin/pip install --requirement policy_pack/requirements\.txt",
    r"pulumi import --file import\.json --protect=false --generate-code=false",
    r"pulumi stack (init|select) [\w-]+( --copy-config-from \w+)?",
    r"pulumi stack rm --preserve-config",
    r"pulumi stack output \w+( --json)?( --show-secrets)?( --stack \w+)?",
    r"pulumi stack --show-urns",
    r"pulumi state (unprotect --all|delete '<urn>')",
    r"npx mcporter (auth|call) [\w.]+",
    r"npx @modelcontextprotocol/inspector --cli https://\S+ --transport http --method tools/list",
    r"claude mcp add --transport http \w+ https://\S+",
    r"thv run https://\S+",
    r"opencode mcp auth \w+",
    r"codex mcp (add \w+ --url https://\S+|login \w+( --oauth-client-registration dcr)?)",
    r"brew install [\w.@-]+",
    r"sudo apt install [\w. -]+",
]
NAMESPACES = {
    "applicationinsights": "Insights",
    "cosmosdb": "DocumentDB",
    "monitor": "Insights",
    "privatedns": "Network",
}
"""Modules of azure-native whose name is not the resource provider's."""
ALWAYS_REGISTERED = {"consumption", "costmanagement", "authorization", "resources"}
"""Modules whose resource provider is registered in every subscription."""


def commands(document: Path) -> Iterator[str]:
    """Every line of every shell block, without its comment."""
    for block in re.findall(r"```sh\n(.*?)```", document.read_text(), re.DOTALL):
        for line in block.splitlines():
            command = re.sub(r"(^|\s)#.*", "", line).strip()
            if command:
                yield command


def test_there_are_documents_with_commands() -> None:
    assert all(document.is_file() for document in DOCUMENTS)
    assert len({command for document in DOCUMENTS for command in commands(document)}) > 30


@pytest.mark.parametrize(
    ("document", "command"),
    sorted({(document.name, command) for document in DOCUMENTS for command in commands(document)}),
)
def test_a_documented_command_is_valid(document: str, command: str) -> None:
    words = shlex.split(command)
    if re.fullmatch(r"[A-Z_]+=\w+", words[0]):
        words = words[1:]
    if words[0] == "make":
        subprocess.run(["make", "--dry-run", *words[1:]], cwd=ROOT, check=True, capture_output=True)
    elif words[:3] == [".venv/bin/python", "-m", "twin"]:
        parse_group(twin, words[3:])
    elif words[:3] == [".venv/bin/python", "-m", "gateway.admin"]:
        parse_group(admin, words[3:])
    elif words[:2] == [".venv/bin/python", "-m"]:
        assert importlib.util.find_spec(words[2]), words[2]
    elif words[0].startswith(".venv/bin/"):
        assert (ROOT / words[0]).exists(), words[0]
    elif words[:2] == ["pulumi", "config"]:
        key = next(word for word in words[3:] if not word.startswith("--"))
        assert known(key, document), f"{key} is not a setting"
    else:
        assert any(re.fullmatch(pattern, command) for pattern in EXTERNAL_COMMANDS), (
            f"unknown command: {command}"
        )


def parse_group(app: Typer, words: list[str]) -> None:
    """Parses a command of the twin or of the administration without running it."""
    command = get_command(app).commands[words[0]]  # ty: ignore[missing-attribute] -- a group of commands
    command.make_context(words[0], words[1:])


def known(key: str, document: str) -> bool:
    """Whether a key is a setting, or a secret that an entry on the same page names."""
    name = re.split(r"[.\[]", key, maxsplit=1)[0]
    text = next(path for path in DOCUMENTS if path.name == document).read_text()
    return name in {*KEYS, "azure-native:location"} or f": {name}\n" in text


def test_commands_in_running_text_set_keys_that_exist() -> None:
    keys = [
        (document.name, key)
        for document in DOCUMENTS
        for key in re.findall(
            r"`pulumi config (?:set|rm) (?:--secret |--path )*'?([\w:.\[\]-]+)", document.read_text()
        )
    ]
    assert keys
    assert [(document, key) for document, key in keys if not known(key, document)] == []


def stacks() -> dict[str, list[str]]:
    """The documented commands that configure a stack, by page and name of the stack."""
    commands_of_stack: dict[str, list[str]] = {}
    for document in (ROOT / "README.md", DEPLOYMENT):
        current: list[str] | None = None
        for command in commands(document):
            if command.startswith("pulumi stack init "):
                current = commands_of_stack.setdefault(f"{document.name}: {command.split()[-1]}", [])
            elif command.startswith(("pulumi config ", "make pin ")) and current is not None:
                current.append(command)
    return commands_of_stack


@pytest.mark.parametrize("stack", stacks())
def test_the_documented_commands_configure_a_complete_stack(stack: str) -> None:
    """Pulumi changes values only in the stack's file, which does not contain the project's defaults."""
    file = ROOT / f"Pulumi.{stack.partition(': ')[2]}.yaml"
    own = yaml.safe_load(file.read_text())["config"] if file.exists() else {}
    values = {key: text(value) for key, value in own.items()}
    secrets: set[str] = set()
    for command in stacks()[stack]:
        if command.startswith("make pin"):
            pin(values, secrets, defaults())
        else:
            run(command, values, secrets)
    settings = load({**defaults(), **values}, secrets)
    assert settings.publisher_email
    assert not settings.local


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_commands_that_set_a_list_set_every_index(document: Path) -> None:
    """Setting only a later index would leave nulls before it."""
    for block in re.findall(r"```\w*\n(.*?)```", document.read_text(), re.DOTALL):
        indexes: dict[str, list[int]] = {}
        for key, index in re.findall(r"--path '([\w.]+)\[(\d+)\]", block):
            if int(index) not in indexes.setdefault(key, []):
                indexes[key].append(int(index))
        for key, positions in indexes.items():
            assert positions == list(range(len(positions))), key


def test_the_commands_that_enable_servers_work_in_a_stack_without_the_setting_backends() -> None:
    values, secrets = {**defaults(), **REQUIRED}, set()
    del values[f"{NAME}:backends"]
    for command in commands(ROOT / "docs" / "adding-a-backend.md"):
        if command.startswith("make pin"):
            pin(values, secrets)
        elif command.startswith("pulumi config set ") and "notesToken" not in command:
            run(command, values, secrets)
    assert load(values, secrets).backends == ("functions", "slack", "jira")


REQUIRED = {
    "azure-native:location": "westeurope",
    f"{NAME}:publisherEmail": "platform@example.com",
    f"{NAME}:publisherName": "Example",
}
"""The settings that every stack must have."""


def test_a_stack_without_the_documented_commands_is_refused() -> None:
    with pytest.raises(SettingsError, match="publisherEmail"):
        load(defaults())


def defaults() -> dict[str, str]:
    """The defaults that Pulumi.yaml declares."""
    declared = PROJECT["config"].items()
    return {f"{NAME}:{key}": text(value["default"]) for key, value in declared if "default" in value}


def text(value: object) -> str:
    """A value as Pulumi passes it to the program."""
    return value if isinstance(value, str) else json.dumps(value)


def test_the_resource_providers_are_those_of_the_declared_resources() -> None:
    modules = {
        resource.type.split(":")[1]
        for variant in VARIANTS
        for resource in Case(variant, preview=False).stack.resources
        if resource.type.startswith("azure-native:")
    }
    needed = {NAMESPACES.get(module, module).lower() for module in modules - ALWAYS_REGISTERED}
    listed = re.findall(r"az provider register --wait --namespace Microsoft\.(\w+)", DEPLOYMENT.read_text())
    assert listed == sorted(listed)
    assert {name.lower() for name in listed} == needed


def test_a_pipeline_may_assign_exactly_the_roles_that_the_program_assigns() -> None:
    """The condition of the pipeline's role has one list for creating and one for deleting assignments."""
    sets = re.findall(r"GuidEquals \{([^}]+)\}", PIPELINE.read_text())
    assert len(sets) == 2
    assert [set(roles.split(", ")) for roles in sets] == [{str(role.value) for role in Role}] * 2


def test_the_version_of_the_cli_is_at_least_that_of_the_sdk() -> None:
    dependencies = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    sdk = next(dependency for dependency in dependencies if dependency.startswith("pulumi==")).removeprefix(
        "pulumi=="
    )
    assert f"{sdk.rpartition('.')[0]} or newer; the program pins the SDK {sdk}" in DEPLOYMENT.read_text()


def requirements() -> list[str]:
    """The direct dependencies: of the program, and of each group."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    groups = project["dependency-groups"].values()
    return sorted(
        {
            *project["project"]["dependencies"],
            *(requirement for group in groups for requirement in group if isinstance(requirement, str)),
        }
    )


@pytest.mark.parametrize("requirement", requirements())
def test_a_dependency_is_pinned_locked_and_has_a_reason(requirement: str) -> None:
    name, *_ = re.split(r"[^\w-]", requirement)
    # For Python 3.13 the Function App gets a later version of azure-functions, which no test runs.
    if requirement != "azure-functions>=2,<3; python_version >= '3.13'":
        pin = re.match(r"[\w-]+==[\w.]+", requirement)
        assert pin, f"pin {requirement} with == in pyproject.toml"
        locked = (ROOT / "requirements-dev.txt").read_text()
        assert re.search(rf"^{re.escape(pin[0])}(?![\w.])", locked, re.MULTILINE), "run `make lock`"
    reasons = (ROOT / "docs" / "decisions.md").read_text()
    assert re.search(rf"(?<![\w-]){name}(?![\w-])", reasons), (
        f"add the reason for {name} to docs/decisions.md"
    )


def test_a_monthly_price_is_the_hourly_price_times_730() -> None:
    rows = re.findall(r"^\| (\w+).*? \| ([\d.]+) \| (\d+) \|$", DEPLOYMENT.read_text(), re.MULTILINE)
    assert {name for name, _hour, _month in rows} == {
        "BasicV2", "StandardV2", "PremiumV2", "Developer", "Basic", "Standard", "Premium",
    }  # fmt: skip
    assert {name: round(float(hour) * 730) for name, hour, _month in rows} == {
        name: int(month) for name, _hour, month in rows
    }


def test_the_documented_cost_of_containers_is_that_of_their_declared_cpu_and_memory() -> None:
    # Prices in US dollars for a vCPU and for a GiB of memory, each for one second.
    idle_cpu, active_cpu, memory_price = 0.000003, 0.000024, 0.000003
    apps = Case("servers", preview=False).stack.of_type("ContainerApp")
    assert all(app.inputs["template"]["scale"]["minReplicas"] == 1 for app in apps)
    idle = active = 0.0
    for app in apps:
        resources = app.inputs["template"]["containers"][0]["resources"]
        cores, memory = resources["cpu"], float(resources["memory"].removesuffix("Gi"))
        idle += 730 * 3600 * (cores * idle_cpu + memory * memory_price)
        active += 730 * 3600 * (cores * active_cpu + memory * memory_price)
    assert f"together {idle:.2f} to {active:.2f}" in " ".join(DEPLOYMENT.read_text().split())


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: str(document.relative_to(ROOT)))
def test_every_link_has_a_target(document: Path) -> None:
    prose = re.sub(r"`[^`\n]*`", "", document.read_text())
    for target in re.findall(r"\]\(([^)#]+)(?:#[\w-]*)?\)", prose):
        assert target.startswith("https://") or (document.parent / target).exists(), target


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: str(document.relative_to(ROOT)))
def test_every_file_that_a_document_names_exists(document: Path) -> None:
    folders = "apim|backends|benchmarks|configuration|docs|functions_app|gateway|policies|scripts|tests|twin"
    for name in re.findall(rf"`((?:{folders})/[\w./-]*)`", document.read_text()):
        assert (ROOT / name).exists(), name


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: str(document.relative_to(ROOT)))
def test_every_template_that_a_document_names_exists(document: Path) -> None:
    templates = [f"/{path.relative_to(ROOT)}" for path in (ROOT / "policies").rglob("*.*")]
    for name in re.findall(r"`([\w./-]+\.(?:j2|cs))`", document.read_text()):
        assert any(template.endswith(f"/{name}") for template in templates), name


def test_messages_that_the_troubleshooting_page_quotes_are_those_of_the_project() -> None:
    folders = ("scripts", "configuration", "backends", "twin", "policies", "tests")
    files = [
        path
        for folder in folders
        for path in (ROOT / folder).rglob("*")
        if path.suffix in {".py", ".sh", ".j2", ".cs"}
    ]
    written = "\n".join(path.read_text() for path in files if path != Path(__file__))
    # A message may be written as several strings, which Python joins.
    written += re.sub(r"\s*\"\s*\n\s*f?\"", " ", written)
    symptoms = re.findall(r"^\| ([^|]*)", TROUBLESHOOTING.read_text(), re.MULTILINE)
    quoted = [text for symptom in symptoms for text in re.findall(r'"([^"]+)"', symptom)]
    assert len(quoted) > 8
    for text in quoted:
        pieces = [piece.strip() for piece in re.split(r"\.\.\.|\d[\d.]*|\.twin", text)]
        assert [piece for piece in pieces if piece and piece not in written] == [], text


def test_each_attack_in_the_table_has_the_test_that_it_names() -> None:
    named = re.findall(r"`(test_\w+)`", (ROOT / "docs" / "authorization.md").read_text())
    written = "".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    assert named
    assert [name for name in named if f"def {name}(" not in written] == []


def test_make_lists_every_target_that_the_documents_use() -> None:
    listed = subprocess.run(["make"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    used = {
        command.split()[1]
        for document in DOCUMENTS
        for command in commands(document)
        if command.startswith("make ")
    }
    for target in used | {"up", "test", "lint", "format", "check", "clean", "lock"}:
        assert re.search(rf"^  make {target} ", listed, re.MULTILINE), target


@pytest.mark.parametrize(("part", "generate"), [("policies", support.policies), ("csharp", support.csharp)])
def test_the_page_of_what_is_supported_is_current(part: str, generate: object) -> None:
    assert callable(generate)
    assert page.part(part) == generate(), "run `.venv/bin/python -m apim.support`"


def test_the_page_of_readings_is_current() -> None:
    assert page.part("readings", READINGS) == readings(), "run `.venv/bin/python -m apim.readings`"


@pytest.mark.parametrize("question", TABLE, ids=lambda question: question.name)
def test_each_reading_has_tests_of_its_own(question: Question) -> None:
    section = page.part("readings", READINGS).partition(f"## {question.id}: ")[2].partition("\n## ")[0]
    assert re.search(r"^- `test_\w+` in `tests/", section, re.MULTILINE), (
        f"no test chooses {question.name}=...: add one to tests/policies/engine/test_readings.py, then run "
        "`.venv/bin/python -m apim.readings`"
    )


def test_the_score_names_its_commit_and_its_date() -> None:
    part = page.part("score")
    assert f"`{score.COMMIT}`" in part
    assert re.match(r"Measured on 20\d\d-\d\d-\d\d with ", part)


def test_the_page_of_clients_says_that_every_client_works() -> None:
    # `make test-clients` writes the table from its results.
    worked = {(client.id, transport) for client in clients() for transport in client.transports}
    assert page.part("matrix", clients_page.PAGE) == clients_page.table(worked), "run `make test-clients`"


@pytest.mark.parametrize("folder", sorted({client.folder for client in clients()}))
def test_the_page_of_clients_describes_each_client(folder: str) -> None:
    described = f"](../tests/clients/{folder}/" in clients_page.PAGE.read_text()
    assert described, (
        f"describe the client in docs/clients.md, with a link to its program in tests/clients/{folder}/"
    )


@pytest.mark.parametrize("client", clients(), ids=lambda client: client.id)
def test_the_table_of_clients_names_the_version_that_is_locked(client: Client) -> None:
    require_files(client)
    required = client.lock / TOOLCHAINS[client.toolchain].requirements
    assert client.exact in required.read_text()


def test_a_client_without_requirements_is_reported_with_the_file_to_write() -> None:
    client = Client(
        folder="new", version="1.0", exact="1.0.2", name="new", toolchain="node", transports=("http",)
    )
    with pytest.raises(
        InstallError, match=r"^write tests/clients/new/1.0/package.json, which requires 1.0.2$"
    ):
        require_files(client)


def test_locks_of_clients_name_no_registry() -> None:
    locks = [file for client in clients() for file in client.lock.iterdir()]
    assert locks
    assert not [file for file in locks if re.search(r"resolved|registry\+|index-url", file.read_text())]
