"""The queries of alerts and the workbook: files below `kql/`, in the Kusto Query Language."""

from functools import cache
from pathlib import Path

_FOLDER = Path(__file__).resolve().parent.parent / "kql"


@cache
def query(name: str) -> str:
    """The text of a query, such as `alerts/server-down`."""
    return (_FOLDER / f"{name}.kql").read_text(encoding="utf-8")
