"""Registration of stand-ins: their ports, their files, and the code that may import them."""

import ast
import re
from functools import partial
from pathlib import Path

import pytest

from configuration.presets import PRESETS
from twin import stand_ins
from twin.local_images import local_command
from twin.ports import LOOPBACK, Address, Ports
from twin.process import is_listening
from twin.stack import PROJECT
from twin.stand_in import HostedRegistration, Image, LocalCommand, Registration
from twin.stand_ins import HOSTED_STAND_INS, STAND_INS, hosted_port, ports_of

FILES = {"__init__", "api", "app", "errors", "image", "records", "service", "serializer", "store"}
HOSTED_FILES = {"__init__", "errors", "records", "service"}


def package(registration: Registration | HostedRegistration) -> Path:
    return PROJECT / "twin" / registration.service


@pytest.mark.parametrize("registration", STAND_INS, ids=lambda registration: registration.service)
def test_stand_ins_have_the_same_files(registration: Registration) -> None:
    assert {file.stem for file in package(registration).glob("*.py")} >= FILES
    assert (package(registration) / "data.yaml").is_file()


@pytest.mark.parametrize("registration", HOSTED_STAND_INS, ids=lambda registration: registration.service)
def test_stand_ins_for_hosted_services_have_the_same_files(registration: HostedRegistration) -> None:
    assert {file.stem for file in package(registration).glob("*.py")} >= HOSTED_FILES


@pytest.mark.parametrize(
    "name", ["supervisor", "plan", "hosted", "containers", "agent_config", "local_images"]
)
def test_modules_that_start_stand_ins_do_not_contain_their_names(name: str) -> None:
    text = (PROJECT / "twin" / f"{name}.py").read_text(encoding="utf-8").lower()
    # Connections of a Foundry project are declared resources of Azure.
    services = {registration.service for registration in (*STAND_INS, *HOSTED_STAND_INS)} - {"foundry"}
    assert {service for service in services if service in text} == set()


def test_every_package_of_a_stand_in_is_listed() -> None:
    packages = {
        file.parent.name
        for file in (PROJECT / "twin").glob("*/__init__.py")
        if re.search(r"^STAND_IN\b", file.read_text(), re.MULTILINE)
    }
    listed = {registration.service for registration in (*STAND_INS, *HOSTED_STAND_INS)}
    assert packages == listed, "list the stand-in in twin/stand_ins.py, by the name of its package"


@pytest.mark.parametrize("registration", STAND_INS, ids=lambda registration: registration.service)
def test_a_stand_in_belongs_to_a_built_in_server(registration: Registration) -> None:
    container = PRESETS[registration.service].container
    assert container.image.startswith(f"{registration.repository}:")
    assert container.title == registration.title
    variables = {credential.variable for credential in PRESETS[registration.service].credentials}
    assert registration.credential in variables


def test_only_the_list_of_stand_ins_imports_them() -> None:
    packages = {f"twin.{registration.service}" for registration in (*STAND_INS, *HOSTED_STAND_INS)}
    importing = {
        f"{file.relative_to(PROJECT)} imports {name}"
        for file in (PROJECT / "twin").rglob("*.py")
        if not any(
            file.is_relative_to(package(registration)) for registration in (*STAND_INS, *HOSTED_STAND_INS)
        )
        for node in ast.walk(ast.parse(file.read_text()))
        for name in imported(node)
        if any(f"{name}.".startswith(f"{package}.") for package in packages)
    }
    assert importing == {f"twin/stand_ins.py imports {name}" for name in packages}


def imported(node: ast.AST) -> list[str]:
    match node:
        case ast.Import():
            return [alias.name for alias in node.names]
        case ast.ImportFrom(module=str() as module):
            return [module, *(f"{module}.{alias.name}" for alias in node.names)]
        case _:
            return []


def test_no_two_services_of_a_twin_have_the_same_port() -> None:
    ports = Ports(8000)
    of_stand_ins = [port for registration in STAND_INS for port in ports_of(registration, ports).values()]
    of_stand_ins += [hosted_port(registration, ports) for registration in HOSTED_STAND_INS]
    all_ports = [*ports.named().values(), *of_stand_ins, ports.container(0)]
    assert len(set(all_ports)) == len(all_ports)
    assert max(of_stand_ins) < ports.container(0), "give containers a later first port in twin/ports.py"


def test_a_registration_is_enough_to_add_a_stand_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def run(image: Image) -> LocalCommand:
        ready = partial(is_listening, image.address)
        return LocalCommand(argv=("/bin/notes",), env=image.env, folder=image.folder, ready=ready)

    notes = Registration(
        service="notes",
        title="Notes",
        repository="ghcr.io/example/notes-mcp",
        credential="NOTES_TOKEN",
        ports=("Notes' stand-in",),
        run=run,
        create=STAND_INS[0].create,
    )
    monkeypatch.setattr(stand_ins, "STAND_INS", (*STAND_INS, notes))

    def local(env: dict[str, str]) -> LocalCommand | None:
        folder = tmp_path / "notes"
        return local_command(
            "ghcr.io/example/notes-mcp:1.0.0", [], [], env, address=Address(LOOPBACK, 4711), folder=folder
        )

    without, real = local({"NOTES_TOKEN": "twin"}), local({"NOTES_TOKEN": "a-real-one"})
    assert without is not None
    assert real is not None
    assert (without.stand_in, real.stand_in) == ("notes", None)
    taken = max(port for registration in STAND_INS for port in ports_of(registration, Ports(8000)).values())
    assert ports_of(notes, Ports(8000)) == {"Notes' stand-in": taken + 1}
