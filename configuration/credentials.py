"""With what the project's own containers sign in at Slack and Jira, and which images they are."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from configuration.reader import Reader

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}", re.ASCII)
# https://docs.slack.dev/authentication/tokens
_BOT_TOKEN = re.compile(r"xoxb-[A-Za-z0-9-]{10,200}", re.ASCII)

_EXAMPLES = {
    "slackBotToken": "--secret slackBotToken",
    "jiraUrl": "jiraUrl https://example.atlassian.net",
    "jiraUsername": "jiraUsername you@example.com",
    "jiraApiToken": "--secret jiraApiToken",
}
_SECRETS = ("slackBotToken", "jiraApiToken")

NOT_READ = "twin"
"""In the twin: the value of a secret that only the Pulumi CLI can decrypt. The backend gets a stand-in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slack:
    """How Slack's server signs in there.

    Attributes:
        bot_token: Slack's token of the bot that the server acts as.
    """

    bot_token: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Jira:
    """How Jira's server signs in there.

    Attributes:
        url: where Jira is.
        username: whose token it is.
        api_token: Jira's token of the user that the server acts as.
    """

    url: str
    username: str
    api_token: str = field(repr=False)


# In the twin, a stack that sets none of a backend's keys talks to a stand-in, which takes these values.
NO_SLACK = Slack(bot_token="xoxb-twin")  # noqa: S106 -- it is none
NO_JIRA = Jira(url="https://jira.example", username="twin@example.com", api_token="twin")  # noqa: S106 -- likewise


def slack(reader: Reader, backends: tuple[str, ...]) -> Slack:
    """Slack's settings; those of nobody when the backend is off or the twin has a stand-in for it."""
    values = _complete(reader, "slack" in backends, "slack", "slackBotToken")
    token = values.get("slackBotToken")
    if token is None:
        return NO_SLACK
    if not _BOT_TOKEN.fullmatch(token):
        reader.reject(
            "slackBotToken",
            "It is not a bot token: those begin with xoxb-.",
            "It is the Bot User OAuth Token that a Slack app shows under OAuth & Permissions; a user's token "
            "(xoxp-) would let everybody act as that user.",
            "pulumi config set --secret slackBotToken",
        )
    return Slack(bot_token=token)


def jira(reader: Reader, backends: tuple[str, ...]) -> Jira:
    """Jira's settings; those of nobody when the backend is off or the twin has a stand-in for it."""
    values = _complete(reader, "jira" in backends, "jira", "jiraUrl", "jiraUsername", "jiraApiToken")
    if not values:
        return NO_JIRA
    url, username, token = (values[key] for key in ("jiraUrl", "jiraUsername", "jiraApiToken"))
    if not _is_https(url):
        reader.reject(
            "jiraUrl",
            f"'{url}' is not a URL with https, a host and nothing after its path.",
            "The API token is sent there; without TLS it is sent to everybody on the way.",
            f"pulumi config set {_EXAMPLES['jiraUrl']}",
        )
    if not username.isprintable() or len(username) > 254:  # noqa: PLR2004 -- RFC 3696, an address's length
        reader.reject(
            "jiraUsername",
            "It is not an e-mail address or a user's name.",
            "It is whose API token Jira is given.",
            f"pulumi config set {_EXAMPLES['jiraUsername']}",
        )
    if not re.fullmatch(r"[!-~]{8,1024}", token):
        reader.reject(
            "jiraApiToken",
            "It is shorter than 8 characters, or has some that no token has.",
            "It is made at id.atlassian.com under Security, API tokens.",
            "pulumi config set --secret jiraApiToken",
        )
    return Jira(url=url.rstrip("/"), username=username, api_token=token)


def digest(reader: Reader, key: str) -> str | None:
    """The digest to which an image is pinned beside its version, or None."""
    value = reader.peek(key)
    if value and not _DIGEST.fullmatch(value):
        reader.reject(
            key,
            f"'{value}' is not a digest.",
            "It is sha256: and 64 small hexadecimal digits, as `docker buildx imagetools inspect` prints it.",
            f"pulumi config rm {key}",
        )
    return value or None


def _complete(reader: Reader, on: bool, backend: str, *keys: str) -> Mapping[str, str]:
    """The values of all keys of a backend, or none of them.

    Each missing key of a backend that is on is reported, except in the twin when it has none at all or its
    secret is not read.
    """
    values = {key: reader.secret(key) if key in _SECRETS else reader.peek(key) for key in keys}
    if not on or (reader.local and (not any(values.values()) or NOT_READ in values.values())):
        return {}
    for key in keys:
        if not values[key]:
            reader.reject(
                key,
                "It is not set.",
                f"The backend '{backend}' is on and needs {', '.join(keys)}. To leave it off, take it out of "
                "`backends`.",
                f"pulumi config set {_EXAMPLES[key]}",
            )
    return values if all(values.values()) else {}


def _is_https(text: str) -> bool:
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        return False
    return (
        parts.scheme == "https"
        and bool(re.fullmatch(r"[A-Za-z0-9.-]+", parts.hostname or "", re.ASCII))
        and "@" not in parts.netloc
        and bool(re.fullmatch(r"[A-Za-z0-9/._~-]*", parts.path, re.ASCII))
        and not set(text) & set("?#")
    )
