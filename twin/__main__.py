"""`python -m twin`: the twin's command line."""

import gc
import os
import signal
import sys


def main() -> None:
    """Runs the command line."""
    if sys.argv[1:2] == ["up"]:
        # Until a service is running, Ctrl-C ends the process immediately, even during imports.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: os._exit(0))
        # A start creates many objects and frees few: garbage collection would take a fifth of the time.
        gc.disable()
    _occupy_standard_streams()
    from twin.cli import app  # noqa: PLC0415 - see above

    app(prog_name="python -m twin")


def _occupy_standard_streams() -> None:
    """Opens /dev/null for each closed standard stream, so that no socket gets its number."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:  # noqa: PLR2004 - standard error
        pass
    os.close(descriptor)
    # Python has None for a stream that was closed when it started.
    sys.stdout = sys.stdout or os.fdopen(1, "w", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", closefd=False)


if __name__ == "__main__":
    main()
