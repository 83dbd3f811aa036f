"""The workbook of the gateway in Azure Monitor: calls, their durations, and errors."""

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
from pulumi_azure_native import applicationinsights

from gateway import kql

_TITLE = "MCP gateway"
CHARTS = (
    ("traffic", "Requests at MCP servers"),
    ("latency", "Time taken by server and tool"),
    ("errors", "Requests that did not succeed"),
    ("sign-ins", "Sign-ins"),
    ("rejected-tokens", "Rejected tokens"),
    ("rate-limits", "Rate limits"),
    ("trace", "Latest audit records"),
)
_DAY = 24 * 60 * 60 * 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkbookArgs:
    """Arguments of `Workbook`.

    Attributes:
        resource_group_name: resource group of the workbook.
        location: the region.
        tags: its tags.
        workspace_id: resource id of the workspace that its queries read.
    """

    resource_group_name: pulumi.Input[str]
    location: str
    tags: Mapping[str, str]
    workspace_id: pulumi.Input[str]


class Workbook(pulumi.ComponentResource):
    """A shared workbook with one chart or table for each file below `kql/workbook`."""

    def __init__(self, name: str, args: WorkbookArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("mcp:gateway:Workbook", name, None, opts)
        applicationinsights.Workbook(
            f"{name}-charts",
            resource_group_name=args.resource_group_name,
            location=args.location,
            # The name of a workbook is a GUID; it is derived from the workspace, so every run has the same.
            resource_name_=pulumi.Output.from_input(args.workspace_id).apply(
                lambda workspace_id: str(uuid.uuid5(uuid.NAMESPACE_URL, f"{workspace_id}#{_TITLE}"))
            ),
            display_name=_TITLE,
            category="workbook",
            kind=applicationinsights.WorkbookSharedTypeKind.SHARED,
            source_id=args.workspace_id,
            serialized_data=pulumi.Output.from_input(args.workspace_id).apply(_content),
            version="Notebook/1.0",
            tags=args.tags,
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({})


def _content(workspace_id: str) -> str:
    """The workbook as JSON.

    https://github.com/microsoft/Application-Insights-Workbooks/blob/master/schema/workbook.json
    """
    return json.dumps(
        {
            "version": "Notebook/1.0",
            "items": [_time_range(), *(_chart(name, title) for name, title in CHARTS)],
            "fallbackResourceIds": [workspace_id],
        }
    )


def _time_range() -> Mapping[str, object]:
    return {
        "type": 9,
        "name": "parameters",
        "content": {
            "version": "KqlParameterItem/1.0",
            "style": "pills",
            "queryType": 0,
            "resourceType": "microsoft.operationalinsights/workspaces",
            "parameters": [
                {
                    "id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{_TITLE}#TimeRange")),
                    "version": "KqlParameterItem/1.0",
                    "name": "TimeRange",
                    "label": "Time range",
                    "type": 4,
                    "value": {"durationMs": _DAY},
                    "typeSettings": {
                        "selectableValues": [
                            {"durationMs": milliseconds}
                            for milliseconds in (_DAY // 24, _DAY, 7 * _DAY, 30 * _DAY)
                        ],
                        "allowCustom": True,
                    },
                }
            ],
        },
    }


def _chart(name: str, title: str) -> Mapping[str, object]:
    return {
        "type": 3,
        "name": name,
        "content": {
            "version": "KqlItem/1.0",
            "query": kql.query(f"workbook/{name}"),
            "size": 0,
            "title": title,
            "timeContextFromParameter": "TimeRange",
            "queryType": 0,
            "resourceType": "microsoft.operationalinsights/workspaces",
        },
    }
