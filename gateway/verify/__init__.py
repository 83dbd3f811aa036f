"""Checks a running stack from outside and through Azure Resource Manager, and reports what holds.

    python -m gateway.verify http://localhost:8000     # the local twin
    make verify STACK=dev                              # a deployed stack

Each check is one row of the report: what was checked, the result, details, and what to do when it failed. The
checks change nothing but one registration of a client, which expires by itself, the sign-ins, which they end,
and one snippet, which they delete. The packages that they need are the dependency group `verify`.
"""
