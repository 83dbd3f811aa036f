"""Snippets in blob storage."""

import hashlib
import inspect

import pytest
from azure.storage.blob import ContainerClient

from tests.children import free_port
from twin.blobs import BlobAccount

OWNER = hashlib.sha256(b"ada").hexdigest()
ANOTHER_OWNER = hashlib.sha256(b"grace").hexdigest()


@pytest.fixture
def snippets(load):
    return load("snippets")


@pytest.fixture
def store(snippets, container):
    return snippets.SnippetStore(container)


@pytest.mark.parametrize(
    "text",
    ["x", "Grüße, 世界 🎉", "one\r\ntwo\rthree\n", "\x00\x01\ufeff", " spaces at both ends ", "x" * 512_000],
    ids=["ascii", "unicode", "line-ends", "controls", "spaces", "largest"],
)
def test_a_snippet_is_read_exactly_as_it_was_saved(store, text):
    assert store.save("note", text, OWNER) is False
    assert store.get("note", OWNER) == text


def test_saving_under_a_used_name_replaces_the_snippet_and_reports_it(store):
    store.save("note", "a long first text", OWNER)
    assert store.save("note", "second", OWNER) is True
    assert store.get("note", OWNER) == "second"


def test_a_snippet_is_stored_as_text_in_utf_8(store, container):
    store.save("note", "é", OWNER)
    blob = container.get_blob_client(f"users/{OWNER}/note")
    assert blob.download_blob().readall() == "é".encode()
    assert blob.get_blob_properties().content_settings.content_type == "text/plain; charset=utf-8"


@pytest.mark.parametrize("name", ["a", "A-b_c", "read me.txt", "v1.2.3", "x" * 128, "_", "-", "9"])
def test_ordinary_names_are_accepted(store, name):
    store.save(name, "text", OWNER)
    assert store.get(name, OWNER) == "text"


@pytest.mark.parametrize(
    "name",
    [
        None,
        "",
        " ",
        ".",
        "..",
        "../secret",
        "a/b",
        "a\\b",
        "a%2Fb",
        "a?b",
        "a#b",
        "a\nb",
        "a\x00b",
        "a\x7f",
        "name\n",
        ".hidden",
        "end.",
        "end ",
        "é",
        "a\u202eb",
        "x" * 129,
        "x" * 300,
        7,
        True,
        ["a"],
        {"a": 1},
    ],
    ids=ascii,
)
def test_a_name_outside_the_allowed_list_is_refused_and_nothing_is_stored(snippets, store, container, name):
    with pytest.raises(snippets.SnippetError, match="name"):
        store.save(name, "text", OWNER)
    with pytest.raises(snippets.SnippetError, match="name"):
        store.get(name, OWNER)
    assert list(container.list_blob_names()) == []


def test_the_error_about_a_name_escapes_control_characters(snippets):
    with pytest.raises(snippets.SnippetError) as refusal:
        snippets.check_name("a\x1b[31m\u202e")
    assert str(refusal.value).isprintable()
    assert str(refusal.value).isascii()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "missing"),
        ("", "missing"),
        (5, "must be a string"),
        (["x"], "must be a string"),
        ("x" * 512_001, "512,001"),
        ("é" * 256_001, "512,002"),
        ("x" * 2_000_000, "2,000,000"),
        ("\ud800", "Unicode"),
    ],
    ids=["none", "empty", "number", "list", "one-too-many", "counted-in-bytes", "2-MB", "lone-surrogate"],
)
def test_invalid_content_is_rejected_and_the_old_snippet_is_kept(snippets, store, content, reason):
    store.save("note", "old", OWNER)
    with pytest.raises(snippets.SnippetError, match=reason):
        store.save("note", content, OWNER)
    assert store.get("note", OWNER) == "old"


def test_an_unknown_snippet_is_named_in_the_error(snippets, store):
    with pytest.raises(snippets.SnippetError, match="no snippet named 'nothing here'"):
        store.get("nothing here", OWNER)


def test_names_are_case_sensitive(store):
    store.save("Note", "upper", OWNER)
    store.save("note", "lower", OWNER)
    assert (store.get("Note", OWNER), store.get("note", OWNER)) == ("upper", "lower")


