"""Finds errors in policies without running them.

`check` checks the declared service. It reports the errors of the compiler and the findings of the rules,
which have one module each; `rules` lists their names and remedies. The Pulumi program, which creates
nothing while there is an error, and `python -m twin lint` use the same rules.
"""

from apim.lint.all_rules import Surroundings, check
from apim.lint.rules import WARNINGS, is_warning

__all__ = ["WARNINGS", "Surroundings", "check", "is_warning"]
