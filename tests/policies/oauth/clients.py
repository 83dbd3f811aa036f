"""Registrations and authorization requests of real clients, without the values that change each time.

They come from the sources of the clients, or from requests that they sent to a gateway of this project.
"""

from typing import Any

BOTH = ["authorization_code", "refresh_token"]

REGISTRATIONS: dict[str, dict[str, Any]] = {
    "claude.ai and Claude Desktop": {
        "client_name": "Claude",
        "redirect_uris": ["https://claude.ai/api/mcp/auth_callback"],
        "grant_types": BOTH,
        "response_types": ["code"],
        "token_endpoint_auth_method": "client_secret_post",
        "scope": "claudeai",
    },
    "Claude Code": {
        "client_name": "Claude Code (notes)",
        "redirect_uris": ["http://localhost:54545/callback"],
        "grant_types": BOTH,
        "response_types": ["code"],
        "token_endpoint_auth_method": "none",
    },
    "Cursor": {
        "client_name": "Cursor",
        "redirect_uris": [
            "cursor://anysphere.cursor-mcp/oauth/callback",
            "https://www.cursor.com/agents/mcp/oauth/callback",
            "http://localhost:8787/callback",
        ],
        "grant_types": BOTH,
        "response_types": ["code"],
        "token_endpoint_auth_method": "none",
    },
    "Visual Studio Code": {
        "client_name": "Visual Studio Code",
        "client_uri": "https://code.visualstudio.com",
        "redirect_uris": [
            "https://insiders.vscode.dev/redirect",
            "https://vscode.dev/redirect",
            "http://127.0.0.1/",
            "http://127.0.0.1:33418/",
        ],
        "grant_types": [*BOTH, "urn:ietf:params:oauth:grant-type:device_code"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "none",
        "application_type": "native",
    },
    "Windsurf": {
        "client_name": "Windsurf",
        "redirect_uris": ["windsurf://codeium.windsurf/oauth/callback"],
        "grant_types": BOTH,
        "response_types": ["code"],
        "token_endpoint_auth_method": "none",
    },
    "JetBrains": {
        "client_name": "JetBrains AI Assistant",
        "redirect_uris": ["jetbrains://idea/mcp/oauth/callback"],
        "token_endpoint_auth_method": "none",
    },
    "Copilot Studio": {
        "client_name": "Microsoft Copilot Studio",
        "redirect_uris": ["https://global.consent.azure-apim.net/redirect/notes"],
        "grant_types": BOTH,
        "response_types": ["code"],
        "token_endpoint_auth_method": "client_secret_basic",
    },
    "Python SDK 1.9 to 1.22": {
        "client_name": "Simple Auth Client",
        "redirect_uris": ["http://localhost:3030/callback"],
        "grant_types": BOTH,
        "response_types": ["code"],
        "token_endpoint_auth_method": "client_secret_post",
    },
    "FastMCP 2": {
        "client_name": "FastMCP Client",
        "redirect_uris": ["http://localhost:49152/callback"],
        "grant_types": BOTH,
        "response_types": ["code"],
        "token_endpoint_auth_method": "client_secret_post",
        "scope": "",
        "client_uri": None,
    },
    "TypeScript SDK, example client": {
        "client_name": "Simple OAuth MCP Client",
        "redirect_uris": ["http://localhost:8090/callback"],
        "grant_types": BOTH,
        "response_types": ["code"],
        "token_endpoint_auth_method": "client_secret_post",
    },
    "mcp-remote": {
        "client_name": "MCP CLI Proxy",
        "client_uri": "https://github.com/modelcontextprotocol/mcp-cli",
        "redirect_uris": ["http://localhost:3334/oauth/callback"],
        "grant_types": BOTH,
        "response_types": ["code"],
        "token_endpoint_auth_method": "none",
        "software_id": "2e6dc280-f3c3-4e01-99a7-8181dbd1d23d",
        "software_version": "0.1.37",
    },
    "Gemini CLI": {
        "client_name": "Gemini CLI MCP Client",
        "redirect_uris": ["http://localhost:7777/oauth/callback"],
        "grant_types": BOTH,
        "response_types": ["code"],
        "token_endpoint_auth_method": "none",
    },
    "Go SDK": {"client_name": "Example", "redirect_uris": ["http://localhost:3142"]},
    "rmcp": {
        "client_name": "MCP Client",
        "redirect_uris": ["http://127.0.0.1:5000/callback"],
        "grant_types": BOTH,
        "response_types": ["code"],
        "token_endpoint_auth_method": "none",
        "application_type": "native",
    },
    "Spring Security": {
        "redirect_uris": ["http://localhost:8080/authorize/oauth2/code/notes"],
        "grant_types": ["authorization_code"],
        "response_types": ["code"],
    },
}

REQUESTS: dict[str, tuple[str, dict[str, str | None]]] = {
    "claude.ai": ("claude.ai and Claude Desktop", {"scope": "functions offline_access"}),
    "Claude Code on another port": (
        "Claude Code",
        {"redirect_uri": "http://localhost:61234/callback"},
    ),
    "Cursor by its scheme": ("Cursor", {}),
    "Cursor on this machine": ("Cursor", {"redirect_uri": "http://localhost:8787/callback"}),
    "Visual Studio Code on a random port": (
        "Visual Studio Code",
        {"redirect_uri": "http://127.0.0.1:51823/"},
    ),
    "Visual Studio Code on the web": ("Visual Studio Code", {"redirect_uri": "https://vscode.dev/redirect"}),
    "FastMCP 2": ("FastMCP 2", {"resource": "https://gateway.example", "scope": None}),
    "FastMCP 2 with a slash": ("FastMCP 2", {"resource": "https://gateway.example/", "scope": None}),
    "mcp-go": ("Gemini CLI", {"scope": "mcp.read mcp.write"}),
    "mcp-go 0.45": ("Gemini CLI", {"scope": "mcp.read mcp.write", "resource": None}),
    "rmcp": ("rmcp", {"scope": "functions offline_access"}),
    "rmcp 0.10": ("rmcp", {"scope": None, "resource": None}),
    "Go SDK without a path": ("Go SDK", {"redirect_uri": "http://localhost:50321"}),
    "Spring Security": ("Spring Security", {}),
}
"""By name: the key in REGISTRATIONS, and the parameters that differ from those of `Flow.authorize`."""
