"""The parts of aiohttp outside its public API that this package uses.

A new version of aiohttp may change them without notice. `missing()` compares the list with the installed
version.
"""

import importlib
import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import aiohttp


@dataclass(frozen=True, slots=True)
class Internal:
    """A part of aiohttp that is not public.

    Attributes:
        module: name of the module.
        path: its name in the module; an attribute is written as `Class.attribute`.
        use: its purpose here.
        parameters: the parameters with which it is called, or which it receives when it is overridden.
    """

    module: str
    path: str
    use: str
    parameters: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.module}.{self.path}"

    def problem(self) -> str | None:
        """The reason why the installed aiohttp does not have this part; None if it has."""
        try:
            found: object = importlib.import_module(self.module)
        except ImportError:
            return "the module does not exist"
        *owners, name = self.path.split(".")
        for owner in owners:
            if not hasattr(found, owner):
                return f"{owner} does not exist"
            found = getattr(found, owner)
        if not hasattr(found, name):
            # An attribute that only instances have is assigned in the constructor.
            return None if _is_set_by_constructor(found, name) else f"{name} does not exist"
        known = inspect.signature(getattr(found, name)).parameters if self.parameters else {}
        absent = [parameter for parameter in self.parameters if parameter not in known]
        return f"it has no parameter {', '.join(absent)}" if absent else None


_CLIENT: Final = "aiohttp.client_proto"
_SERVER: Final = "aiohttp.web_protocol"
_STREAM: Final = "aiohttp.streams"

INTERNALS: Final = (
    Internal(_CLIENT, "ResponseHandler", "the connection to a server, without aiohttp's session"),
    Internal(
        _CLIENT,
        "ResponseHandler.set_response_params",
        "sets the limits of the parser",
        (
            "skip_payload",
            "read_until_eof",
            "auto_decompress",
            "max_line_size",
            "max_field_size",
            "max_headers",
        ),
    ),
    Internal(_CLIENT, "ResponseHandler.connection_made", "is extended", ("transport",)),
    Internal(_CLIENT, "ResponseHandler.connection_lost", "is extended", ("exc",)),
    Internal(_CLIENT, "ResponseHandler.data_received", "parses what arrived", ("data",)),
    Internal(_CLIENT, "ResponseHandler.feed_data", "receives the head of a response", ("data", "size")),
    Internal(_CLIENT, "ResponseHandler.read", "waits for the head of a response"),
    Internal(_CLIENT, "ResponseHandler.exception", "shows whether parsing failed"),
    Internal(_CLIENT, "ResponseHandler.set_exception", "ends the wait for a response", ("exc", "exc_cause")),
    Internal(_CLIENT, "ResponseHandler.is_connected", "shows whether the connection can be kept"),
    Internal(_CLIENT, "ResponseHandler.should_close", "shows whether the connection can be kept"),
    Internal(_CLIENT, "ResponseHandler.force_close", "ends a connection that changed its protocol"),
    Internal(_CLIENT, "ResponseHandler.close", "closes the connection"),
    Internal(_CLIENT, "ResponseHandler.transport", "is written to"),
    Internal(_CLIENT, "ResponseHandler.writing_paused", "shows whether the server reads slowly"),
    Internal(_CLIENT, "ResponseHandler._drain_helper", "waits while the server reads slowly"),
    Internal(_CLIENT, "ResponseHandler._payload", "the body that fails when the connection is lost"),
    Internal("aiohttp.http", "RawResponseMessage", "the head of a response"),
    Internal("aiohttp.http", "RawResponseMessage.code", "the status of a response"),
    Internal("aiohttp.http", "RawResponseMessage.reason", "the status line's text"),
    Internal("aiohttp.http", "RawResponseMessage.raw_headers", "the headers as they arrived"),
    Internal("aiohttp.http_exceptions", "HttpProcessingError", "is raised for a response that is not HTTP"),
    Internal(_STREAM, "StreamReader", "the body of a message"),
    Internal(_STREAM, "StreamReader.is_eof", "shows whether all of a body has arrived"),
    Internal(_STREAM, "StreamReader.on_eof", "returns a connection at the end of the body", ("callback",)),
    Internal(_STREAM, "StreamReader.readany", "reads what has arrived"),
    Internal(_STREAM, "StreamReader.read_nowait", "reads a body that has arrived", ("n",)),
    Internal(_STREAM, "StreamReader.exception", "shows whether a body ended with an error"),
    Internal(_STREAM, "StreamReader.set_exception", "ends a body with an error", ("exc", "exc_cause")),
    Internal("aiohttp.web", "Server._kwargs", "the settings with which connections are created"),
    Internal(_SERVER, "RequestHandler", "the connection of a client"),
    Internal(
        _SERVER,
        "RequestHandler.handle_error",
        "is replaced: answers malformed requests",
        ("request", "status", "exc", "message"),
    ),
    Internal(_SERVER, "RequestHandler.connection_lost", "is extended", ("exc",)),
    Internal(_SERVER, "RequestHandler._messages", "requests that wait for an answer"),
    Internal(_SERVER, "RequestHandler._waiter", "exists while the connection waits for a request"),
    Internal(_SERVER, "RequestHandler._current_request", "the request that is being answered"),
    Internal(_SERVER, "RequestHandler.writing_paused", "shows whether the client reads slowly"),
    Internal(_SERVER, "RequestHandler._drain_helper", "waits while the client reads slowly"),
    Internal("aiohttp.web", "BaseRequest.protocol", "the connection of a request"),
    Internal("aiohttp.web", "BaseRequest.writer", "counts what was sent"),
    Internal("aiohttp.http_writer", "StreamWriter.output_size", "shows whether part of an answer was sent"),
    Internal("aiohttp.web", "StreamResponse.prepare", "is replaced: the answer has been sent", ("request",)),
    Internal("aiohttp.web", "StreamResponse.write_eof", "is replaced: the answer has been sent", ("data",)),
    Internal("aiohttp.web", "StreamResponse.keep_alive", "is replaced: whether another request may follow"),
    Internal("aiohttp.helpers", "rfc822_formatted_time", "the Date header"),
    Internal("aiohttp.http", "HttpVersion10", "the version of a request"),
    Internal("aiohttp.http", "HttpVersion11", "the version of a request"),
)


def missing() -> list[str]:
    """The internals that the installed version of aiohttp lacks, one sentence each."""
    return list(_problems())


def _problems() -> Iterator[str]:
    for internal in INTERNALS:
        problem = internal.problem()
        if problem is not None:
            yield f"aiohttp {aiohttp.__version__}: {internal} ({internal.use}): {problem}"


def _is_set_by_constructor(owner: object, name: str) -> bool:
    classes = owner.__mro__ if isinstance(owner, type) else ()
    constructors = [vars(one).get("__init__") for one in classes]
    return any(
        name in constructor.__code__.co_names
        for constructor in constructors
        if inspect.isfunction(constructor)
    )
