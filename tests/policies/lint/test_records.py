"""A service without findings is checked only once; any change leads to a new check."""

import sys
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path

import pytest

from apim import service as service_records
from apim.findings import Finding
from apim.lint import ServiceFacts, records
from apim.lint.streaming import Diagnostic
from apim.service import Api, NamedValue, Operation, PolicyDocument, Service

CheckOnce = Callable[..., list[Finding]]

DOCUMENT = PolicyDocument(xml="<policies />", name="policy.xml")
API = Api(
    id="api",
    name="api",
    path="",
    policy=DOCUMENT,
    operations=(Operation(id="operation", name="operation", method="POST", url_template="/"),),
)
SERVICE = Service(name="s", gateway_url="https://g.example", apis=(API,))
FINDING = Finding(document="policy.xml", line=1, column=1, message="wrong", code="invalid-policy")


@pytest.fixture
def engine(tmp_path: Path) -> Path:
    folder = tmp_path / "engine"
    folder.mkdir()
    (folder / "rule.py").write_text("version = 1\n")
    return folder


@pytest.fixture
def checked(monkeypatch: pytest.MonkeyPatch) -> list[Service]:
    """The services that the lint checked."""
    services: list[Service] = []

    def check(service: Service, _facts: ServiceFacts) -> list[Finding]:
        services.append(service)
        return [FINDING] if service.name == "wrong" else []

    monkeypatch.setattr(records, "check", check)
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    return services


@pytest.fixture
def check_once(engine: Path, tmp_path: Path) -> CheckOnce:
    def check(service: Service = SERVICE, facts: ServiceFacts | None = None) -> list[Finding]:
        # Each call reads the engine's sources again, as a new process does.
        records._version.cache_clear()
        return records.check_once(service, facts or ServiceFacts(), tmp_path / "records", engine)

    return check


def test_an_unchanged_service_without_findings_is_checked_once(
    check_once: CheckOnce, checked: list[Service]
) -> None:
    assert check_once() == check_once(replace(SERVICE)) == []
    assert checked == [SERVICE]


def test_a_service_with_findings_is_checked_each_time(check_once: CheckOnce, checked: list[Service]) -> None:
    wrong = replace(SERVICE, name="wrong")
    assert check_once(wrong) == check_once(wrong) == [FINDING]
    assert len(checked) == 2


@pytest.mark.parametrize(
    "changed",
    [
        replace(SERVICE, sku="Consumption"),
        replace(SERVICE, named_values=(NamedValue(name="key", value="1", secret=True),)),
        replace(SERVICE, apis=(replace(API, service_url="https://backend.example"),)),
        replace(SERVICE, apis=(replace(API, policy=replace(DOCUMENT, xml="<policies></policies>")),)),
    ],
    ids=["tier", "named value", "backend", "document"],
)
def test_a_changed_service_is_checked_again(
    check_once: CheckOnce, checked: list[Service], changed: Service
) -> None:
    check_once()
    assert check_once(changed) == []
    assert checked == [SERVICE, changed]


@pytest.mark.parametrize(
    "changed",
    [
        ServiceFacts(unknown=frozenset({"key"})),
        ServiceFacts(diagnostics=(Diagnostic(name="logger", body_bytes=1),)),
        ServiceFacts(streams=True),
        ServiceFacts(protected=True),
        ServiceFacts(whole=False),
    ],
    ids=[field.name for field in fields(ServiceFacts)],
)
def test_a_service_in_changed_surroundings_is_checked_again(
    check_once: CheckOnce, checked: list[Service], changed: ServiceFacts
) -> None:
    check_once()
    check_once(facts=changed)
    assert len(checked) == 2


@pytest.mark.parametrize("file", ["rule.py", "another.py", "table.toml"])
def test_a_service_is_checked_again_when_the_engine_changes(
    check_once: CheckOnce, checked: list[Service], engine: Path, file: str
) -> None:
    check_once()
    (engine / file).write_text("version = 2\n")
    check_once()
    assert len(checked) == 2


def test_a_service_is_checked_again_by_another_version_of_python(
    check_once: CheckOnce, checked: list[Service], monkeypatch: pytest.MonkeyPatch
) -> None:
    check_once()
    monkeypatch.setattr(sys, "version", "4.0")
    check_once()
    assert len(checked) == 2


def test_nothing_is_recorded_or_read_if_python_writes_no_compiled_modules(
    check_once: CheckOnce, checked: list[Service], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    check_once()
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    check_once()
    check_once(replace(SERVICE, sku="Consumption"))
    assert len(checked) == 3
    assert len(list((tmp_path / "records").iterdir())) == 1


def test_a_service_is_checked_if_the_folder_of_records_cannot_be_written(
    check_once: CheckOnce, checked: list[Service], tmp_path: Path
) -> None:
    (tmp_path / "records").write_text("a file where the folder should be")
    assert check_once() == check_once() == []
    assert len(checked) == 2


@pytest.mark.usefixtures("checked")
def test_old_records_are_deleted_when_there_are_many(
    check_once: CheckOnce, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(records, "_MAX_RECORDS", 3)
    for number in range(5):
        check_once(replace(SERVICE, name=f"service {number}"))
    assert len(list((tmp_path / "records").iterdir())) == 2


def test_the_name_of_a_record_depends_on_every_compared_field() -> None:
    """A record's name is computed from `repr`, so `repr` must show every field that equality compares."""
    kinds = {
        Diagnostic,
        *(kind for kind in vars(service_records).values() if hasattr(kind, "__dataclass_fields__")),
    }
    assert len(kinds) > 8
    assert {
        f"{kind.__name__}.{field.name}"
        for kind in kinds
        for field in fields(kind)
        if field.compare != field.repr
    } == set()
