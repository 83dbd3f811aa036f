""".NET's types and values, with their operators and conversions."""
