"""`python -m gateway.admin` against the store of a whole twin, with the official client of Cosmos DB."""

import json
import os
import stat
import time
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from gateway.admin.command import app
from gateway.admin.grants import document_id
from gateway.admin.store import DATABASE, open_database
from gateway.store import DATABASE as DECLARED_DATABASE
from tests.e2e.client import Client, parameters_of
from tests.e2e.conftest import RunningTwin
from tests.e2e.deployment import Deployment
from tests.e2e.person import Person

pytestmark = pytest.mark.filterwarnings("ignore:Unverified HTTPS request")


class Admin:
    """The commands for one store."""

    def __init__(self, url: str) -> None:
        self.url = url

    def run(self, *arguments: str, status: int = 0) -> str:
        """The output of a command."""
        done = CliRunner().invoke(app, [*arguments, "--store", self.url])
        assert done.exit_code == status, done.output
        return done.output

    def json(self, *arguments: str) -> list[dict[str, Any]]:
        return json.loads(self.run(*arguments, "--json"))


@pytest.fixture
def admin(twin: RunningTwin) -> Admin:
    twin.control.post("/reset", json={"state": True}).raise_for_status()
    return Admin(twin.gateway)


def sign_in(twin: RunningTwin, name: str = "Ada Lovelace") -> tuple[Client, dict[str, str]]:
    """Another client, and its tokens."""
    client = twin.client()
    client.register()
    code = parameters_of(twin.person(name).sign_in(client.authorize_url()))["code"]
    return client, client.redeem(code).json()


def works(client: Client, issued: dict[str, str]) -> bool:
    """Whether both calls and refreshes succeed; fails if only one of them does."""
    called = client.call(issued["access_token"]).status_code
    refreshed = client.refresh(issued["refresh_token"])
    assert (called, refreshed.status_code) in {(200, 200), (401, 400)}
    assert refreshed.status_code == 200 or refreshed.json()["error"] == "invalid_grant"
    return called == 200


def test_the_commands_use_the_database_that_the_program_declares() -> None:
    assert DATABASE == DECLARED_DATABASE


