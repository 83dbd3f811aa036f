"""Writes the generated part of docs/readings.md: python -m apim.readings."""

from apim.page import replace_part
from apim.readings.page import PAGE, readings

if __name__ == "__main__":
    replace_part("readings", readings(), PAGE)
