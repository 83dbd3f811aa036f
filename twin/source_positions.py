"""Skips the source positions of resources, which take a third of the time of an evaluation.

Pulumi's SDK sends the stack trace of each registration to the engine, which shows it in Pulumi Cloud. The
evaluation of a stack in the twin does not need it.
"""

from pulumi.runtime import resource
from pulumi.runtime.proto import source_pb2


def skip_source_positions() -> None:
    """Makes Pulumi's SDK register resources without a stack trace; Pulumi has no setting for this."""
    vars(resource)["_get_stack_trace"] = source_pb2.StackTrace
