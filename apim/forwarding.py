"""The request that goes to the backend."""

from collections.abc import AsyncIterator

from apim.csharp import context as csharp
from apim.network import Headers
from apim.run import Run, absolute

# Several values of these headers are sent as separate headers, those of other headers as one header
# (documentation of set-header).
_ONE_BY_ONE = frozenset(
    {
        "user-agent",
        "www-authenticate",
        "proxy-authenticate",
        "cookie",
        "set-cookie",
        "warning",
        "date",
        "expires",
        "if-modified-since",
        "if-unmodified-since",
        "last-modified",
        "retry-after",
    }
)


def field_lines(headers: csharp.Headers) -> Headers:
    """The headers as field lines (RFC 9110, 5.2): several values share one line where HTTP allows it."""
    pairs: Headers = []
    for name, values in headers.items():
        if len(values) == 1:
            pairs.append((name, values[0]))
        elif name.lower() in _ONE_BY_ONE:
            pairs += [(name, value) for value in values]
        elif values:
            pairs.append((name, ",".join(values)))
    return pairs


def backend_request(run: Run) -> tuple[str, str, Headers, bytes | AsyncIterator[bytes] | None]:
    """The method, URL, headers and body of the request to the backend.

    The client's Host is replaced by the backend's unless a policy has set another one. As in API Management,
    a body that an expression has read without `preserveContent` is not forwarded.
    """
    request = run.context.request
    headers = []
    for name, value in field_lines(request.headers):
        key = name.lower()
        if key == "content-length" or (key == "host" and value == run.original_host):
            continue
        headers.append((name, value))
    body: bytes | AsyncIterator[bytes] | None = None
    if run.request_stream is not None:
        body = run.request_stream
        run.request_stream = None
        if run.request_length is not None:
            headers.append(("Content-Length", run.request_length))
    elif request.body is not None:
        body = b"" if request.body.consumed else request.body.content
    return request.method, absolute(request.url), headers, body
