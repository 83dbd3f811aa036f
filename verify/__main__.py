"""Runs the verification: `python -m verify --help`."""

import sys


def main() -> None:
    """Runs the command line, or prints how to install its packages."""
    try:
        from verify.command import app  # noqa: PLC0415 -- its packages are not those of `pulumi up`
    except ModuleNotFoundError as error:
        sys.exit(f"error: The package {error.name} is not installed. `make verify` installs it.")
    app(prog_name="python -m verify")


if __name__ == "__main__":
    main()
