"""Finds errors in policies without running them.

`check` checks a whole service as it is declared. In addition to the errors of the compiler there is one
module for each rule; `rules` lists their names and remedies. The same rules are used by the Pulumi program,
which creates nothing while there is an error, and by `python -m twin lint`.
"""

from apim.lint.all_rules import Surroundings, check
from apim.lint.rules import WARNINGS, is_warning

__all__ = ["WARNINGS", "Surroundings", "check", "is_warning"]
