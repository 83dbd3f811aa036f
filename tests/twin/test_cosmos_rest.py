"""The stand-in for Cosmos DB over REST, as the gateway's policies use it."""

import email.utils
import json
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.twin.conftest import ServeBuilt
from tests.twin.cosmos_account import DOCS, READER, WITHOUT_ROLE, Cosmos, error_of
from twin.clock import Clock
from twin.cosmos import Container, SqliteStore

SYSTEM = {"_rid", "_self", "_etag", "_attachments", "_ts"}


# --- documents


def test_a_document_is_created_read_replaced_and_deleted(cosmos: Cosmos):
    created = cosmos.create({"id": "a", "n": 1, "ü": None})
    assert created.status_code == 201
    assert created.headers["etag"] == created.json()["_etag"]
    assert set(created.json()) > SYSTEM
    read = cosmos.read("a")
    assert (read.status_code, read.json()) == (200, created.json())
    replaced = cosmos.replace({"id": "a", "n": 2})
    assert (replaced.status_code, replaced.json()["n"]) == (200, 2)
    assert "ü" not in replaced.json()
    assert replaced.json()["_rid"] == created.json()["_rid"]
    assert replaced.json()["_etag"] != created.json()["_etag"]
    assert cosmos.delete("a").status_code == 204
    assert error_of(cosmos.read("a")) == (404, "NotFound")


def test_every_answer_has_the_common_headers(cosmos: Cosmos):
    created, conflicting = cosmos.create({"id": "a"}), cosmos.create({"id": "a"})
    for response in (created, conflicting, cosmos.read("a"), cosmos.read("b")):
        assert float(response.headers["x-ms-request-charge"]) > 0
        assert response.headers["x-ms-session-token"].startswith("0:-1#")
        assert response.headers["x-ms-activity-id"]
        assert "twin" in response.headers["server"]


def test_system_properties_belong_to_the_service(cosmos: Cosmos):
    body = cosmos.create({"id": "a", "_etag": "mine", "_ts": 1, "_other": 2}).json()
    assert body["_etag"] != "mine"
    assert body["_ts"] == pytest.approx(cosmos.clock.now(), abs=5)
    assert body["_other"] == 2


def test_an_existing_id_cannot_be_created_again(cosmos: Cosmos):
    cosmos.create({"id": "a"})
    assert error_of(cosmos.create({"id": "a"})) == (409, "Conflict")


def test_an_upsert_creates_and_then_replaces(cosmos: Cosmos):
    upsert = {"x-ms-documentdb-is-upsert": "True"}
    assert cosmos.create({"id": "a", "n": 1}, **upsert).status_code == 201
    again = cosmos.create({"id": "a", "n": 2}, **upsert)
    assert (again.status_code, again.json()["n"]) == (200, 2)
    assert error_of(cosmos.create({"id": "a"}, if_match='"old"', **upsert))[0] == 412


def test_a_missing_document_cannot_be_replaced_or_deleted(cosmos: Cosmos):
    assert error_of(cosmos.replace({"id": "a"})) == (404, "NotFound")
    assert error_of(cosmos.delete("a")) == (404, "NotFound")


def test_a_minimal_response_has_no_body(cosmos: Cosmos):
    response = cosmos.create({"id": "a"}, prefer="return=minimal")
    assert (response.status_code, response.content) == (201, b"")
    assert response.headers["etag"]


@pytest.mark.parametrize(
    "name", ["with space", "ümlaut", "per%cent", "..", "a+b&c=d", "'; DROP TABLE documents; --", "x" * 1023]
)
def test_an_id_can_contain_almost_any_character(cosmos: Cosmos, name: str):
    assert cosmos.create({"id": name}).status_code == 201
    url = f"{cosmos.base_url}{DOCS}/" + "".join(f"%{byte:02X}" for byte in name.encode())
    assert cosmos.http.get(url, headers=cosmos.headers(name)).json()["id"] == name


