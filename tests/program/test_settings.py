import json
import re
import shlex
from collections.abc import Mapping
from dataclasses import fields

import pulumi
import pytest
import yaml
from pulumi.runtime import set_all_config
from pulumi.runtime.settings import reset_options

import settings
from backends.registry import BUILDERS
from settings import KEYS, Settings, SettingsError
from twin import configuration
from twin.stack import PROJECT

NAME = "remote-mcp-gateway"
DEV = dict(configuration.load(PROJECT, "dev").values)


def load(values: Mapping[str, str]) -> Settings:
    reset_options(project=NAME, stack="dev")
    set_all_config(dict(values), [])
    try:
        return settings.load()
    finally:
        set_all_config({}, [])
        reset_options()


def changed(**values: str | None) -> dict[str, str]:
    """The dev stack's values with some replaced; None removes one."""
    merged = {**DEV, **{f"{NAME}:{key}": value for key, value in values.items()}}
    return {key: value for key, value in merged.items() if value is not None}


def refused(values: Mapping[str, str]) -> SettingsError:
    with pytest.raises(SettingsError) as caught:
        load(values)
    return caught.value


def run(command: str, values: dict[str, str]) -> None:
    """Does to the values what a `pulumi config` command does to a stack's file."""
    words = shlex.split(command)
    assert words[:2] == ["pulumi", "config"]
    verb, *rest = words[2:]
    by_path = "--path" in rest
    target, *value = [word for word in rest if word != "--path"]
    if not by_path:
        key = target if ":" in target else f"{NAME}:{target}"
        if verb == "set":
            values[key] = value[0]
        else:
            del values[key]
        return
    match = re.fullmatch(r'(\w+)(?:\[(\d+)\]|\["(.+)"\]|\.(\w+))', target)
    assert match, target
    key = f"{NAME}:{match[1]}"
    values[key] = json.dumps(
        edited_list(json.loads(values.get(key) or "[]"), int(match[2]), value)
        if match[2]
        else edited_map(json.loads(values.get(key) or "{}"), match[3] or match[4], value)
    )


def edited_list(items: list[str], place: int, value: list[str]) -> list[str]:
    return items[:place] + value + items[place + 1 :]


def edited_map(items: dict[str, str], name: str, value: list[str]) -> dict[str, str]:
    others = {key: item for key, item in items.items() if key != name}
    return {**others, name: value[0]} if value else others


WRONG = {
    "no-email": ({"publisherEmail": None}, "publisherEmail"),
    "bad-email": ({"publisherEmail": "nobody"}, "publisherEmail"),
    "long-email": ({"publisherEmail": "a" * 100 + "@example.com"}, "publisherEmail"),
    "blank-name": ({"publisherName": "  "}, "publisherName"),
    "name-with-newline": ({"publisherName": "a\nb"}, "publisherName"),
    "name-with-a-named-value": ({"publisherName": "{{token-key}}"}, "publisherName"),
    "long-name": ({"publisherName": "a" * 101}, "publisherName"),
    "consumption": ({"sku": "Consumption"}, "sku"),
    "sku-in-small-letters": ({"sku": "standardv2"}, "sku"),
    "no-capacity": ({"capacity": "0"}, "capacity"),
    "capacity-of-another-tier": ({"sku": "Developer", "capacity": "2"}, "capacity"),
    "capacity-in-words": ({"capacity": "two"}, "capacity"),
    "no-openid": ({"oauthScopes": "offline_access"}, "oauthScopes"),
    "scope-twice": ({"oauthScopes": "openid openid"}, "oauthScopes"),
    "scope-with-quote": ({"oauthScopes": 'openid "x"'}, "oauthScopes"),
    "audience": ({"audience": "gatewy"}, "audience"),
    "require-resource": ({"requireResource": "maybe"}, "requireResource"),
    "no-backend": ({"backends": "[]"}, "backends"),
    "unknown-backend": ({"backends": '["functons"]'}, "backends"),
    "unknown-backend-beside": ({"backends": '["functions", "teams"]'}, "backends"),
    "backend-twice": ({"backends": '["functions", "functions"]'}, "backends"),
    "backends-as-text": ({"backends": "functions"}, "backends"),
    "origin-with-path": ({"allowedOrigins": '["https://a.example/"]'}, "allowedOrigins"),
    "origin-wildcard": ({"allowedOrigins": '["*"]'}, "allowedOrigins"),
    "origin-subdomains": ({"allowedOrigins": '["https://*.a.example"]'}, "allowedOrigins"),
    "origin-in-clear": ({"allowedOrigins": '["http://a.example"]'}, "allowedOrigins"),
    "origin-default-port": ({"allowedOrigins": '["https://a.example:443"]'}, "allowedOrigins"),
    "origin-capitals": ({"allowedOrigins": '["https://A.example"]'}, "allowedOrigins"),
    "origin-userinfo": ({"allowedOrigins": '["https://u@a.example"]'}, "allowedOrigins"),
    "origin-null": ({"allowedOrigins": '["null"]'}, "allowedOrigins"),
    "origin-port": ({"allowedOrigins": '["https://a.example:99999"]'}, "allowedOrigins"),
    "token-for-ever": ({"accessTokenMinutes": "1000"}, "accessTokenMinutes"),
    "grant": ({"grantDays": "0"}, "grantDays"),
    "registration": ({"registrationDays": "-1"}, "registrationDays"),
    "register-rate": ({"registerPerMinute": "0"}, "registerPerMinute"),
    "authorize-rate": ({"authorizePerMinute": "1.5"}, "authorizePerMinute"),
    "token-rate": ({"tokenPerMinute": ""}, "tokenPerMinute"),
    "call-rate": ({"callsPerMinute": "1e3"}, "callsPerMinute"),
    "key-version": ({"keyVersion": "0"}, "keyVersion"),
    "authority-in-clear": ({"entraAuthority": "http://login.microsoftonline.com"}, "entraAuthority"),
    "authority-with-slash": ({"entraAuthority": "https://login.microsoftonline.com/"}, "entraAuthority"),
    "authority-of-a-stranger": ({"entraAuthority": "https://login.example.com"}, "entraAuthority"),
    "authority-on-this-machine": ({"entraAuthority": "http://localhost:8002"}, "entraAuthority"),
    "local-on-azure": ({"local": "true"}, "local"),
    "local-with-a-lookalike": (
        {"local": "true", "entraAuthority": "http://localhost.example.com:8002"},
        "local",
    ),
    "misspelt": ({"publisheremail": "a@b.example"}, "publisheremail"),
    "unknown": ({"zzz": "1"}, "zzz"),
    "tags-as-text": ({"tags": "a=b"}, "tags"),
    "tag-name": ({"tags": '{"a/b": "c"}'}, "tags"),
    "tag-value": ({"tags": json.dumps({"a": "b" * 257})}, "tags"),
    "tags-too-many": ({"tags": json.dumps({f"t{n}": "" for n in range(16)})}, "tags"),
}


