"""Readings: possible behaviours of Azure where its documentation is incomplete or contradictory.

`TABLE` lists every question with its possible answers, the evidence and the sources. `Readings` contains the
chosen answers, which the engine and the twin implement.
"""

from apim.readings.question import Option, Question, Source
from apim.readings.record import ReadingError, Readings
from apim.readings.table import TABLE, question

__all__ = ["TABLE", "Option", "Question", "ReadingError", "Readings", "Source", "question"]