@pytest.mark.parametrize("name", ["a/b", "a\\b", "a?b", "a#b", "", "x" * 1024, "ü" * 512, 7, None, ["a"]])
def test_an_invalid_id_is_refused(cosmos: Cosmos, name: object):
    response = cosmos.http.post(DOCS, json={"id": name}, headers=cosmos.headers("a"))
    assert error_of(response) == (400, "BadRequest")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'"a"',
        b"{",
        b'{"id": NaN}',
        b'{"id": "a", "n": 1e999}',
        b'{"id": "a", "text": "\\ud800"}',
        b'{"id": "\\ud800"}',
        b"\xff",
        b"[" * 100_000,
        b'{"id": "a", "deep": ' + b"[" * 900 + b"]" * 900 + b"}x",
    ],
)
def test_a_document_that_is_not_a_json_object_is_rejected(cosmos: Cosmos, body: bytes):
    response = cosmos.http.post(DOCS, content=body, headers=cosmos.headers("a"))
    assert error_of(response) == (400, "BadRequest")


def test_an_item_has_at_most_two_megabytes(cosmos: Cosmos):
    assert cosmos.create({"id": "a", "text": "x" * (2 * 1024 * 1024 - 100)}).status_code == 201
    assert error_of(cosmos.create({"id": "b", "text": "x" * 2 * 1024 * 1024})) == (
        413,
        "RequestEntityTooLarge",
    )


def test_an_id_cannot_be_changed_by_a_replace(cosmos: Cosmos):
    eternal = "/dbs/oauth/colls/eternal/docs"
    cosmos.http.post(eternal, json={"id": "a", "kind": "k"}, headers=cosmos.headers("k"))
    response = cosmos.http.put(f"{eternal}/a", json={"id": "b", "kind": "k"}, headers=cosmos.headers("k"))
    assert error_of(response) == (400, "BadRequest")


# --- partition keys


def test_the_partition_key_header_is_required(cosmos: Cosmos):
    cosmos.create({"id": "a"})
    for method, url, content in (
        ("GET", f"{DOCS}/a", None),
        ("DELETE", f"{DOCS}/a", None),
        ("PUT", f"{DOCS}/a", b'{"id": "a"}'),
        ("POST", DOCS, b'{"id": "b"}'),
    ):
        assert error_of(cosmos.http.request(method, url, content=content, headers=cosmos.headers()))[0] == 400


def test_a_partition_key_in_another_header_is_ignored(cosmos: Cosmos):
    cosmos.create({"id": "a"})
    headers = cosmos.headers() | {"x-ms-partitionkey": '["a"]'}
    assert error_of(cosmos.http.get(f"{DOCS}/a", headers=headers)) == (400, "BadRequest")


def test_a_document_is_not_found_in_another_partition(cosmos: Cosmos):
    cosmos.create({"id": "a"})
    assert error_of(cosmos.http.get(f"{DOCS}/a", headers=cosmos.headers("b")))[0] == 404


def test_document_and_header_must_have_the_same_partition_key(cosmos: Cosmos):
    response = cosmos.http.post(DOCS, json={"id": "a"}, headers=cosmos.headers("b"))
    assert error_of(response) == (400, "BadRequest")
    assert response.headers["x-ms-substatus"] == "1001"


def test_two_partitions_can_contain_the_same_id(cosmos: Cosmos):
    url = "/dbs/oauth/colls/eternal/docs"
    for kind in ("k", "l", 1, True, None):
        headers = cosmos.headers(kind) | {"x-ms-documentdb-partitionkey": json.dumps([kind])}
        assert cosmos.http.post(url, json={"id": "a", "kind": kind}, headers=headers).status_code == 201
    headers = cosmos.headers() | {"x-ms-documentdb-partitionkey": "[{}]"}
    assert cosmos.http.post(url, json={"id": "a"}, headers=headers).status_code == 201
    headers = cosmos.headers() | {"x-ms-documentdb-partitionkey": "[1.0]"}
    assert cosmos.http.get(f"{url}/a", headers=headers).json()["kind"] == 1


def test_a_partition_key_may_be_a_nested_property(cosmos: Cosmos):
    url = "/dbs/oauth/colls/grants/docs"
    document = {"id": "a", "owner": {"name": "ada"}}
    assert cosmos.http.post(url, json=document, headers=cosmos.headers("ada")).status_code == 201
    assert cosmos.http.get(f"{url}/a", headers=cosmos.headers("ada")).status_code == 200
    document = {"id": "b", "owner": {"name": {}}}
    assert cosmos.http.post(url, json=document, headers=cosmos.headers("ada")).status_code == 400