def test_a_deleted_snippet_cannot_be_read(snippets, store):
    store.save("note", "text", OWNER)
    store.save("Note", "another text", OWNER)
    store.delete("note", OWNER)
    for use in (store.get, store.delete):
        with pytest.raises(snippets.SnippetError, match="no snippet named 'note'"):
            use("note", OWNER)
    assert store.get("Note", OWNER) == "another text"


def test_f6_snippets_of_the_same_name_are_separate_for_each_owner(snippets, store):
    assert store.save("note", "of Ada", OWNER) is False
    for use in (store.get, store.delete):
        with pytest.raises(snippets.SnippetError, match="You have no snippet named 'note'"):
            use("note", ANOTHER_OWNER)
    assert store.save("note", "of Grace", ANOTHER_OWNER) is False
    assert (store.get("note", OWNER), store.get("note", ANOTHER_OWNER)) == ("of Ada", "of Grace")
    store.delete("note", ANOTHER_OWNER)
    assert store.get("note", OWNER) == "of Ada"


def test_f6_own_and_shared_snippets_of_the_same_name_are_separate(snippets, store):
    store.save("note", "of Ada", OWNER)
    for use in (store.get, store.delete):
        with pytest.raises(snippets.SnippetError, match="no shared snippet named 'note'"):
            use("note", None)
    assert store.save("note", "for all", None) is False
    assert (store.get("note", OWNER), store.get("note", None)) == ("of Ada", "for all")
    with pytest.raises(snippets.SnippetError, match="You have no snippet"):
        store.get("note", ANOTHER_OWNER)
    store.delete("note", OWNER)
    assert store.get("note", None) == "for all"


@pytest.mark.parametrize("use", ["save", "get", "delete"])
def test_f6_the_owner_of_a_snippet_has_no_default(snippets, use):
    parameter = inspect.signature(getattr(snippets.SnippetStore, use)).parameters["owner"]
    assert parameter.default is inspect.Parameter.empty


def test_a_blob_that_is_not_text_is_an_error(snippets, store, container):
    container.upload_blob(f"users/{OWNER}/image", b"\xff\xfe\x00")
    with pytest.raises(snippets.SnippetError, match="not valid UTF-8"):
        store.get("image", OWNER)


def test_a_storage_error_is_reported_without_details(snippets, account):
    with (
        ContainerClient.from_connection_string(account.connection_string, "absent") as absent,
        pytest.raises(snippets.SnippetError, match="not available") as saving,
    ):
        snippets.SnippetStore(absent).save("note", "text", OWNER)
    with (
        ContainerClient.from_connection_string(account.connection_string, "absent") as absent,
        pytest.raises(snippets.SnippetError, match="not available") as getting,
    ):
        snippets.SnippetStore(absent).get("note", OWNER)
    with (
        ContainerClient.from_connection_string(account.connection_string, "absent") as absent,
        pytest.raises(snippets.SnippetError, match="not available") as deleting,
    ):
        snippets.SnippetStore(absent).delete("note", OWNER)
    for refusal in (saving, getting, deleting):
        assert "absent" not in str(refusal.value)
        assert "127.0.0.1" not in str(refusal.value)


def test_unreachable_storage_is_an_error(snippets):
    account = BlobAccount(name="staway", key="a2V5", port=free_port())
    with (
        snippets._container({"SNIPPETS_STORAGE": account.connection_string}) as container,
        pytest.raises(snippets.SnippetError, match="not available"),
    ):
        snippets.SnippetStore(container).get("note", OWNER)
    with (
        snippets._container({"SNIPPETS_STORAGE": account.connection_string}) as container,
        pytest.raises(snippets.SnippetError, match="not available"),
    ):
        snippets.SnippetStore(container).delete("note", OWNER)


def test_the_settings_of_an_identity_based_connection_are_used(snippets):
    client = snippets._container(
        {
            "SNIPPETS_STORAGE__blobServiceUri": "https://stexample.blob.core.windows.net",
            "SNIPPETS_STORAGE__clientId": "00000000-0000-0000-0000-000000000001",
            "SNIPPETS_CONTAINER": "notes",
        }
    )
    with client:
        assert client.url == "https://stexample.blob.core.windows.net/notes"
        assert type(client.credential).__name__ == "ManagedIdentityCredential"


def test_without_settings_the_error_names_them(snippets):
    with pytest.raises(ValueError, match="SNIPPETS_STORAGE__blobServiceUri"):
        snippets._container({})
