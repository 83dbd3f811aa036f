"""A simulated user with a browser: opens links, reads pages, presses buttons, keeps cookies.

Browsers send `Secure` cookies over http to localhost, but Python's cookie jars do not, so this module manages
the cookies itself.
"""

import re
from dataclasses import dataclass, field
from html import unescape
from html.parser import HTMLParser
from urllib.parse import urlencode, urljoin, urlsplit

import httpx


@dataclass
class Form:
    """A form of a page.

    Attributes:
        action: the URL to which the form is sent.
        method: the method, in lower case.
        fields: the hidden fields.
        boxes: the required checkboxes, which the user checks before pressing a button that needs them.
        unchecked: the labels of the buttons that need no checked checkbox.
        buttons: the name and value that each button sends, by its label.
    """

    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)
    boxes: dict[str, str] = field(default_factory=dict)
    unchecked: set[str] = field(default_factory=set)
    buttons: dict[str, tuple[str, str] | None] = field(default_factory=dict)


class _FormReader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self._button: tuple[str, str] | None = None
        self._label: list[str] | None = None
        self._validated = True

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append(Form(attributes.get("action", ""), attributes.get("method", "get").lower()))
        elif tag == "input" and attributes.get("type") == "hidden":
            self.forms[-1].fields[attributes["name"]] = attributes.get("value", "")
        elif tag == "input" and attributes.get("type") == "checkbox" and "required" in attributes:
            self.forms[-1].boxes[attributes["name"]] = attributes.get("value", "on")
        elif tag == "button" and self.forms:
            self._validated = "formnovalidate" not in attributes
            self._button = (attributes["name"], attributes.get("value", "")) if "name" in attributes else None
            self._label = []

    def handle_data(self, data: str) -> None:
        if self._label is not None:
            self._label.append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag == "button" and self._label is not None:
            label = " ".join("".join(self._label).split())
            self.forms[-1].buttons[label] = self._button
            if not self._validated:
                self.forms[-1].unchecked.add(label)
            self._label = None


@dataclass(frozen=True)
class Page:
    """The page in the browser, or the client's URL at which the browser stopped (then `response` is None)."""

    url: str
    response: httpx.Response | None

    @property
    def html(self) -> str:
        assert self.response is not None, f"the browser has left for {self.url}"
        return self.response.text

    @property
    def status(self) -> int:
        assert self.response is not None, f"the browser has left for {self.url}"
        return self.response.status_code

    def forms(self) -> list[Form]:
        reader = _FormReader()
        reader.feed(self.html)
        return reader.forms


class Person:
    """One person with one browser profile.

    Args:
        name: the test user who signs in.
        stay_at: origins that the browser visits; any other URL is a client's redirect URI, at which it stops.
        http: the HTTP client; it must not keep cookies.
    """

    def __init__(self, name: str, stay_at: tuple[str, ...], http: httpx.Client) -> None:
        self.name = name
        self.cookies: dict[str, dict[str, str]] = {}
        self._stay_at = stay_at
        self._http = http

    def open(self, url: str) -> Page:
        """Follows a link."""
        return self._go("GET", url)

    def press(self, page: Page, label: str, **changed: str) -> Page:
        """Presses the first button whose label contains `label`; `changed` replaces hidden fields."""
        for form in page.forms():
            for text, button in form.buttons.items():
                if label in text:
                    ticked = {} if text in form.unchecked else form.boxes
                    data = form.fields | ticked | changed | (dict([button]) if button else {})
                    return self._go(form.method.upper(), urljoin(page.url, form.action), data)
        raise AssertionError(f"no button {label!r} on {page.url} ({page.status}): {page.html[:2000]}")

    def sign_in(self, url: str) -> str:
        """Allows the client, signs in, and returns the client's URL at which the browser stops."""
        page = self.press(self.open(url), "Allow")
        if page.response is not None:
            page = self.press(page, self.name)
        assert page.response is None, f"still at {page.url} ({page.status}): {page.html[:2000]}"
        return page.url

    def _go(self, method: str, url: str, data: dict[str, str] | None = None) -> Page:
        origin_of_form = "{0.scheme}://{0.netloc}".format(urlsplit(url))
        for _ in range(10):
            parts = urlsplit(url)
            if f"{parts.scheme}://{parts.netloc}" not in self._stay_at:
                return Page(url, None)
            jar = self.cookies.setdefault(parts.hostname or "", {})
            headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in jar.items())} if jar else {}
            content = None
            if method == "POST":
                headers |= {"Origin": origin_of_form, "Content-Type": "application/x-www-form-urlencoded"}
                content = urlencode(data or {})
            response = self._http.request(method, url, headers=headers, content=content)
            for line in response.headers.get_list("set-cookie"):
                pair, _, attributes = line.partition(";")
                name, _, value = pair.strip().partition("=")
                if "max-age=0" in attributes.lower():
                    jar.pop(name, None)
                else:
                    jar[name] = value
            opened = re.findall(r'<meta http-equiv="refresh" content="0; url=([^"]*)">', response.text)
            if opened:
                return Page(unescape(opened[0]), None)
            if response.status_code not in (301, 302, 303, 307):
                return Page(url, response)
            url, method, data = urljoin(url, response.headers["location"]), "GET", None
        raise AssertionError(f"too many redirects, last to {url}")
