"""The path of the only project."""

PATH = "/api/projects/twin"
