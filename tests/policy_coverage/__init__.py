"""How much of the project's own policies a run of all tests executes, and how much it must."""
