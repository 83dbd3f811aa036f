"""Prepares the first start of the twin: `python -m twin.first_start`.

make runs it once, after the installation. It imports the modules that `make up` needs and evaluates the dev
stack. Afterwards, Python's bytecode, the compiled templates and the record of the checked policies exist, so
that the first start is fast. It starts no service.
"""

import importlib
from pathlib import Path
from tempfile import TemporaryDirectory

from twin.plan import Options, create_plan
from twin.stand_ins import HOSTED_STAND_INS, STAND_INS
from twin.state import StateFolder

_MODULES = ("twin.cli", "twin.session", "twin.blob_client", "twin.functions.command")


def prepare() -> None:
    """Imports the modules and evaluates the dev stack.

    Raises:
        StackError: the stack cannot be evaluated.
    """
    services = (f"twin.{stand_in.service}.service" for stand_in in (*STAND_INS, *HOSTED_STAND_INS))
    for name in (*_MODULES, *services):
        importlib.import_module(name)
    with TemporaryDirectory() as folder, StateFolder(Path(folder) / "state") as state:
        create_plan(Options(state=state.path, admit_agents=True), state)


if __name__ == "__main__":
    prepare()
