"""Checks a running stack from outside and through Azure Resource Manager, and prints a report.

    python -m verify http://localhost:8000     # the local twin
    make verify STACK=dev                      # a deployed stack

Each check is one row of the report: what was checked, the result, details, and the remedy if it failed. The
checks register one client, which expires by itself; they sign in, and end the sign-ins; and they save one
snippet, and delete it. They change nothing else. Their packages are the dependency group `verify`.
"""
