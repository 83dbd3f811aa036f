"""docs/clients.md, whose table comes from a run of all clients: `python -m tests.clients.page`.

Each test records its result; `make test-clients` writes the table from the results.
"""

import json
import sys
from collections.abc import Iterable
from pathlib import Path

from apim.page import replace_part
from tests.clients.client import ENVIRONMENTS, FOLDER, Client, clients

PAGE = FOLDER.parents[1] / "docs" / "clients.md"
RESULTS = ENVIRONMENTS / "results"
_TRANSPORTS = {"http": "streamable HTTP", "sse": "HTTP+SSE", "discovery": "-"}
_SIGN_IN = {"own": "one page", "bearer": "token of its host", "none": "discovery only"}


def record(client: Client, transport: str) -> None:
    """Records that a client passed its test."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    result = {"client": client.id, "transport": transport}
    (RESULTS / f"{client.id}-{transport}.json").write_text(json.dumps(result), encoding="utf-8")


def clear() -> None:
    """Deletes the results of earlier runs."""
    for file in RESULTS.glob("*.json"):
        file.unlink()


def recorded() -> set[tuple[str, str]]:
    """The clients and transports whose tests passed."""
    results = [json.loads(file.read_text(encoding="utf-8")) for file in RESULTS.glob("*.json")]
    return {(result["client"], result["transport"]) for result in results}


def table(results: Iterable[tuple[str, str]]) -> str:
    """The table of the page."""
    done = set(results)
    lines = ["| client | version | transports | sign-in | refresh |", "|---|---|---|---|---|"]
    for client in clients():
        transports = [
            _TRANSPORTS[transport] for transport in client.transports if (client.id, transport) in done
        ]
        missing = [
            _TRANSPORTS[transport] for transport in client.transports if (client.id, transport) not in done
        ]
        shown = ", ".join(transports) + (f" (fails: {', '.join(missing)})" if missing else "")
        refresh = {"own": client.refresh or "without a page", "bearer": "by its host", "none": "-"}[
            client.sign_in
        ]
        lines.append(f"| {client.name} | {client.exact} | {shown} | {_SIGN_IN[client.sign_in]} | {refresh} |")
    return "\n".join(lines)


def main(page: Path = PAGE) -> int:
    absent = [
        f"{client.id}-{transport}"
        for client in clients()
        for transport in client.transports
        if (client.id, transport) not in recorded()
    ]
    if absent:
        print(f"docs/clients.md is unchanged, because these clients did not run: {', '.join(absent)}")
        return 0
    replace_part("matrix", table(recorded()), page)
    return 0


if __name__ == "__main__":
    sys.exit(main())
