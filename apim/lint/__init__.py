"""What is wrong with policies, found without running them.

`check` looks at a whole service as it is declared. Beside what the compiler refuses there is one module for
each further rule; `rules` lists the names, and what mends each. The same rules serve the Pulumi program,
which creates nothing while there is a finding, and `python -m twin lint`.
"""

from apim.lint.all_rules import Surroundings, check
from apim.lint.rules import WARNINGS, is_warning

__all__ = ["WARNINGS", "Surroundings", "check", "is_warning"]
