"""Imports and compiles what Python commands of tests need, in the process from which they are forked.

That process imports this module once. A command that is forked from it has imported the twin, rendered
templates and compiled the expressions of a stack's policies.
"""

import faulthandler
import gc
import os

from uvicorn.protocols.http import h11_impl

from apim import coverage
from apim.compiled import CompiledService
from apim.lint.subject import compiled
from tests.stacks import FUNCTIONS_ONLY
from twin import blob_client, cli, eval_command, hosted_service, lazy_app, lint_command, session, stack
from twin.azure.cloud import Cloud
from twin.foundry import service as foundry
from twin.gateway_plan import LOCAL, plan_stack
from verify import command as verification

COMMANDS = (cli, eval_command, lint_command, session, verification)
LATER_IMPORTS = (blob_client, foundry, hosted_service, lazy_app, h11_impl)
"""What a twin imports while it starts."""

# Prints the stack of this process if the code below takes so long that the tests time out.
faulthandler.dump_traceback_later(100)
stack.evaluate({**FUNCTIONS_ONLY, **LOCAL}, cloud=Cloud(gateway_url=LOCAL["localUrl"]))
# The evaluation compiles no policies whose checks have a stored result, so they are compiled here.
compiled(plan_stack({**FUNCTIONS_ONLY, **LOCAL}).service(), frozenset())
if coverage.FOLDER in os.environ:
    # C# that counts the outcomes of its decisions is compiled separately.
    CompiledService(plan_stack(LOCAL).service(), counted=True)
# The existing objects are not garbage, and memory pages that the collector does not write are not copied.
gc.freeze()
faulthandler.cancel_dump_traceback_later()
