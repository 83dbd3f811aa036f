"""Runs the demo agent: `python -m agent_demo`."""

from agent_demo.command import app

if __name__ == "__main__":
    app()
