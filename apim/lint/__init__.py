"""Finds errors in policies without running them.

`check` checks the declared service. It reports the errors of the compiler and the findings of the rules,
which have one module each; `rules` lists their names and remedies. The Pulumi program, which creates
nothing while there is an error, and `python -m twin lint` use the same rules. `check_once` skips services
that were checked before and had no findings.
"""

from apim.lint.all_rules import ServiceFacts, check
from apim.lint.records import check_once
from apim.lint.rules import WARNINGS, is_warning

__all__ = ["WARNINGS", "ServiceFacts", "check", "check_once", "is_warning"]
