"""Runs the host: `python -m twin.functions --port 8005 --app functions_app ...`."""

import gc


def main() -> None:
    """Runs the command line."""
    # A start creates many objects and frees few: garbage collection would take an eighth of its time.
    gc.disable()
    import typer  # noqa: PLC0415 -- after the line above

    from twin.functions.command import run  # noqa: PLC0415 -- likewise

    typer.run(run)


if __name__ == "__main__":
    main()
