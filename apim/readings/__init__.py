"""Readings: the behaviours that Azure may have where its documentation is silent or contradicts itself.

`TABLE` lists every question with its possible answers, the evidence and the sources. `Readings` is one choice
of answers: the engine and the twin behave as it says.
"""

from apim.readings.question import Option, Question, Source
from apim.readings.record import ReadingError, Readings
from apim.readings.table import TABLE, question

__all__ = ["TABLE", "Option", "Question", "ReadingError", "Readings", "Source", "question"]
