"""The credentials with which the project's own containers sign in to Slack and Jira."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from configuration import declared
from configuration.reader import Reader
from configuration.setting import NOT_SET, Secret, Text

# https://docs.slack.dev/authentication/tokens
_BOT_TOKEN = re.compile(r"xoxb-[A-Za-z0-9-]{10,200}", re.ASCII)

NOT_READ = "twin"
"""In the twin: the value of a secret that only the Pulumi CLI can decrypt. The backend gets a stand-in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slack:
    """How Slack's server signs in to Slack.

    Attributes:
        bot_token: Slack's token of the bot that the server acts as.
    """

    bot_token: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Jira:
    """How Jira's server signs in to Jira.

    Attributes:
        url: URL of Jira.
        username: the account that the token belongs to.
        api_token: Jira's token of the user that the server acts as.
    """

    url: str
    username: str
    api_token: str = field(repr=False)


# In the twin, a backend of which a stack sets no setting uses a stand-in, which accepts these values.
NO_SLACK = Slack(bot_token="xoxb-twin")  # noqa: S106 -- not a token
NO_JIRA = Jira(url="https://jira.example", username="twin@example.com", api_token="twin")  # noqa: S106 -- likewise


def slack(reader: Reader, backends: tuple[str, ...]) -> Slack:
    """Slack's credentials; a placeholder when the backend is off or the twin has a stand-in for it."""
    setting = declared.SLACK_BOT_TOKEN
    values = _complete(reader, "slack" in backends, "slack", setting)
    token = values.get("slackBotToken")
    if token is None:
        return NO_SLACK
    if not _BOT_TOKEN.fullmatch(token):
        setting.reject(reader, "It is not a bot token: those begin with xoxb-.")
    return Slack(bot_token=token)


def jira(reader: Reader, backends: tuple[str, ...]) -> Jira:
    """Jira's credentials; a placeholder when the backend is off or the twin has a stand-in for it."""
    settings = (declared.JIRA_URL, declared.JIRA_USERNAME, declared.JIRA_API_TOKEN)
    values = _complete(reader, "jira" in backends, "jira", *settings)
    if not values:
        return NO_JIRA
    url, username, token = (values[key] for key in ("jiraUrl", "jiraUsername", "jiraApiToken"))
    if not _is_https(url):
        declared.JIRA_URL.reject(
            reader, f"'{url}' is not a URL with https, a host and nothing after its path."
        )
    if not username.isprintable() or len(username) > 254:  # noqa: PLR2004 -- RFC 3696, an address's length
        declared.JIRA_USERNAME.reject(reader, "It is not an e-mail address or a user's name.")
    if not re.fullmatch(r"[!-~]{8,1024}", token):
        declared.JIRA_API_TOKEN.reject(
            reader, "It is shorter than 8 characters, or has characters that no token has."
        )
    return Jira(url=url.rstrip("/"), username=username, api_token=token)


def _complete(reader: Reader, on: bool, backend: str, *settings: Text | Secret) -> Mapping[str, str]:
    """The values of all settings of a backend, or none of them.

    Each missing setting of a backend that is on is reported, except in the twin when it has none at all or
    its secret is not read.
    """
    values = {setting.key: setting.read(reader) for setting in settings}
    if not on or (reader.local and (not any(values.values()) or NOT_READ in values.values())):
        return {}
    for setting in settings:
        if not values[setting.key]:
            reader.reject(
                setting.key,
                NOT_SET,
                f"The backend '{backend}' is on and needs {', '.join(values)}. To switch it off, remove it "
                "from `backends`.",
                setting.command,
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
