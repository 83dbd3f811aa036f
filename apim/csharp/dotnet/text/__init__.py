"""Values as text, and text as values, in the invariant culture."""
