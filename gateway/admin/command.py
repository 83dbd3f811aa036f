"""The command line of the administration."""

import json
import logging
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, NoReturn

import typer
from azure.cosmos import DatabaseProxy
from rich.console import Console
from rich.table import Table

from gateway.admin import stack as stacks
from gateway.admin.clients import Client, Clients
from gateway.admin.consents import Consents
from gateway.admin.grants import Grant, Grants, Selection
from gateway.admin.problem import AdminError
from gateway.admin.store import open_database

app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    help="Lists and revokes grants, blocks clients, rotates keys. See docs/runbook.md.",
)

_WIDTH = 240
"""Width of a table that is written to a file or a pipe."""

_ANY_ID = {"ignore_unknown_options": True}
"""Accepts a client id that begins with `-`, which would otherwise be parsed as an option."""

_VERSIONS_AFTER_LEAK = 4
"""The number of versions to skip after a leak, so that policies accept no existing key (`gateway.keys`)."""

_IDS = ("Grant", "Client document", "Document")

_User = Annotated[
    str | None,
    typer.Option(metavar="USER", help="Object id in Entra, or the name with which the user signs in."),
]
_Client = Annotated[
    str | None, typer.Option(metavar="CLIENT", help="Client id, or id of the client's document.")
]
_GrantId = Annotated[str | None, typer.Option(metavar="ID", help="Id of the grant.")]
_Stack = Annotated[str, typer.Option(help="The stack; the URL of its store is read from its Pulumi state.")]
_Store = Annotated[
    str | None,
    typer.Option(
        metavar="URL", help="https://<account>.documents.azure.com, or a local twin: http://localhost:8000."
    ),
]
_Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
_ClientArgument = Annotated[
    str, typer.Argument(metavar="CLIENT", help="Client id, or id of the client's document.")
]


@app.command()
def grants(
    *,
    user: _User = None,
    client: _Client = None,
    grant: _GrantId = None,
    revoked: Annotated[bool, typer.Option(help="Include grants that are revoked.")] = False,
    as_json: _Json = False,
    stack: _Stack = "dev",
    store: _Store = None,
) -> None:
    """Lists grants: which users are signed in, with which client, until when."""
    with _database(stack, store) as database:
        grants = Grants(database).select(Selection(user=user, client=client, grant=grant), revoked=revoked)
    _show_grants(grants, as_json=as_json)


@app.command()
def revoke(
    *,
    user: _User = None,
    client: _Client = None,
    grant: _GrantId = None,
    everything: Annotated[bool, typer.Option("--all", help="Every grant of the stack.")] = False,
    as_json: _Json = False,
    stack: _Stack = "dev",
    store: _Store = None,
) -> None:
    """Revokes grants and lists those that were revoked; their tokens stop working within 30 seconds.

    Remembered consents of their users and clients are deleted: the next sign-in shows the consent page.
    """
    selection = Selection(user=user, client=client, grant=grant)
    if (selection == Selection()) != everything:
        _fail(
            "Choose the grants with --user, --client or --grant, or use --all for every grant of the stack."
        )
    with _database(stack, store) as database:
        revoked = list(Grants(database).revoke(selection))
        Consents(database).forget(selection, revoked)
    _show_grants(revoked, as_json=as_json)


@app.command()
def clients(
    *,
    blocked: Annotated[bool, typer.Option(help="Only clients that are blocked.")] = False,
    as_json: _Json = False,
    stack: _Stack = "dev",
    store: _Store = None,
) -> None:
    """Lists registered and blocked clients."""
    with _database(stack, store) as database:
        clients = Clients(database).all(blocked=blocked)
    _show_clients(clients, as_json=as_json)