@pytest.mark.parametrize(
    "header", ["a", '"a"', "[]", '["a", "b"]', "[[]]", '[{"a": 1}]', "[NaN]", "", '["\\ud800"]', "[1e999]"]
)
def test_a_malformed_partition_key_is_refused(cosmos: Cosmos, header: str):
    headers = cosmos.headers() | {"x-ms-documentdb-partitionkey": header}
    assert error_of(cosmos.http.get(f"{DOCS}/a", headers=headers)) == (400, "BadRequest")


def test_a_container_has_one_partition_key_path():
    with pytest.raises(ValueError, match="partition key"):
        Container(name="x", partition_key="id")
    with pytest.raises(ValueError, match="default_ttl"):
        Container(name="x", partition_key="/id", default_ttl=0)


# --- conditions


def test_if_match_accepts_only_the_current_version(cosmos: Cosmos):
    old = cosmos.create({"id": "a", "n": 1}).headers["etag"]
    new = cosmos.replace({"id": "a", "n": 2}, if_match=old).headers["etag"]
    assert error_of(cosmos.replace({"id": "a", "n": 3}, if_match=old)) == (412, "PreconditionFailed")
    assert error_of(cosmos.delete("a", if_match=old)) == (412, "PreconditionFailed")
    assert cosmos.read("a").json()["n"] == 2
    assert cosmos.replace({"id": "a", "n": 4}, if_match="*").status_code == 200
    assert error_of(cosmos.delete("a", if_match=new))[0] == 412


def test_if_none_match_avoids_sending_the_body(cosmos: Cosmos):
    etag = cosmos.create({"id": "a"}).headers["etag"]
    unchanged = cosmos.read("a", if_none_match=etag)
    assert (unchanged.status_code, unchanged.content) == (304, b"")
    assert cosmos.read("a", if_none_match='"old"').status_code == 200


def test_an_etag_is_never_used_again(cosmos: Cosmos):
    etags = [cosmos.create({"id": "a"}).headers["etag"]]
    etags += [cosmos.replace({"id": "a"}).headers["etag"] for _ in range(5)]
    cosmos.delete("a")
    etags.append(cosmos.create({"id": "a"}).headers["etag"])
    assert len(set(etags)) == len(etags)


def test_one_of_several_parallel_conditional_writes_succeeds(cosmos: Cosmos):
    with ThreadPoolExecutor(8) as pool:
        for round_number in range(5):
            name = f"race-{round_number}"
            etag = cosmos.create({"id": name}).headers["etag"]
            writes = [pool.submit(cosmos.replace, {"id": name, "n": n}, if_match=etag) for n in range(8)]
            statuses = sorted(write.result().status_code for write in writes)
            assert statuses == [200] + [412] * 7


def test_one_of_several_parallel_creations_succeeds(cosmos: Cosmos):
    with ThreadPoolExecutor(8) as pool:
        statuses = sorted(
            response.status_code
            for response in pool.map(cosmos.create, [{"id": "a", "n": n} for n in range(8)])
        )
    assert statuses == [201] + [409] * 7


# --- time to live


def test_a_document_with_a_ttl_expires(cosmos: Cosmos):
    etag = cosmos.create({"id": "a", "ttl": 60}).headers["etag"]
    cosmos.clock.advance(58)
    assert cosmos.read("a").status_code == 200
    cosmos.clock.advance(3)
    assert cosmos.read("a").status_code == 404
    assert cosmos.replace({"id": "a"}, if_match=etag).status_code == 404
    assert cosmos.delete("a").status_code == 404
    assert cosmos.create({"id": "a", "n": 2}).status_code == 201


def test_each_write_restarts_the_ttl(cosmos: Cosmos):
    cosmos.create({"id": "a", "ttl": 60})
    cosmos.clock.advance(50)
    cosmos.replace({"id": "a", "ttl": 60})
    cosmos.clock.advance(50)
    assert cosmos.read("a").status_code == 200


