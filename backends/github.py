"""GitHub's own hosted server. Clients go there directly and sign in at GitHub: there is nothing to deploy."""

from gateway.backend import Hosted

SERVER = Hosted(name="github", title="GitHub", url="https://api.githubcopilot.com/mcp/")
