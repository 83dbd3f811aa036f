"""The evaluator has the results that were recorded from real C# compilers and runtimes.

`golden.json` was recorded with Roslyn on CoreCLR. `coreclr.json` was recorded with Roslyn 4.1, .NET 8 with
the invariant culture, and Newtonsoft.Json 13. `mono.json` was recorded with Mono, except where .NET 8
differs.
"""

import json
from pathlib import Path

import pytest

from apim.csharp.golden import build_context, compare_file, evaluate_case

FOLDER = Path(__file__).parent
GOLDEN = json.loads((FOLDER / "golden.json").read_text(encoding="utf-8"))
MONO = json.loads((FOLDER / "mono.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", GOLDEN["cases"], ids=lambda case: case["form"][:60])
def test_a_golden_case_has_the_recorded_result_or_does_not_compile(case: dict[str, object]) -> None:
    evaluated = evaluate_case(str(case["form"]), build_context(GOLDEN["context"]))
    expected = {key: value for key, value in case.items() if key != "form"}
    if "compile_error" in expected:
        assert evaluated["construct"] == expected["compile_error"]
    elif "refused" not in evaluated:
        assert evaluated == expected


def test_nearly_all_golden_cases_compile() -> None:
    comparisons = compare_file(FOLDER / "golden.json")
    equal = [comparison for comparison in comparisons if comparison.outcome == "equal"]
    assert len(equal) >= 0.99 * len(comparisons)
    assert [comparison for comparison in comparisons if comparison.outcome == "different"] == []


@pytest.mark.parametrize(("name", "least"), [("mono.json", 1300), ("coreclr.json", 300)])
def test_the_evaluator_agrees_with_a_real_compiler(name: str, least: int) -> None:
    comparisons = compare_file(FOLDER / name)
    assert len(comparisons) > least
    assert [comparison for comparison in comparisons if comparison.outcome != "equal"] == []


def test_a_file_in_another_format_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "cases.json"
    path.write_text('["@(1)"]', encoding="utf-8")
    with pytest.raises(ValueError, match="golden cases"):
        compare_file(path)


def test_a_wrong_result_is_reported_as_different(tmp_path: Path) -> None:
    path = tmp_path / "cases.json"
    cases = [
        {"form": "@(1 + 1)", "type": "Int32", "value": "3"},
        {"form": "@(1 + )", "type": "Int32", "value": "1"},
    ]
    path.write_text(json.dumps({"context": {}, "cases": cases}), encoding="utf-8")
    assert [comparison.outcome for comparison in compare_file(path)] == ["different", "refused"]
