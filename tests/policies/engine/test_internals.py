"""The check that aiohttp has the internals that `apim.http` uses; a new version may change them."""

import ast
from pathlib import Path

import pytest
from aiohttp import helpers, web
from aiohttp.base_protocol import BaseProtocol
from aiohttp.client_proto import ResponseHandler

from apim import http
from apim.http.internals import INTERNALS, Internal, missing

PACKAGE = Path(http.__file__).parent
MODULES = [file for file in sorted(PACKAGE.glob("*.py")) if file.name != "internals.py"]


def test_the_installed_aiohttp_has_every_internal_that_is_needed() -> None:
    assert missing() == []


def test_an_attribute_that_was_removed_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(BaseProtocol, "_drain_helper")
    (client, server) = missing()
    assert client.endswith(
        ": aiohttp.client_proto.ResponseHandler._drain_helper (waits while the server reads slowly): "
        "_drain_helper does not exist"
    )
    assert "aiohttp.web_protocol.RequestHandler._drain_helper" in server


def test_a_function_that_was_removed_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(helpers, "rfc822_formatted_time")
    (sentence,) = missing()
    assert sentence.endswith(
        "aiohttp.helpers.rfc822_formatted_time (the Date header): rfc822_formatted_time does not exist"
    )


def test_an_attribute_that_the_constructor_no_longer_sets_is_reported(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(web.Server, "__init__", lambda _self: None)
    assert ["Server._kwargs" in sentence for sentence in missing()] == [True]


def test_a_parameter_that_was_removed_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    def set_response_params(self: ResponseHandler, *, skip_payload: bool, max_line_size: int) -> None:
        del self, skip_payload, max_line_size

    monkeypatch.setattr(ResponseHandler, "set_response_params", set_response_params)
    (sentence,) = missing()
    assert "set_response_params" in sentence
    assert sentence.endswith("no parameter read_until_eof, auto_decompress, max_field_size, max_headers")


@pytest.mark.parametrize(
    ("internal", "problem"),
    [
        (Internal("aiohttp.no_such_module", "Thing", ""), "the module does not exist"),
        (Internal("aiohttp.web", "NoSuchClass._attribute", ""), "NoSuchClass does not exist"),
        (Internal("aiohttp.web", "Server.no_such_method", ""), "no_such_method does not exist"),
    ],
)
def test_the_problem_names_exactly_what_does_not_exist(internal: Internal, problem: str) -> None:
    assert internal.problem() == problem


def test_the_list_of_internals_has_every_name_that_is_imported_from_a_submodule() -> None:
    imported = {
        f"{node.module}.{alias.name}"
        for file in MODULES
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("aiohttp.")
        for alias in node.names
    }
    assert imported - {str(internal) for internal in INTERNALS} == set()
    assert len(imported) > 5


def test_the_list_of_internals_has_every_private_attribute_that_is_used() -> None:
    listed = {internal.path.rpartition(".")[2] for internal in INTERNALS}
    for file in MODULES:
        tree = ast.parse(file.read_text(encoding="utf-8"))
        used = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        private = {name for name in used if name.startswith("_") and not name.startswith("__")}
        assert private - _defined_in(tree) - listed == set(), file.name


def _defined_in(tree: ast.Module) -> set[str]:
    """The attributes and methods that a module defines itself."""
    stored = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)
    }
    return stored | {
        node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
