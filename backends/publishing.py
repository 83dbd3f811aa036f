"""The code of a Function App as a resource."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pulumi
from pulumi.dynamic import CreateResult, DiffResult, Resource, ResourceProvider, UpdateResult

from backends import package

_PROJECT = Path(__file__).resolve().parent.parent

Properties = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicationArgs:
    """What `Publication` needs.

    Attributes:
        app_id: resource id of the Function App.
        app_name: its name.
        source: folder of the code, inside the project.
    """

    app_id: pulumi.Input[str]
    app_name: pulumi.Input[str]
    source: Path


class Publication(Resource, module="backends", name="Publication"):
    """The code of a folder, running in a Function App. It is published anew when a file changes.

    Attributes:
        functions: names of the functions that the app has loaded.
    """

    functions: pulumi.Output[list[str]]

    def __init__(self, name: str, args: PublicationArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(
            PublicationProvider(),
            name,
            {
                "app_id": args.app_id,
                "app_name": args.app_name,
                "source": args.source.relative_to(_PROJECT).as_posix(),
                "digest": package.digest(args.source),
                "functions": None,
            },
            opts,
        )


class PublicationProvider(ResourceProvider):
    """Publishes when a publication is created, or its digest differs. There is nothing to delete.

    Properties are those that `Publication` passes, with `functions` added.
    """

    serialize_as_secret_always = False

    def diff(self, _id: str, _olds: Properties, _news: Properties) -> DiffResult:
        """Another app needs a new publication, other code another round of the same one."""
        replaces = [key for key in ("app_id",) if _olds.get(key) != _news.get(key)]
        return DiffResult(
            changes=bool(replaces) or _olds.get("digest") != _news.get("digest"), replaces=replaces
        )

    def create(self, props: Properties) -> CreateResult:
        """Publishes. Raises backends.publisher.PublishingError."""
        return CreateResult(f"{props['app_id']}/publication", _published(props))

    def update(self, _id: str, _olds: Properties, _news: Properties) -> UpdateResult:
        """Publishes again. Raises backends.publisher.PublishingError."""
        return UpdateResult(_published(_news))


def _published(props: Mapping[str, Any]) -> Properties:
    # Here, because evaluating a program that publishes nothing should not wait for Azure's client libraries.
    from backends.publisher import PublishingError, publish  # noqa: PLC0415

    source = _PROJECT / props["source"]
    if package.digest(source) != props["digest"]:
        raise PublishingError(f"{props['source']}/ changed while it was deployed. Run `pulumi up` again.")
    functions = publish(app_id=props["app_id"], app_name=props["app_name"], content=package.build(source))
    return {**props, "functions": functions}
