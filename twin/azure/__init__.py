"""What Azure computes for a declared resource, and what the twin's services take from it."""