def test_the_containers_default_applies_without_a_ttl(cosmos: Cosmos):
    grants, eternal = "/dbs/oauth/colls/grants/docs", "/dbs/oauth/colls/eternal/docs"
    for name, ttl in (("short", {"ttl": 10}), ("default", {}), ("never", {"ttl": -1})):
        document = {"id": name, "owner": {"name": "o"}} | ttl
        assert cosmos.http.post(grants, json=document, headers=cosmos.headers("o")).status_code == 201
    cosmos.http.post(eternal, json={"id": "a", "kind": "k", "ttl": 1}, headers=cosmos.headers("k"))
    cosmos.create({"id": "a"})

    def existing_documents() -> list[str]:
        names = ("short", "default", "never")
        return [
            name
            for name in names
            if cosmos.http.get(f"{grants}/{name}", headers=cosmos.headers("o")).status_code == 200
        ]

    cosmos.clock.advance(11)
    assert existing_documents() == ["default", "never"]
    cosmos.clock.advance(100)
    assert existing_documents() == ["never"]
    assert cosmos.http.get(f"{eternal}/a", headers=cosmos.headers("k")).status_code == 200
    assert cosmos.read("a").status_code == 200


@pytest.mark.parametrize("ttl", [0, -2, 1.5, "60", True, None, 2**31])
def test_an_invalid_ttl_is_refused(cosmos: Cosmos, ttl: object):
    assert error_of(cosmos.create({"id": "a", "ttl": ttl})) == (400, "BadRequest")


# --- authorization


def test_a_request_needs_an_entra_token(cosmos: Cosmos):
    headers = cosmos.headers("a")
    del headers["authorization"]
    assert error_of(cosmos.http.get(f"{DOCS}/a", headers=headers)) == (401, "Unauthorized")


@pytest.mark.parametrize(
    "authorization",
    [
        "Bearer {token}",
        "type=aad&ver=2.0&sig={token}",
        "type=aad&ver=1.0&sig=",
        "type=aad&ver=1.0&sig={token}x",
        "type=aad&ver=1.0&sig={foreign}",
        "type=aad&ver=1.0&sig={other_audience}",
    ],
)
def test_other_tokens_are_refused(cosmos: Cosmos, authorization: str):
    text = authorization.format(
        token=cosmos.token(),
        foreign="eyJhbGciOiJub25lIn0.eyJvaWQiOiJwcmluY2lwYWwtd3JpdGVyIn0.",
        other_audience=cosmos.token(audience="https://storage.azure.com"),
    )
    response = cosmos.http.get(f"{DOCS}/a", headers=cosmos.headers("a") | {"authorization": text})
    assert error_of(response) == (401, "Unauthorized")
    assert cosmos.token().split(".")[2] not in response.text


def test_an_expired_token_is_refused(cosmos: Cosmos):
    headers = cosmos.headers("a")
    cosmos.clock.advance(3601)
    assert error_of(cosmos.http.get(f"{DOCS}/a", headers=headers)) == (401, "Unauthorized")


def test_a_token_may_be_sent_unencoded(cosmos: Cosmos):
    cosmos.create({"id": "a"})
    headers = cosmos.headers("a") | {"authorization": f"type=aad&ver=1.0&sig={cosmos.token()}"}
    assert cosmos.http.get(f"{DOCS}/a", headers=headers).status_code == 200


def test_keys_are_disabled(cosmos: Cosmos):
    headers = cosmos.headers("a") | {"authorization": "type%3dmaster%26ver%3d1.0%26sig%3dc2VjcmV0"}
    response = cosmos.http.get(f"{DOCS}/a", headers=headers)
    assert error_of(response) == (401, "Unauthorized")
    assert "Local Authorization is disabled" in response.json()["message"]


def test_a_principal_without_a_role_is_forbidden(cosmos: Cosmos):
    response = cosmos.http.get(f"{DOCS}/a", headers=cosmos.headers("a", principal=WITHOUT_ROLE))
    assert error_of(response) == (403, "Forbidden")
    assert WITHOUT_ROLE in response.json()["message"]
    assert cosmos.http.get("/", headers=cosmos.headers(principal=WITHOUT_ROLE)).status_code == 403


def test_a_role_does_not_apply_outside_its_scope(cosmos: Cosmos):
    other = "/dbs/other/colls/clients/docs"
    assert error_of(cosmos.http.post(other, json={"id": "a"}, headers=cosmos.headers("a")))[0] == 403
    assert error_of(cosmos.http.get("/dbs/other", headers=cosmos.headers()))[0] == 403
    assert cosmos.http.get("/", headers=cosmos.headers()).status_code == 200


