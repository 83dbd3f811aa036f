"""Runs tests against each mutant of some templates: python -m tests.mutation policies/oauth/token.xml.j2."""

import argparse
import sys
from pathlib import Path

import pytest

from tests.mutation.plugin import ROOT, Mutation

TESTS = [
    *(f"tests/policies/{folder}" for folder in ("oauth", "access", "registry")),
    "tests/attacks",
    "tests/failures",
]

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("template", nargs="+", type=Path, help="a file in policies/")
    parser.add_argument("--tests", nargs="+", default=TESTS, metavar="PATH")
    parser.add_argument(
        "--seconds", type=float, default=20, help="longest time of tests for each mutant (%(default)s)"
    )
    parser.add_argument(
        "--saved",
        type=Path,
        metavar="FILE",
        help="a file for the lines that each test covers; a later command with the same tests reads it",
    )
    arguments = parser.parse_args()
    files = [str(template.resolve().relative_to(ROOT / "policies")) for template in arguments.template]
    plugins = [f"-p no:{name}" for name in ("xdist", "cacheprovider", "unraisableexception")]
    # Only the names of failed tests are used, so that pytest need not explain the failures.
    brief = ["-q", "-W", "ignore", "--assert=plain", "--tb=native"]
    mutation = Mutation(files, arguments.seconds, arguments.saved)
    sys.exit(pytest.main([*brief, *plugins, *arguments.tests], plugins=[mutation]))
