"""A stand-in for Slack: its Web API with the data of one sample workspace, and a proxy to it."""

from configuration.presets import slack as preset
from twin.slack.image import run
from twin.stand_in import Registration, StandIn, StandInArgs


def _create(args: StandInArgs) -> StandIn:
    from twin.slack.service import SlackStandIn  # noqa: PLC0415 -- only a twin that runs it needs it

    return SlackStandIn(args)


STAND_IN = Registration(
    service="slack",
    title="Slack",
    repository=preset.REPOSITORY,
    credential=preset.TOKEN.variable,
    ports=("Slack's stand-in", "its proxy"),
    run=run,
    create=_create,
)
