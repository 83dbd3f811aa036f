"""A stand-in for Jira Data Center: its REST API with the data of one sample site."""

from configuration.presets import jira as preset
from twin.jira.image import run
from twin.stand_in import Registration, StandIn, StandInArgs


def _create(args: StandInArgs) -> StandIn:
    from twin.jira.service import JiraStandIn  # noqa: PLC0415 -- only a twin that runs it needs it

    return JiraStandIn(args)


STAND_IN = Registration(
    service="jira",
    title="Jira",
    repository=preset.REPOSITORY,
    credential=preset.TOKEN.variable,
    ports=("Jira's stand-in",),
    run=run,
    create=_create,
)
