"""Imports and compiles what every program of a stack needs, in the server from which programs are forked.

The server imports this module once, which evaluates a stack under mocks. Every process that is forked from it
has compiled templates and expressions, and the classes of the resources with their types.
"""

import gc

from apim.lint.subject import compiled
from tests.engine.stacks import DEV, SMALL
from twin.gateway_plan import plan_stack
from twin.stack import evaluate

evaluate(SMALL.values, SMALL.secrets)
# The evaluation compiles no policies whose checks have a stored result, so they are compiled here.
compiled(plan_stack(DEV.values, DEV.secrets).service(), frozenset())
# The existing objects are not garbage, and memory pages that the collector does not write are not copied.
gc.freeze()
