"""A stand-in for Jira Data Center: its REST API over one invented site."""

from twin.jira.app import create_app
from twin.jira.service import JiraStandIn
from twin.jira.site import Site

__all__ = ["JiraStandIn", "Site", "create_app"]
