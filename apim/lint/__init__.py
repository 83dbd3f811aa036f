"""Finds errors in policies without running them.

`check` checks the declared service. It reports the errors of the compiler and the findings of the rules,
which have one module each; `rules` lists their names and remedies. The Pulumi program, which creates
nothing while there is an error, and `python -m twin lint` use the same rules. `check_once` skips services
that were checked before and had no findings.
"""

from apim.lint.all_rules import Surroundings, check
from apim.lint.rules import WARNINGS, is_warning
from apim.lint.verdicts import check_once

__all__ = ["WARNINGS", "Surroundings", "check", "check_once", "is_warning"]
