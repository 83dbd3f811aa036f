"""Runs tests against each mutant of some templates: python -m tests.mutation policies/oauth/token.xml.j2."""

import argparse
import sys
from pathlib import Path

import pytest

from tests.mutation.plugin import ROOT, Mutation

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("template", nargs="+", type=Path, help="a file in policies/")
    parser.add_argument(
        "--tests", nargs="+", default=["tests/policies/oauth", "tests/policies/access"], metavar="PATH"
    )
    parser.add_argument(
        "--seconds", type=float, default=20, help="longest time of tests for each mutant (%(default)s)"
    )
    arguments = parser.parse_args()
    files = [str(template.resolve().relative_to(ROOT / "policies")) for template in arguments.template]
    options = [
        "-q",
        "-p",
        "no:xdist",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:unraisableexception",
        "-W",
        "ignore",
    ]
    sys.exit(pytest.main([*options, *arguments.tests], plugins=[Mutation(files, arguments.seconds)]))
