"""The import rules of docs/architecture.md."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import pytest

from twin.stand_ins import HOSTED_STAND_INS, STAND_INS

ROOT = Path(__file__).resolve().parent.parent
# For each part of the repository, the packages and modules of the project that it may import.
ALLOWED = {
    "__main__.py": {"settings", "gateway", "backends"},
    "settings.py": {"configuration"},
    "configuration": {"configuration"},
    # The program checks its policies with the rules of the policy engine.
    "gateway": {
        "gateway",
        "settings",
        # Records of settings, which components use as arguments.
        "configuration.address",
        "configuration.existing",
        "configuration.network",
        "configuration.region",
        "configuration.resource_id",
        "configuration.scale",
        "apim.findings",
        "apim.lint",
        "apim.named_values",
        # Rendered policies are indented by their elements.
        "apim.rawxml",
        "apim.service",
        "apim.source_map",
    },
    # An operator's commands, which need only the store.
    "gateway/admin": {"gateway"},
    "backends": {
        "backends",
        "gateway.account",
        "gateway.backend",
        "gateway.backend_context",
        "gateway.network",
        "gateway.propagation",
        "gateway.vault",
        "settings",
        "configuration",
    },
    # Separate programs: one makes the checks of the program without deploying, the other compares a running
    # stack with the plan of its configuration.
    "preflight": {"preflight", "apim.lint", "backends", "configuration", "gateway", "settings"},
    "verify": {
        "verify",
        "gateway",
        "settings",
        "configuration",
        "backends.registry",
        "apim.findings",
        "apim.rawxml",
        "apim.readings",
    },
    # A separate program, for stacks of any program.
    "policy_pack": set(),
    "functions_app": set(),
    # A separate program, which reads the outputs of a stack.
    "agent_demo": {"agent_demo", "configuration.stack_outputs"},
    "apim": {"apim"},
    "scripts": set(),
    "twin": {"twin", "apim", "gateway", "backends", "settings", "configuration"},
}
# These may import everything, and the project never imports them.
HARNESSES = {"tests", "benchmarks"}
# The top-level packages and modules of the repository.
PARTS = {
    path.name
    for path in ROOT.iterdir()
    if path.suffix == ".py" or (path.is_dir() and not path.name.startswith(".") and any(path.glob("*.py")))
}
OURS = {name.removesuffix(".py") for name in PARTS}


def import_statements(statements: Iterable[ast.stmt]) -> Iterator[ast.Import | ast.ImportFrom]:
    """The imports among statements and in their blocks, such as functions; expressions have none."""
    for statement in statements:
        if isinstance(statement, ast.Import | ast.ImportFrom):
            yield statement
        for block in ("body", "orelse", "finalbody", "handlers", "cases"):
            yield from import_statements(getattr(statement, block, ()))


@cache
def imports_of(file: Path) -> tuple[ast.Import | ast.ImportFrom, ...]:
    return tuple(import_statements(ast.parse(file.read_text(encoding="utf-8")).body))


def imports(file: Path) -> Iterator[str]:
    """The full names of the modules that a file imports."""
    for node in imports_of(file):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif node.level == 0 and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def python_files(path: Path) -> list[Path]:
    return sorted(path.rglob("*.py")) if path.is_dir() else [path]


def files(part: str) -> list[Path]:
    modules = python_files(ROOT / part)
    # A part within this one has separate rules.
    inner = [ROOT / other for other in ALLOWED if other.startswith(f"{part}/")]
    modules = [file for file in modules if not any(file.is_relative_to(folder) for folder in inner)]
    assert modules, f"there is no {part}"
    return modules


def may_import(part: str, name: str) -> bool:
    """Whether a part may import a module: an external one, an allowed one, or a package of an allowed one."""
    if name.partition(".")[0] not in OURS:
        return True
    return any(
        f"{name}.".startswith(f"{allowed}.") or allowed.startswith(f"{name}.") for allowed in ALLOWED[part]
    )


def test_each_part_of_the_repository_has_a_rule() -> None:
    assert {part.partition("/")[0] for part in ALLOWED} | HARNESSES == PARTS


@pytest.mark.parametrize("part", ALLOWED)
def test_a_part_imports_only_allowed_modules(part: str) -> None:
    wrong = {
        f"{file.relative_to(ROOT)} imports {name}"
        for file in files(part)
        for name in imports(file)
        if not may_import(part, name)
    }
    assert wrong == set()


@pytest.mark.parametrize(
    "module", ["gateway/backend.py", "gateway/api.py", "gateway/mcp_api.py", "gateway/oauth_api.py"]
)
def test_modules_that_describe_apis_and_backends_do_not_import_pulumi(module: str) -> None:
    assert {name for name in imports(ROOT / module) if "pulumi" in name} == set()


def test_the_code_that_runs_on_functions_does_not_import_pulumi() -> None:
    assert {name for file in files("functions_app") for name in imports(file) if "pulumi" in name} == set()


def test_the_policy_engine_does_not_import_pulumi() -> None:
    assert {name for file in files("apim") for name in imports(file) if "pulumi" in name} == set()


def test_the_csharp_evaluator_does_not_import_the_policy_engine() -> None:
    wrong = {
        f"{file.name} imports {name}"
        for file in files("apim/csharp")
        for name in imports(file)
        if name.startswith("apim.") and not name.startswith("apim.csharp")
    }
    assert wrong == set()


# The packages of the C# evaluator, the lowest layer first; each may import those before it.
EVALUATOR_LAYERS = (
    "errors",
    "language",
    "dotnet",
    "json",
    "context",
    "members",
    "lowering",
    "expression",
    "golden",
)


def imported_modules(file: Path, known: set[str]) -> set[str]:
    """The modules among `known` that a file imports, wherever the import is in the file."""
    names = set(imports(file))
    # `from package import module` also names the package, which counts only if it defines the name.
    submodules = {name.rpartition(".")[0] for name in names if name in known}
    return {name for name in names if name in known and name not in submodules} | {
        node.module
        for node in imports_of(file)
        if isinstance(node, ast.ImportFrom)
        and node.module in known
        and any(f"{node.module}.{alias.name}" not in known for alias in node.names)
    }


def module_name(file: Path) -> str:
    return ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def cycle_in(graph: dict[str, set[str]]) -> list[str]:
    """The modules of one cycle, in the order in which they import each other; empty when there is none."""
    done: set[str] = set()

    def visit(name: str, path: list[str]) -> list[str]:
        if name in path:
            return [*path[path.index(name) :], name]
        if name not in done:
            for imported in sorted(graph[name]):
                if cycle := visit(imported, [*path, name]):
                    return cycle
            done.add(name)
        return []

    return next((cycle for name in sorted(graph) if (cycle := visit(name, []))), [])


def test_the_check_finds_a_cycle_of_imports() -> None:
    assert cycle_in({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c", "b"]
    assert cycle_in({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []


def test_no_cycle_of_imports_exists() -> None:
    """Imports for types count, and imports within functions."""
    modules = {module_name(file): file for part in PARTS for file in python_files(ROOT / part)}
    graph = {name: imported_modules(file, set(modules)) - {name} for name, file in modules.items()}
    assert cycle_in(graph) == []


def test_packages_do_not_import_each_other_in_a_cycle() -> None:
    """The modules and subpackages in a package have no cycle either; a subpackage counts as one module."""
    modules = {module_name(file): file for part in PARTS - HARNESSES for file in python_files(ROOT / part)}
    imported = {name: imported_modules(file, set(modules)) for name, file in modules.items()}
    packages = {"", *(name.rpartition(".")[0] for name in modules)}
    cycles = {}
    for package in packages:
        graph: dict[str, set[str]] = {}
        for name, others in imported.items():
            if child := child_of(package, name):
                graph.setdefault(child, set()).update(
                    other for module in others if (other := child_of(package, module)) and other != child
                )
        cycles[package] = cycle_in(graph)
    assert {package: cycle for package, cycle in cycles.items() if cycle} == {}


def child_of(package: str, module: str) -> str:
    """The child of a package that is a module or contains it; "" if the module is elsewhere."""
    if package and not module.startswith(f"{package}."):
        return ""
    return module.removeprefix(f"{package}.").partition(".")[0]


def test_a_package_of_the_evaluator_imports_only_packages_of_lower_layers() -> None:
    def layer(name: str) -> int:
        return EVALUATOR_LAYERS.index(name.split(".")[2])

    modules = {module_name(file): file for file in files("apim/csharp") if module_name(file) != "apim.csharp"}
    wrong = {
        f"{name} imports {imported}"
        for name, file in modules.items()
        for imported in imported_modules(file, set(modules))
        if layer(imported) > layer(name)
    }
    assert wrong == set()


def test_lowering_does_not_import_the_members_of_particular_types() -> None:
    names = {name for file in files("apim/csharp/lowering") for name in imports(file)}
    assert {name for name in names if name.startswith("apim.csharp.members")} == set()


def test_only_apim_http_uses_the_http_library() -> None:
    others = [file for file in files("apim") if not file.is_relative_to(ROOT / "apim/http")]
    users = {
        f"{file.relative_to(ROOT)} imports {name}"
        for file in others
        for name in imports(file)
        if f"{name}.".startswith(("aiohttp.", "apim.http."))
    }
    assert users == set()


def test_the_policy_engine_has_no_type_checking_imports() -> None:
    wrong = {
        str(file.relative_to(ROOT)) for file in files("apim") if "TYPE_CHECKING" in file.read_text("utf-8")
    }
    assert wrong == set()


def test_the_policy_engine_imports_at_the_top_of_its_modules() -> None:
    wrong = {
        f"{file.relative_to(ROOT)}, line {node.lineno}"
        for file in files("apim")
        for node in imports_of(file)
        if node.col_offset
    }
    assert wrong == set()


def _names_of_pulumi(file: Path) -> set[str]:
    """The names that a file imports from Pulumi and from the SDKs of its providers."""
    return {
        (alias.asname or alias.name).partition(".")[0]
        for node in imports_of(file)
        for alias in node.names
        if (node.module or "" if isinstance(node, ast.ImportFrom) else alias.name).startswith("pulumi")
    }


def test_no_module_reads_configuration_or_declares_a_resource_when_it_is_imported() -> None:
    """Imports have no effects: outside functions and classes, nothing of Pulumi is called."""
    calls = {
        f"{file.relative_to(ROOT)}, line {call.lineno}"
        for part in ("settings.py", "configuration", "gateway", "backends")
        for file in files(part)
        for statement in ast.parse(file.read_text(encoding="utf-8")).body
        if not isinstance(statement, ast.FunctionDef | ast.ClassDef | ast.If)
        for call in ast.walk(statement)
        if isinstance(call, ast.Call) and ast.unparse(call.func).partition(".")[0] in _names_of_pulumi(file)
    }
    assert calls == set()


_CHANGES_REGISTRATIONS = re.compile(r"\b(register_stack_transformation|register_resource_transform|gc)\b")


def test_the_program_changes_neither_registrations_of_resources_nor_garbage_collection() -> None:
    """Speed-ups of in-process evaluations belong to the twin's harness."""
    calls = {
        f"{file.relative_to(ROOT)} calls {ast.unparse(call.func)}"
        for part in ("__main__.py", "settings.py", "configuration", "gateway", "backends")
        for file in files(part)
        for call in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call) and _CHANGES_REGISTRATIONS.search(ast.unparse(call.func))
    }
    assert calls == set()


