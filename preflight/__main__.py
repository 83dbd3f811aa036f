"""Checks a stack before it is deployed: `python -m preflight --stack dev`. Needs no Azure account."""

import argparse
import sys
from pathlib import Path

import pulumi
from pulumi.runtime import set_all_config
from pulumi.runtime.settings import reset_options

from apim import lint
from backends import registry
from configuration import stack_file
from configuration.unpinned import unpinned
from gateway import limits
from gateway.plan import plan_gateway
from preflight.deployer import prerequisites
from preflight.stack import NOT_READ
from settings import SettingsError, load

_ROOT = Path(__file__).resolve().parent.parent


def main(arguments: list[str] | None = None) -> int:
    """Runs the checks; returns the exit status, which is 1 if the deployment would fail."""
    parser = argparse.ArgumentParser(
        prog="python -m preflight", description="Checks a stack before it is deployed."
    )
    parser.add_argument("--stack", default="dev", help="name of the stack (dev)")
    stack = parser.parse_args(arguments).stack
    try:
        configuration = stack_file.load(_ROOT, stack, encrypted=NOT_READ)
    except stack_file.ConfigurationError as error:
        return _fail(str(error))
    reset_options(project=configuration.project, stack=configuration.stack)
    set_all_config(dict(configuration.values), sorted(configuration.secret_keys))
    try:
        settings = load()
    except SettingsError as error:
        return _fail(str(error))
    backends = registry.describe(settings)
    plan = plan_gateway(settings, backends, registry.hosted(settings))
    policy_findings = plan.findings()
    limit_findings = list(limits.findings(settings, plan))
    for finding in policy_findings:
        kind = "warning" if lint.is_warning(finding) else "error"
        _print(f"{kind}: {finding.document}:{finding.line}: {finding.code}: {finding.message}")
    for finding in limit_findings:
        _print(f"{'warning' if finding.warning else 'error'}: {finding.message}")
    failed = not (
        all(map(lint.is_warning, policy_findings)) and all(finding.warning for finding in limit_findings)
    )
    for image in unpinned(settings.presets, settings.containers):
        _print(
            f"warning: {image.image} is not pinned by digest: its tag can be moved to another image.\n"
            f"  > make pin STACK={stack}"
        )
    if configuration.encrypted:
        _print(
            "Not checked, because only the Pulumi CLI can decrypt these settings: "
            f"{', '.join(configuration.encrypted)}."
        )
    _print(
        f"Stack {stack}: {settings.sku} in {settings.location}, {len(plan.apis)} APIs, "
        f"{len(plan.named_values)} named values, {len(plan.fragments)} fragments."
    )
    for prerequisite in prerequisites(settings, backends):
        _print(f"\n{prerequisite.description}")
        for command in prerequisite.commands:
            _print(f"  > {command}")
    _print(
        "\nThe deployment would fail. Fix the errors above." if failed else "\nThe checks found no errors."
    )
    return int(failed)


def _fail(message: str) -> int:
    print(message, file=sys.stderr)  # noqa: T201 -- a command line
    return 1


def _print(line: str) -> None:
    print(line)  # noqa: T201 -- a command line


if __name__ == "__main__":
    try:
        sys.exit(main())
    except pulumi.RunError as failure:
        sys.exit(_fail(str(failure)))