@pytest.mark.parametrize(
    ("arguments", "kept"),
    [
        (("--user", "ada"), ["grace-app"]),
        (("--client", "app"), ["ada-other"]),
        (("--user", "ada", "--client", "app"), ["ada-other", "grace-app"]),
        (("--grant", "unknown"), ["ada-app", "ada-other", "grace-app"]),
        (("--all",), []),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_consents_are_deleted_with_the_grants_that_are_revoked(
    twin: RunningTwin, admin: Admin, arguments: tuple[str, ...], kept: list[str]
) -> None:
    with open_database(twin.gateway) as database:
        consents = database.get_container_client("consents")
        for user, client in (("ada", "app"), ("ada", "other"), ("grace", "app")):
            consents.create_item(
                {"id": f"{user}-{client}", "sub": user, "clientDocumentId": document_id(client), "ttl": 600}
            )
        admin.run("revoke", *arguments)
        left = consents.query_items("SELECT * FROM c", enable_cross_partition_query=True)
        assert sorted(consent["id"] for consent in left) == kept


def test_consents_are_deleted_when_grants_are_revoked_by_the_name_of_the_user(
    twin: RunningTwin, admin: Admin
) -> None:
    sign_in(twin)
    (grant,) = admin.json("grants")
    with open_database(twin.gateway) as database:
        consents = database.get_container_client("consents")
        consents.create_item(
            {
                "id": "hers",
                "sub": grant["object_id"],
                "clientDocumentId": grant["client_document"],
                "ttl": 600,
            }
        )
        admin.run("revoke", "--user", grant["user"])
        assert list(consents.query_items("SELECT * FROM c", enable_cross_partition_query=True)) == []


def test_grants_are_listed_by_user_and_client_without_a_secret(twin: RunningTwin, admin: Admin) -> None:
    ada, response = sign_in(twin)
    ada.refresh(response["refresh_token"])
    grace, _ = sign_in(twin, "Grace Hopper")
    grants = admin.json("grants")
    assert {grant["user"] for grant in grants} == {"grace@twin.example", "ada@twin.example"}
    (grant,) = admin.json("grants", "--user", "ADA@twin.example")
    assert set(grant) == {
        *("id", "status", "user", "object_id", "client", "client_document"),
        *("resource", "scope", "issued", "expires", "refreshes"),
    }
    assert (grant["status"], grant["client"], grant["refreshes"]) == ("redeemed", "Test client", 1)
    assert grant["expires"] - grant["issued"] == 30 * 86400
    assert admin.json("grants", "--user", grant["object_id"], "--client", ada.client_id) == [grant]
    assert admin.json("grants", "--client", grant["client_document"]) == [grant]
    assert admin.json("grants", "--grant", grant["id"]) == [grant]
    assert admin.json("grants", "--user", "ada@twin.example", "--client", grace.client_id) == []
    table = admin.run("grants")
    assert "grace@twin.example" in table
    assert grant["client_document"] in table


def test_revoking_a_users_grants_leaves_those_of_others(twin: RunningTwin, admin: Admin) -> None:
    ada, other = sign_in(twin), sign_in(twin, "Grace Hopper")
    revoked = admin.json("revoke", "--user", "ada@twin.example")
    assert [grant["user"] for grant in revoked] == ["ada@twin.example"]
    twin.clear_cache()
    assert (works(*ada), works(*other)) == (False, True)
    assert admin.json("revoke", "--user", "ada@twin.example") == []
    assert {entry["status"] for entry in admin.json("grants", "--revoked")} == {"redeemed", "revoked"}


def test_a_revocation_takes_effect_within_thirty_seconds(twin: RunningTwin, admin: Admin) -> None:
    client, response = sign_in(twin)
    assert client.call(response["access_token"]).status_code == 200
    admin.run("revoke", "--client", client.client_id)
    twin.advance_clock(30)
    assert client.call(response["access_token"]).status_code == 401


def test_all_grants_can_be_revoked_and_then_contain_no_secret(
    twin: RunningTwin, admin: Admin, deployment: Deployment
) -> None:
    signed_in = [sign_in(twin) for _ in range(3)]
    before = time.time()
    assert len(admin.json("revoke", "--all")) == 3
    twin.clear_cache()
    assert not any(works(*signed_in_client) for signed_in_client in signed_in)
    grants = [document for document in deployment.documents() if document.get("status") == "revoked"]
    assert len(grants) == 3
    for grant in grants:
        assert not {"entraToken", "refreshSecret"} & grant.keys()
        assert 0 < grant["ttl"] <= grant["expires"] - before + 5


def test_a_code_that_is_not_redeemed_yet_is_revoked_too(twin: RunningTwin, admin: Admin, ada: Person) -> None:
    client = twin.client()
    client.register()
    code = parameters_of(ada.sign_in(client.authorize_url()))["code"]
    assert [entry["status"] for entry in admin.json("revoke", "--client", client.client_id)] == ["issued"]
    answer = client.redeem(code)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")


def test_a_revocation_needs_a_user_or_a_client(admin: Admin) -> None:
    assert "--all" in admin.run("revoke", status=2)
    assert "--all" in admin.run("revoke", "--all", "--user", "x", status=2)


def test_a_blocked_client_is_refused_everywhere_until_it_is_unblocked(
    twin: RunningTwin, admin: Admin, ada: Person
) -> None:
    client, response = sign_in(twin)
    other = sign_in(twin)
    code = parameters_of(ada.sign_in(client.authorize_url()))["code"]
    output = admin.run("block", client.client_id)
    assert "2 of its grants were revoked" in output
    assert "Test client" in output
    twin.advance_clock(300)
    page = ada.open(client.authorize_url())
    assert page.status == 403
    assert "blocked" in page.html
    assert client.redeem(code).status_code == 400
    assert not works(client, response)
    assert works(*other)
    (blocked,) = admin.json("clients", "--blocked")
    assert blocked["document"] == document_id(client.client_id)
    assert admin.run("block", blocked["document"]).startswith(f"Blocked {blocked['document']}")
    admin.run("unblock", client.client_id)
    twin.clear_cache()
    assert admin.json("clients", "--blocked") == []
    again = parameters_of(ada.sign_in(client.authorize_url()))["code"]
    assert client.redeem(again).status_code == 200
    assert "not blocked" in admin.run("unblock", client.client_id, status=1)


def test_a_code_that_was_issued_while_its_client_was_blocked_is_refused(
    admin: Admin, client: Client, ada: Person
) -> None:
    """The sign-in page was already open."""
    client.register()
    page = ada.open(client.authorize_url())
    admin.run("block", client.client_id)
    page = ada.press(page, "Allow")
    url = page.url if page.response is None else ada.press(page, ada.name).url
    answer = client.redeem(parameters_of(url)["code"])
    assert (answer.status_code, answer.json()["error"]) == (400, "unauthorized_client")


@pytest.mark.parametrize("name", ["-NgACE95NQr3qxMGGVgyrg", "--gACE95NQr3qxMGGVgyrg"])
def test_a_client_id_that_looks_like_an_option_can_be_blocked(admin: Admin, name: str) -> None:
    admin.run("block", name)
    assert [entry["document"] for entry in admin.json("clients", "--blocked")] == [document_id(name)]
    admin.run("unblock", name)
    assert admin.json("clients", "--blocked") == []


def test_the_block_of_a_client_does_not_expire(
    twin: RunningTwin, admin: Admin, deployment: Deployment
) -> None:
    client, _ = sign_in(twin)
    (before,) = (
        document for document in deployment.documents() if document["id"] == document_id(client.client_id)
    )
    admin.run("block", client.client_id)
    twin.advance_clock(400 * 86400)
    (blocked,) = admin.json("clients", "--blocked")
    admin.run("unblock", blocked["document"])
    (after,) = (document for document in deployment.documents() if document["id"] == blocked["document"])
    assert {name: value for name, value in after.items() if not name.startswith("_")} == {
        name: value for name, value in before.items() if not name.startswith("_")
    }


def test_a_client_that_is_not_in_the_store_can_be_blocked(admin: Admin, deployment: Deployment) -> None:
    """A client with a metadata document is not registered."""
    url = "https://app.example/client.json"
    admin.run("block", url)
    (blocked,) = admin.json("clients", "--blocked")
    assert (blocked["document"], blocked["name"]) == (document_id(url), "")
    admin.run("unblock", url)
    assert document_id(url) not in {document["id"] for document in deployment.documents()}


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("http://localhost:1", "make up"),
        ("http://store.example", "not the URL of a store"),
        ("store", "not the URL of a store"),
    ],
)
def test_a_store_that_cannot_be_opened_is_an_error_with_a_remedy(url: str, message: str) -> None:
    assert message in Admin(url).run("grants", status=1)