def _provider_names(module: ast.Module) -> set[str]:
    """The names that a module gives to namespaces of azure-native, which are imported at their first use."""
    return {
        alias.asname or alias.name
        for node in ast.walk(module)
        if isinstance(node, ast.ImportFrom) and node.module == "pulumi_azure_native"
        for alias in node.names
    }


def _annotations(module: ast.Module) -> Iterator[ast.expr]:
    for node in ast.walk(module):
        match node:
            case ast.arg(annotation=ast.expr() as annotation):
                yield annotation
            case ast.FunctionDef(returns=ast.expr() as annotation):
                yield annotation
            case ast.AnnAssign(annotation=annotation):
                yield annotation


@pytest.mark.parametrize("part", ["gateway", "backends"])
def test_annotations_do_not_import_a_namespace_of_azure_native(part: str) -> None:
    """Annotations are strings, so that only a stack with a network imports the 290 modules of `network`.

    The import takes half a second.
    """
    evaluated = {
        f"{file.relative_to(ROOT)}, line {annotation.lineno}: quote {ast.unparse(annotation)}"
        for file in files(part)
        for module in [ast.parse(file.read_text(encoding="utf-8"))]
        for annotation in _annotations(module)
        if {node.id for node in ast.walk(annotation) if isinstance(node, ast.Name)} & _provider_names(module)
    }
    assert evaluated == set()


def test_the_program_checks_its_policies_without_the_packages_of_the_twin() -> None:
    """`pulumi preview` runs with requirements.txt alone."""
    script = "import sys, gateway.plan; print(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.split())
    assert (
        loaded & {"aiohttp", "uvloop", "starlette", "uvicorn", "rich", "typer", "mcp", "multidict"} == set()
    )


def test_a_twin_starts_without_the_mcp_sdk() -> None:
    """Stand-ins for hosted servers and the Functions host import the SDK for the first request that needs it.

    The import takes half a second.
    """
    modules = ", ".join(
        f"twin.{registration.service}.service" for registration in (*STAND_INS, *HOSTED_STAND_INS)
    )
    script = f"import sys, twin.session, twin.functions.command, {modules}; sys.exit('mcp' in sys.modules)"
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True)
