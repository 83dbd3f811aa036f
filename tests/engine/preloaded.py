"""What every program of a stack imports and compiles, for the server from which programs are forked.

The server imports this module once, which renders and checks the policies of a stack: every process that is
forked from it has compiled templates and expressions.
"""

from backends import registry
from gateway import gateway
from tests.stacks import FUNCTIONS_ONLY
from twin.gateway_plan import plan_stack

COMPONENTS = (gateway, registry)

plan_stack(FUNCTIONS_ONLY).check()
