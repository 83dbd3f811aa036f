"""The keys of the stand-in for Entra ID."""

import base64
import functools
import json
import stat
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twin.clock import Clock
from twin.entra import Accounts, Directory, IdentityHost, InvalidTokenError, SigningKeys, create_app

DIRECTORY = Directory(tenant_id="t", base_url="http://localhost:8002")


@functools.cache
def keys_and_token() -> tuple[SigningKeys, str]:
    keys = SigningKeys()
    return keys, keys.sign({"a": 1})


def test_keys_survive_a_restart_in_a_file_that_only_its_owner_can_read(tmp_path: Path):
    path = tmp_path / ".twin" / "entra.json"
    keys = SigningKeys(path)
    token, encrypted = keys.sign({"a": 1}), keys.encrypt({"b": 2}, purpose="refresh")
    restarted = SigningKeys(path)
    assert restarted.verify(token) == {"a": 1}
    assert restarted.decrypt(encrypted, purpose="refresh") == {"b": 2}
    assert restarted.jwks == keys.jwks
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_a_rotation_of_keys_survives_a_restart(tmp_path: Path):
    path = tmp_path / "entra.json"
    keys = SigningKeys(path)
    old = keys.sign({"a": 1})
    keys.rotate()
    assert SigningKeys(path).verify(old) == {"a": 1}
    assert len(SigningKeys(path).jwks["keys"]) == 2
    keys.rotate(keep_previous=False)
    with pytest.raises(InvalidTokenError):
        SigningKeys(path).verify(old)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_state_encrypted_for_one_purpose_is_not_accepted_for_another():
    keys = SigningKeys()
    encrypted = keys.encrypt({"user": "ada"}, purpose="session")
    with pytest.raises(InvalidTokenError):
        keys.decrypt(encrypted, purpose="refresh")
    with pytest.raises(InvalidTokenError):
        SigningKeys().decrypt(encrypted, purpose="session")


@given(
    header=st.dictionaries(
        st.sampled_from(["alg", "kid", "typ", "crit", "jwk", "enc", "zip"]),
        st.one_of(
            st.none(),
            st.integers(),
            st.lists(st.text(), max_size=2),
            st.sampled_from(["RS256", "none", "HS256"]),
        ),
    )
    | st.text()
)
@settings(max_examples=100, deadline=None)
def test_no_token_header_bypasses_or_breaks_the_check(header: object):
    encoded = base64.urlsafe_b64encode(json.dumps(header).encode()).rstrip(b"=").decode()
    keys, token = keys_and_token()
    _, payload, signature = token.split(".")
    for text in (f"{encoded}.{payload}.{signature}", f"{encoded}.{payload}.", encoded):
        with pytest.raises(InvalidTokenError):
            keys.verify(text)
        with pytest.raises(InvalidTokenError):
            keys.decrypt(f"{encoded}....", purpose="refresh")


def test_the_error_for_an_unknown_user_names_the_known_users():
    with pytest.raises(KeyError, match=r"ada@twin\.example"):
        Accounts(DIRECTORY, Clock()).disable("unknown")


def test_two_services_cannot_share_an_identity_secret():
    hosts = (IdentityHost(name="functions"), IdentityHost(name="functions"))
    directory = Directory(tenant_id="t", base_url="http://localhost:8002", identity_hosts=hosts)
    with pytest.raises(ValueError, match="functions"):
        create_app(directory, Clock(), SigningKeys())