@app.command(context_settings=_ANY_ID)
def block(client: _ClientArgument, *, stack: _Stack = "dev", store: _Store = None) -> None:
    """Blocks a client and revokes its grants.

    It gets no new tokens. After at most 30 seconds its tokens are rejected, and users can no longer start a
    sign-in with it.
    """
    with _database(stack, store) as database:
        # The client is blocked first, so that a code that is issued in the meantime is rejected.
        blocked = Clients(database).block(client)
        selection = Selection(client=client)
        revoked = list(Grants(database).revoke(selection))
        Consents(database).forget(selection, revoked)
    typer.echo(
        f"Blocked {blocked.document}{_display_name(blocked)}; {len(revoked)} of its grants were revoked."
    )


@app.command(context_settings=_ANY_ID)
def unblock(client: _ClientArgument, *, stack: _Stack = "dev", store: _Store = None) -> None:
    """Unblocks a client; its users have to sign in again."""
    with _database(stack, store) as database:
        unblocked = Clients(database).unblock(client)
    if unblocked is None:
        _fail(
            "This client is not blocked. `python -m gateway.admin clients --blocked` lists blocked clients.",
            1,
        )
    typer.echo(f"Unblocked {unblocked.document}{_display_name(unblocked)}.")


@app.command("rotate-keys")
def rotate_keys(
    *,
    after_leak: Annotated[
        bool,
        typer.Option("--after-leak", help="Accept none of the existing keys: every user must sign in again."),
    ] = False,
    stack: _Stack = "dev",
) -> None:
    """Sets the next key version in the stack's configuration; `pulumi up` deploys it."""
    try:
        before, after = stacks.rotate_keys(stack, by=_VERSIONS_AFTER_LEAK if after_leak else 1)
    except AdminError as error:
        _fail(str(error), 1)
    typer.echo(f"keyVersion of the stack {stack}: {before} -> {after}. Deploy it: pulumi up --stack {stack}")


@contextmanager
def _database(stack: str, store: str | None) -> Generator[DatabaseProxy]:
    # The error message contains the details that the Azure SDK would log.
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with open_database(store or stacks.store_url(stack)) as database:
            yield database
    except AdminError as error:
        _fail(str(error), 1)
    finally:
        logging.disable(before)


def _show_grants(grants: Sequence[Grant], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps([asdict(grant) for grant in grants], indent=2))
        return
    rows = [
        {
            "Grant": grant.id,
            "Status": grant.status,
            "User": grant.user or grant.object_id,
            "Client": grant.client,
            "Client document": grant.client_document,
            "Resource": grant.resource,
            "Signed in": _date(grant.issued),
            "Until": _date(grant.expires),
            "Refreshes": str(grant.refreshes),
        }
        for grant in grants
    ]
    _table(rows, "No grants found.")


def _show_clients(clients: Sequence[Client], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps([asdict(client) for client in clients], indent=2))
        return
    rows = [
        {
            "Document": client.document,
            "Name": client.name,
            "Registration": client.registration,
            "Redirect URIs": " ".join(client.redirect_uris),
            "Blocked": "" if client.blocked is None else _date(client.blocked),
        }
        for client in clients
    ]
    _table(rows, "No clients found.")


def _table(rows: Sequence[Mapping[str, str]], message_if_empty: str) -> None:
    if not rows:
        typer.echo(message_if_empty)
        return
    console = Console(highlight=False, markup=False)
    console = console if console.is_terminal else Console(highlight=False, markup=False, width=_WIDTH)
    table = Table()
    for heading in rows[0]:
        # Ids must not be folded, so that they can be copied.
        table.add_column(heading, overflow="fold", no_wrap=heading in _IDS)
    for row in rows:
        # Clients choose their names: control characters must not reach the terminal.
        table.add_row(*(_printable(text) for text in row.values()))
    console.print(table)


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in text)


def _display_name(client: Client) -> str:
    return f" ({_printable(client.name)})" if client.name else ""


def _date(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _fail(message: str, status: int = 2) -> NoReturn:
    typer.echo(f"error: {message}", err=True)
    raise typer.Exit(status)
