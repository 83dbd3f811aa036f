"""Snippets in blob storage."""

import pytest
from azure.storage.blob import ContainerClient

from tests.children import free_port
from twin.blobs import BlobAccount


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
    assert store.save("note", text) is False
    assert store.get("note") == text


def test_saving_under_a_used_name_replaces_the_snippet_and_says_so(store):
    store.save("note", "a long first text")
    assert store.save("note", "second") is True
    assert store.get("note") == "second"


def test_a_snippet_is_stored_as_text_in_utf_8(store, container):
    store.save("note", "é")
    blob = container.get_blob_client("note")
    assert blob.download_blob().readall() == "é".encode()
    assert blob.get_blob_properties().content_settings.content_type == "text/plain; charset=utf-8"


@pytest.mark.parametrize("name", ["a", "A-b_c", "read me.txt", "v1.2.3", "x" * 128, "_", "-", "9"])
def test_ordinary_names_are_accepted(store, name):
    store.save(name, "text")
    assert store.get(name) == "text"


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
        store.save(name, "text")
    with pytest.raises(snippets.SnippetError, match="name"):
        store.get(name)
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
        (5, "text"),
        (["x"], "text"),
        ("x" * 512_001, "512,001"),
        ("é" * 256_001, "512,002"),
        ("x" * 2_000_000, "2,000,000"),
        ("\ud800", "Unicode"),
    ],
    ids=["none", "empty", "number", "list", "one-too-many", "counted-in-bytes", "2-MB", "half-a-character"],
)
def test_invalid_content_is_rejected_and_the_old_snippet_is_kept(snippets, store, content, reason):
    store.save("note", "old")
    with pytest.raises(snippets.SnippetError, match=reason):
        store.save("note", content)
    assert store.get("note") == "old"


def test_an_unknown_snippet_is_named_in_the_error(snippets, store):
    with pytest.raises(snippets.SnippetError, match="no snippet named 'nothing here'"):
        store.get("nothing here")


def test_names_are_case_sensitive(store):
    store.save("Note", "upper")
    store.save("note", "lower")
    assert (store.get("Note"), store.get("note")) == ("upper", "lower")


def test_a_deleted_snippet_cannot_be_read(snippets, store):
    store.save("note", "text")
    store.save("Note", "another text")
    store.delete("note")
    for use in (store.get, store.delete):
        with pytest.raises(snippets.SnippetError, match="no snippet named 'note'"):
            use("note")
    assert store.get("Note") == "another text"


def test_a_blob_that_is_not_text_is_an_error(snippets, store, container):
    container.upload_blob("image", b"\xff\xfe\x00")
    with pytest.raises(snippets.SnippetError, match="not text"):
        store.get("image")


def test_a_storage_error_is_reported_without_details(snippets, account):
    with (
        ContainerClient.from_connection_string(account.connection_string, "absent") as absent,
        pytest.raises(snippets.SnippetError, match="not available") as saving,
    ):
        snippets.SnippetStore(absent).save("note", "text")
    with (
        ContainerClient.from_connection_string(account.connection_string, "absent") as absent,
        pytest.raises(snippets.SnippetError, match="not available") as getting,
    ):
        snippets.SnippetStore(absent).get("note")
    with (
        ContainerClient.from_connection_string(account.connection_string, "absent") as absent,
        pytest.raises(snippets.SnippetError, match="not available") as deleting,
    ):
        snippets.SnippetStore(absent).delete("note")
    for refusal in (saving, getting, deleting):
        assert "absent" not in str(refusal.value)
        assert "127.0.0.1" not in str(refusal.value)


def test_unreachable_storage_is_an_error(snippets):
    account = BlobAccount(name="staway", key="a2V5", port=free_port())
    with (
        snippets._container({"SNIPPETS_STORAGE": account.connection_string}) as container,
        pytest.raises(snippets.SnippetError, match="not available"),
    ):
        snippets.SnippetStore(container).get("note")
    with (
        snippets._container({"SNIPPETS_STORAGE": account.connection_string}) as container,
        pytest.raises(snippets.SnippetError, match="not available"),
    ):
        snippets.SnippetStore(container).delete("note")


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
