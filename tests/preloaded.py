"""Imports and compiles what Python commands of tests need, in the process from which they are forked.

That process imports this module once. A command that is forked from it has imported the twin, rendered
templates and compiled the expressions of a stack's policies.
"""

import gc

from apim.lint.subject import compiled
from tests.stacks import FUNCTIONS_ONLY
from twin import cli, eval_command, lint_command, session, stack
from twin.azure.cloud import Cloud
from twin.gateway_plan import LOCAL, plan_stack
from verify import command as verification

COMMANDS = (cli, eval_command, lint_command, session, verification)

stack.evaluate({**FUNCTIONS_ONLY, **LOCAL}, cloud=Cloud(gateway_url=LOCAL["localUrl"]))
# An evaluation compiles no policies that were checked before.
compiled(plan_stack({**FUNCTIONS_ONLY, **LOCAL}).service(), frozenset())
# The existing objects are not garbage, and memory pages that the collector does not write are not copied.
gc.freeze()
