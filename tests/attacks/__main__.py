"""Writes the tables of docs/security-tests.md: python -m tests.attacks."""

from apim.page import replace_part
from tests.attacks.catalogue import PAGE, load, render

if __name__ == "__main__":
    for kind, entries in load().items():
        replace_part(kind, render(entries), PAGE)
