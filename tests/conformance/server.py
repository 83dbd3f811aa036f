"""An MCP server with the tools, resources and prompts of the suite's server scenarios, on port `PORT`."""

import asyncio
import base64
import json
import os
from typing import Annotated

import uvicorn
from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.prompts.base import UserMessage
from mcp.server.transport_security import TransportSecuritySettings
from mcp_types import (
    AudioContent,
    Completion,
    EmbeddedResource,
    ImageContent,
    SamplingMessage,
    TextContent,
    TextResourceContents,
)
from pydantic import BaseModel, Field

PIXEL = base64.b64encode(
    bytes.fromhex(
        "89504e470d0a1a0a0000000d4948445200000001000000010804000000b51c0c020000000b4944415478da6364f80f00010501"
        "01270e3e2b0000000049454e44ae426082"
    )
).decode()
SOUND = base64.b64encode(
    b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0\1\0\1\0\x40\x1f\0\0\x40\x1f\0\0\1\0\x08\0data\0\0\0\0"
).decode()

server = MCPServer("conformance", version="1.0.0")


def text(content: str) -> TextContent:
    return TextContent(type="text", text=content)


def resource(uri: str, mime_type: str, content: str) -> EmbeddedResource:
    contents = TextResourceContents(uri=uri, mime_type=mime_type, text=content)
    return EmbeddedResource(type="resource", resource=contents)


# Tools


@server.tool()
def test_simple_text() -> str:
    """Answers with text."""
    return "This is a simple text response for testing."


@server.tool()
def test_image_content() -> ImageContent:
    """Answers with an image."""
    return ImageContent(type="image", data=PIXEL, mime_type="image/png")


@server.tool()
def test_audio_content() -> AudioContent:
    """Answers with a sound."""
    return AudioContent(type="audio", data=SOUND, mime_type="audio/wav")


@server.tool()
def test_embedded_resource() -> EmbeddedResource:
    """Answers with a resource."""
    return resource("test://embedded-resource", "text/plain", "This is an embedded resource content.")


@server.tool()
def test_multiple_content_types() -> list[TextContent | ImageContent | EmbeddedResource]:
    """Answers with text, an image and a resource."""
    return [
        text("Multiple content types test:"),
        ImageContent(type="image", data=PIXEL, mime_type="image/png"),
        resource("test://mixed-content-resource", "application/json", '{"test":"data","value":123}'),
    ]


@server.tool()
async def test_tool_with_progress(context: Context) -> str:
    """Reports its progress three times."""
    for progress in (0, 50, 100):
        await context.report_progress(progress, 100)
        await asyncio.sleep(0.05)
    return "Reported three times."


@server.tool()
def test_error_handling() -> str:
    """Fails."""
    raise ValueError("This tool intentionally returns an error for testing")


@server.tool()
async def test_sampling(prompt: str, context: Context) -> str:
    """Asks the client's model."""
    message = SamplingMessage(role="user", content=text(prompt))
    answer = await context.session.create_message(messages=[message], max_tokens=100)
    response = answer.content.text if isinstance(answer.content, TextContent) else str(answer.content)
    return f"LLM response: {response}"


class Person(BaseModel):
    """What `test_elicitation` asks for."""

    username: str = Field(description="User's response")
    email: str = Field(description="User's email address")


@server.tool()
async def test_elicitation(message: str, context: Context) -> str:
    """Asks the user."""
    answer = await context.elicit(message, Person)
    return f"User response: {answer.model_dump_json()}"


class Defaults(BaseModel):
    """A default of each type."""

    name: str = "John Doe"
    age: int = 30
    score: float = 95.5
    status: Annotated[str, Field(json_schema_extra={"enum": ["active", "inactive", "pending"]})] = "active"
    verified: bool = True


@server.tool()
async def test_elicitation_sep1034_defaults(context: Context) -> str:
    """Asks the user, with defaults."""
    answer = await context.elicit("Accept the defaults.", Defaults)
    return f"Elicitation completed: {answer.model_dump_json()}"


def titled(*words: str) -> list[dict[str, str]]:
    """The choices `value1`, `value2` and so on, with titles."""
    return [{"const": f"value{number}", "title": word} for number, word in enumerate(words, 1)]


CHOICES = {
    "type": "object",
    "properties": {
        "untitledSingle": {"type": "string", "enum": ["option1", "option2", "option3"]},
        "titledSingle": {"type": "string", "oneOf": titled("First", "Second", "Third")},
        "legacyEnum": {"type": "string", "enum": ["opt1", "opt2"], "enumNames": ["One", "Two"]},
        "untitledMulti": {
            "type": "array",
            "items": {"type": "string", "enum": ["option1", "option2", "option3"]},
        },
        "titledMulti": {"type": "array", "items": {"anyOf": titled("First", "Second", "Third")}},
    },
}
"""Every kind of choice that a server may offer (SEP-1330)."""


@server.tool()
async def test_elicitation_sep1330_enums(context: Context) -> str:
    """Asks the user to choose."""
    answer = await context.session.elicit_form("Choose.", CHOICES, context.request_id)
    return f"Elicitation completed: action={answer.action}, content={json.dumps(answer.content)}"


# Resources, prompts and completion


@server.resource("test://static-text", mime_type="text/plain")
def static_text() -> str:
    """A resource with text."""
    return "This is the content of the static text resource."


@server.resource("test://static-binary", mime_type="image/png")
def static_binary() -> bytes:
    """A resource with an image."""
    return base64.b64decode(PIXEL)


@server.resource("test://template/{number}/data", mime_type="application/json")
def template(number: str) -> str:
    """A resource for each number."""
    return json.dumps({"id": number, "templateTest": True, "data": f"Data for ID: {number}"})


@server.prompt()
def test_simple_prompt() -> str:
    """A prompt without arguments."""
    return "This is a simple prompt for testing."


@server.prompt()
def test_prompt_with_arguments(arg1: str, arg2: str) -> str:
    """A prompt with two arguments."""
    return f"Prompt with arguments: arg1='{arg1}', arg2='{arg2}'"


@server.prompt()
def test_prompt_with_embedded_resource(resourceUri: str) -> list[UserMessage]:  # noqa: N803 -- the suite's name
    """A prompt with a resource."""
    embedded = resource(resourceUri, "text/plain", "Embedded resource content for testing.")
    return [
        UserMessage(embedded),
        UserMessage(text("Please process the embedded resource above.")),
    ]


@server.prompt()
def test_prompt_with_image() -> list[UserMessage]:
    """A prompt with an image."""
    image = ImageContent(type="image", data=PIXEL, mime_type="image/png")
    return [
        UserMessage(image),
        UserMessage(text("Please analyze the image above.")),
    ]


@server.completion()
async def complete(*_request: object) -> Completion:
    """Returns the same three values for each argument."""
    return Completion(values=["paris", "park", "party"], total=3, has_more=False)


def main() -> None:
    port = int(os.environ["PORT"])
    hosts = ["localhost:*", "127.0.0.1:*"]
    if (app_name := os.environ.get("CONTAINER_APP_NAME")) is not None:
        hosts.append(f"{app_name.replace('-', '')}public.{os.environ['CONTAINER_APP_ENV_DNS_SUFFIX']}")
    security = TransportSecuritySettings(
        enable_dns_rebinding_protection=True,
        allowed_hosts=hosts,
        allowed_origins=["http://localhost:*", "http://127.0.0.1:*"],
    )
    app = server.streamable_http_app(transport_security=security)
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning")


if __name__ == "__main__":
    main()
