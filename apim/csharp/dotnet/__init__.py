""".NET's types and values, and what its operators and conversions do."""