def test_the_dev_stack_is_complete_as_committed() -> None:
    stack = load(DEV)

    assert (stack.location, stack.sku, stack.capacity) == ("westeurope", "BasicV2", 1)
    assert stack.backends == ("functions",)
    assert stack.scopes == ("openid", "offline_access")
    assert (stack.audience, stack.require_resource, stack.local) == ("backend", False, False)
    assert stack.lifetimes.access_token == 600
    assert stack.lifetimes.code == 60
    assert stack.lifetimes.transaction == 600
    assert stack.entra_authority == "https://login.microsoftonline.com"
    assert stack.tags == {"environment": "dev"}


def test_every_key_is_declared_in_the_project_file_and_read_by_the_program() -> None:
    declared = yaml.safe_load((PROJECT / "Pulumi.yaml").read_text())["config"]

    # A map cannot be declared there.
    assert sorted([*declared, "tags"]) == sorted(KEYS)
    assert all(entry["description"] for entry in declared.values())


def test_the_servers_that_can_be_turned_on_are_those_that_can_be_built() -> None:
    assert set(settings.BACKENDS) == set(BUILDERS)


def test_settings_cannot_be_changed() -> None:
    stack = load(DEV)

    for field in fields(stack):
        with pytest.raises((AttributeError, TypeError)):
            setattr(stack, field.name, None)


@pytest.mark.parametrize(("values", "key"), WRONG.values(), ids=WRONG)
def test_a_wrong_value_is_refused_by_its_key(values: dict[str, str | None], key: str) -> None:
    error = refused(changed(**values))

    assert {problem.key for problem in error.problems} == {key}
    for problem in error.problems:
        assert problem.wrong
        assert problem.why
        assert problem.remedy in str(error)


@pytest.mark.parametrize("values", [values for values, _key in WRONG.values()], ids=WRONG)
def test_the_commands_that_a_message_names_mend_the_stack(values: dict[str, str | None]) -> None:
    stack = changed(**values)

    for _attempt in range(3):
        try:
            load(stack)
        except SettingsError as error:
            for command in error.problems[0].remedy.split(" && "):
                run(command, stack)
    load(stack)


def test_all_problems_are_reported_at_once() -> None:
    error = refused(changed(publisherEmail=None, sku="Gold", backends='["teams"]', colour="blue"))

    assert [problem.key for problem in error.problems] == ["publisherEmail", "sku", "backends", "colour"]
    assert "4 problems" in str(error)
    assert isinstance(error, pulumi.RunError), "Pulumi would print a stack trace"


def test_an_unknown_key_comes_with_a_suggestion() -> None:
    assert "Did you mean 'callsPerMinute'?" in str(refused(changed(callPerMinute="3")))


def test_keys_of_other_namespaces_are_nobodys_business() -> None:
    load({**DEV, "azure-native:tenantId": "x", "other:callPerMinute": "3"})


@pytest.mark.parametrize("location", [None, "", "west-europe", "1"])
def test_a_stack_without_a_region_is_refused(location: str | None) -> None:
    values = {key: value for key, value in DEV.items() if key != "azure-native:location"}
    error = refused(values if location is None else {**values, "azure-native:location": location})

    assert error.problems[0].remedy == "pulumi config set azure-native:location westeurope"


def test_a_region_may_be_written_as_the_portal_shows_it() -> None:
    assert load({**DEV, "azure-native:location": "West Europe"}).location == "westeurope"


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]"])
def test_a_local_stack_signs_in_on_this_machine(host: str) -> None:
    stack = load(changed(local="true", entraAuthority=f"http://{host}:8002"))

    assert stack.local
    assert stack.entra_authority == f"http://{host}:8002"


@pytest.mark.parametrize("origin", ["https://a.example", "https://a.example:8443", "http://localhost:6274"])
def test_an_origin_is_taken_as_a_browser_sends_it(origin: str) -> None:
    assert load(changed(allowedOrigins=json.dumps([origin]))).allowed_origins == (origin,)


def test_a_tag_that_pulumi_took_for_a_number_is_a_text() -> None:
    assert load(changed(tags='{"costCenter": 4711}')).tags == {"costCenter": "4711"}
