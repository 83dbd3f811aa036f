"""Readings: possible behaviours of Azure where its documentation is silent or contradictory.

`TABLE` lists every question with its possible answers, the evidence and the sources. `Readings` is one
choice of answers, which the engine and the twin implement.
"""

from apim.readings.question import Option, Question, Source
from apim.readings.record import ReadingError, Readings
from apim.readings.table import TABLE, question

__all__ = ["TABLE", "Option", "Question", "ReadingError", "Readings", "Source", "question"]
