"""A stand-in for Slack: its Web API over one invented workspace, and the proxy that leads to it."""

from twin.slack.app import create_app
from twin.slack.proxy import TlsProxy
from twin.slack.service import SlackStandIn
from twin.slack.workspace import Workspace

__all__ = ["SlackStandIn", "TlsProxy", "Workspace", "create_app"]