def test_a_reader_can_only_read(cosmos: Cosmos):
    cosmos.create({"id": "a"})
    headers = cosmos.headers("a", principal=READER)
    assert cosmos.http.get(f"{DOCS}/a", headers=headers).status_code == 200
    assert cosmos.http.get("/dbs/other/colls/clients", headers=headers).status_code == 200
    assert error_of(cosmos.http.delete(f"{DOCS}/a", headers=headers))[0] == 403
    assert error_of(cosmos.http.put(f"{DOCS}/a", json={"id": "a"}, headers=headers))[0] == 403
    assert error_of(cosmos.http.post(DOCS, json={"id": "b"}, headers=headers))[0] == 403


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/dbs"),
        ("DELETE", "/dbs/oauth"),
        ("POST", "/dbs/oauth/colls"),
        ("PUT", "/dbs/oauth/colls/clients"),
        ("POST", "/dbs/oauth/colls/clients/sprocs"),
        ("GET", "/offers"),
    ],
)
def test_operations_outside_the_data_plane_are_forbidden(cosmos: Cosmos, method: str, path: str):
    assert error_of(cosmos.http.request(method, path, headers=cosmos.headers()))[0] == 403


# --- the protocol


def test_version_and_date_are_required(cosmos: Cosmos):
    for header, status in (("x-ms-version", 400), ("x-ms-date", 401)):
        headers = cosmos.headers("a")
        del headers[header]
        assert error_of(cosmos.http.get(f"{DOCS}/a", headers=headers))[0] == status
        headers[header] = "nonsense"
        assert error_of(cosmos.http.get(f"{DOCS}/a", headers=headers))[0] == status
    headers = cosmos.headers("a") | {"x-ms-date": "", "date": email.utils.formatdate(usegmt=True)}
    assert cosmos.http.get(f"{DOCS}/a", headers=headers).status_code == 404


def test_undeclared_databases_and_containers_are_not_found(cosmos: Cosmos):
    for path in ("/dbs/oauth/colls/nothing/docs/a", "/dbs/oauth/colls/Clients/docs/a"):
        assert error_of(cosmos.http.get(path, headers=cosmos.headers("a")))[0] == 404
    assert error_of(cosmos.http.get("/dbs/none", headers=cosmos.headers(principal=READER)))[0] == 404


def test_the_account_returns_its_own_endpoint(cosmos: Cosmos):
    account = cosmos.http.get("/", headers=cosmos.headers()).json()
    for locations in (account["writableLocations"], account["readableLocations"]):
        assert [location["databaseAccountEndpoint"] for location in locations] == [f"{cosmos.base_url}/"]


def test_throttling_returns_the_time_to_retry_after(cosmos: Cosmos):
    cosmos.create({"id": "a"})
    cosmos.app.state.throttle.reject_next(2, retry_after_ms=250)
    for _ in range(2):
        response = cosmos.read("a")
        assert error_of(response) == (429, "TooManyRequests")
        assert response.headers["x-ms-retry-after-ms"] == "250"
    assert cosmos.read("a").status_code == 200


# --- feeds and queries


def query(cosmos: Cosmos, text: object, key: str | None = None, /, **parameters: object) -> httpx.Response:
    headers = cosmos.headers(key) | {
        "x-ms-documentdb-isquery": "True",
        "content-type": "application/query+json",
    }
    if key is None:
        headers["x-ms-documentdb-query-enablecrosspartition"] = "True"
    body = {
        "query": text,
        "parameters": [{"name": f"@{name}", "value": value} for name, value in parameters.items()],
    }
    return cosmos.http.post(DOCS, json=body, headers=headers)


@pytest.mark.parametrize(
    ("where", "parameters", "expected"),
    [
        ("", {}, "abc"),
        ("WHERE c.n = @n", {"n": 1}, "a"),
        ("where c.n >= @n and c.kind = 'x'", {"n": 1}, "ac"),
        ("WHERE c.n != 1", {}, "bc"),
        ("WHERE c.n > 1 AND c.n < 3.5", {}, "bc"),
        ("WHERE c.deep.er = true", {}, "b"),
        ('WHERE c["deep"]["er"] = true', {}, "b"),
        ("WHERE c.kind = null", {}, "b"),
        ("WHERE c.kind < null", {}, ""),
        ("WHERE c.kind >= null", {}, "b"),
        ("WHERE c.n = '1'", {}, ""),
        ("WHERE c.missing = null", {}, ""),
        ("WHERE c.id = @id", {"id": "' OR 1=1 --"}, ""),
        ("WHERE c.kind = 'it\\'s \"x\"'", {}, ""),
    ],
)
def test_supported_queries_have_the_results_of_cosmos(
    cosmos: Cosmos, where: str, parameters: dict[str, object], expected: str
):
    cosmos.create({"id": "a", "n": 1, "kind": "x"})
    cosmos.create({"id": "b", "n": 2, "kind": None, "deep": {"er": True}})
    cosmos.create({"id": "c", "n": 3, "kind": "x"})
    response = query(cosmos, f"SELECT * FROM c {where}", **parameters)
    assert "".join(document["id"] for document in response.json()["Documents"]) == expected