# The Pulumi CLI


@pytest.fixture
def pulumi_cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A CLI that records its arguments and prints the content of the file `output` next to it."""
    cli = tmp_path / "pulumi"
    cli.write_text('#!/bin/sh\necho "$@" >> "$(dirname "$0")/calls"\ncat "$(dirname "$0")/output"\n')
    cli.chmod(cli.stat().st_mode | stat.S_IXUSR)
    (tmp_path / "output").write_text("")
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    return tmp_path


def run(*arguments: str, status: int = 0) -> str:
    done = CliRunner().invoke(app, list(arguments))
    assert done.exit_code == status, done.output
    return done.output


def test_the_store_of_a_stack_is_found_in_its_state(
    twin: RunningTwin, admin: Admin, pulumi_cli: Path
) -> None:
    sign_in(twin)
    account = {"type": "azure-native:cosmosdb:DatabaseAccount", "outputs": {"documentEndpoint": twin.gateway}}
    state = {"deployment": {"resources": [{"type": "pulumi:pulumi:Stack"}, account]}}
    (pulumi_cli / "output").write_text(json.dumps(state))
    assert json.loads(run("grants", "--json", "--stack", "live")) == admin.json("grants")
    assert (pulumi_cli / "calls").read_text() == "stack export --stack live --non-interactive\n"


def test_a_stack_without_a_store_is_an_error_with_a_remedy(pulumi_cli: Path) -> None:
    (pulumi_cli / "output").write_text('{"deployment": {}}')
    assert "pulumi up --stack dev" in run("grants", status=1)


def test_a_missing_cli_is_an_error_with_a_remedy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "--store" in run("grants", status=1)


@pytest.mark.parametrize(("arguments", "version"), [([], 4), (["--after-leak"], 7)])
def test_d4_keys_are_rotated_by_one_and_after_a_leak_by_four(
    pulumi_cli: Path, arguments: list[str], version: int
) -> None:
    (pulumi_cli / "output").write_text("3\n")
    assert f"3 -> {version}" in run("rotate-keys", *arguments, "--stack", "live")
    calls = (pulumi_cli / "calls").read_text().splitlines()
    assert calls == [
        "config get keyVersion --stack live --non-interactive",
        f"config set keyVersion {version} --stack live --non-interactive",
    ]


def test_d4_keys_are_not_rotated_beyond_the_largest_version(pulumi_cli: Path) -> None:
    (pulumi_cli / "output").write_text("99\n")
    assert "the largest version is 99" in run("rotate-keys", status=1)


def test_a_failure_of_the_cli_is_shown(pulumi_cli: Path) -> None:
    (pulumi_cli / "pulumi").write_text("#!/bin/sh\necho 'error: no stack named live' >&2\nexit 1\n")
    assert "no stack named live" in run("rotate-keys", "--stack", "live", status=1)
