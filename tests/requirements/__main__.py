"""Writes the table of requirements in docs/authorization.md: python -m tests.requirements."""

from apim.page import replace_part
from tests.requirements.matrix import PAGE, find_tests, load, render

if __name__ == "__main__":
    replace_part("requirements", render(load(), find_tests()), PAGE)