@pytest.mark.parametrize(
    "text",
    [
        "SELECT c.id FROM c",
        "SELECT VALUE COUNT(1) FROM c",
        "SELECT * FROM c ORDER BY c.n",
        "SELECT * FROM c WHERE c.n = 1 OR c.n = 2",
        "SELECT * FROM c WHERE CONTAINS(c.id, 'a')",
        "SELECT * FROM c WHERE d.n = 1",
        "SELECT * FROM c WHERE c.n = @missing",
        "SELECT * FROM c WHERE c.n = 1 AND",
        "SELECT * FROM c WHERE",
        "DELETE FROM c",
        "",
        7,
    ],
)
def test_an_unsupported_query_is_rejected(cosmos: Cosmos, text: object):
    assert error_of(query(cosmos, text)) == (400, "BadRequest")


def test_a_cross_partition_query_must_be_enabled(cosmos: Cosmos):
    headers = cosmos.headers() | {"x-ms-documentdb-isquery": "True"}
    response = cosmos.http.post(DOCS, json={"query": "SELECT * FROM c"}, headers=headers)
    assert error_of(response) == (400, "BadRequest")


def test_a_query_stays_in_its_partition(cosmos: Cosmos):
    cosmos.create({"id": "a"})
    cosmos.create({"id": "b"})
    assert [document["id"] for document in query(cosmos, "SELECT * FROM c", "b").json()["Documents"]] == ["b"]


def test_a_feed_is_read_page_by_page(cosmos: Cosmos):
    for n in range(5):
        cosmos.create({"id": f"d{n}"})
    names, headers = [], cosmos.headers(**{"x-ms-max-item-count": "2"})
    pages = 0
    while True:
        response = cosmos.http.get(DOCS, headers=headers)
        names += [document["id"] for document in response.json()["Documents"]]
        pages += 1
        if "x-ms-continuation" not in response.headers:
            break
        headers["x-ms-continuation"] = response.headers["x-ms-continuation"]
    assert (names, pages) == ([f"d{n}" for n in range(5)], 3)
    for malformed in ("x", "twin:", "twin:-1", f"twin:{'9' * 30}"):
        headers["x-ms-continuation"] = malformed
        assert error_of(cosmos.http.get(DOCS, headers=headers))[0] == 400


@pytest.mark.parametrize(
    "headers",
    [
        {"x-ms-cosmos-is-batch-request": "True"},
        {"x-ms-cosmos-is-query-plan-request": "True"},
    ],
)
def test_unsupported_features_are_rejected(cosmos: Cosmos, headers: dict[str, str]):
    response = cosmos.http.post(DOCS, json={"id": "a"}, headers=cosmos.headers("a", **headers))
    assert error_of(response) == (400, "BadRequest")
    assert "stand-in" in response.json()["message"]
    assert cosmos.http.get(DOCS, headers=cosmos.headers(**{"a-im": "Incremental feed"})).status_code == 400


# --- storage


def test_documents_survive_a_restart(tmp_path: Path, serve_built: ServeBuilt):
    path, clock = tmp_path / ".twin" / "cosmos.sqlite", Clock()
    for expected in (201, 409):
        store = SqliteStore(path, clock)
        running: list[Cosmos] = []

        def build(base_url: str, store: SqliteStore = store, running: list[Cosmos] = running):
            running.append(Cosmos(base_url, clock, store))
            return running[0].app

        with serve_built(build):
            assert running[0].create({"id": "a"}).status_code == expected
            running[0].http.close()
        store.close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_clearing_the_store_deletes_all_documents(cosmos: Cosmos):
    cosmos.create({"id": "a"})
    cosmos.store.clear()
    assert cosmos.read("a").status_code == 404
