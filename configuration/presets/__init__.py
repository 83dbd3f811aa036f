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
"""The presets by their names in `backends`, in the order of the documentation."""
