"""The coverage of the project's policies in a run of all tests, and the required coverage."""
