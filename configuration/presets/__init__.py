"""The project's own MCP servers that are container images, one module for each."""

from collections.abc import Mapping

from configuration.preset import Preset
from configuration.presets import jira, slack

PRESETS: Mapping[str, Preset] = {
    preset.container.name: preset
    for preset in (
        slack.PRESET,
        jira.PRESET,
    )
}
"""By the name that they have in `backends`, in the order of the documentation."""
