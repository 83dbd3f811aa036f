"""The command that records golden cases."""

import json
from pathlib import Path

import pytest

from tests.csharp import record
from tests.policies.conftest import compiler

__all__ = ["compiler"]


@pytest.mark.usefixtures("compiler")
def test_values_exceptions_and_compile_errors_are_recorded() -> None:
    cases = record.record(['@("a" + 1)', "@(int.Parse(null))", '@((int)"a")', "@{ return 2L; }"])
    assert cases == [
        {"form": '@("a" + 1)', "type": "String", "value": "a1"},
        {"form": "@(int.Parse(null))", "throws": "ArgumentNullException"},
        {"form": '@((int)"a")', "compile_error": "CS0030"},
        {"form": "@{ return 2L; }", "type": "Int64", "value": "2"},
    ]
    assert all(record.compared(case).startswith("agrees: ") for case in cases)


def test_a_case_that_differs_is_printed_with_the_result_of_the_evaluator() -> None:
    assert record.compared({"form": "@(1 + 1)", "type": "Int32", "value": "3"}).endswith(
        '\n    the evaluator: {"type": "Int32", "value": "2"}'
    )
    assert record.compared({"form": "@(1 + 1)", "compile_error": "CS0030"}).startswith("DIFFERS: ")
    assert "\n    the evaluator: refused: Math has no member `Cosh`" in record.compared(
        {"form": "@(Math.Cosh(0))", "type": "Double", "value": "1"}
    )


def test_an_expression_that_reads_the_context_is_not_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["record", "--write", "@(context.Request.Method)"])
    monkeypatch.setattr(record.mono, "available", lambda: True)
    with pytest.raises(SystemExit, match="uses `context`, and mono"):
        record.main()


def test_a_case_is_added_once_and_the_file_keeps_its_format(tmp_path: Path) -> None:
    file = tmp_path / "mono.json"
    file.write_text(record.FILE.read_text(encoding="utf-8"), encoding="utf-8")
    before = file.read_text(encoding="utf-8")
    known = json.loads(before)["cases"][0]
    new = {"form": "@(40 + 2)", "type": "Int32", "value": "42"}
    assert record.add([known], file) == 0
    assert file.read_text(encoding="utf-8") == before
    assert record.add([known, new], file) == 1
    assert json.loads(file.read_text(encoding="utf-8"))["cases"][-1] == new
