"""The code of a Function App as a resource.

The stack's state contains the names of this module and of `PublicationProvider`, so neither may be renamed.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pulumi
from pulumi.dynamic import (
    ConfigureRequest,
    CreateResult,
    DiffResult,
    Resource,
    ResourceProvider,
    UpdateResult,
)

from backends import package
from backends.publishing_error import PublishingError, report_as_sentence

_PROJECT = Path(__file__).resolve().parent.parent

# The code is published again when one of these changes: a package is built for one runtime, and a new
# container (its URL has the name of the storage account) has no package.
_TRIGGERS = ("digest", "runtime", "package_container")

Properties = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicationArgs:
    """Arguments of `Publication`.

    Attributes:
        app_id: resource ID of the Function App.
        app_name: its name.
        runtime: language and version that run the code.
        package_container: URL of the blob container with the app's package.
        source: folder of the code, inside the project.
    """

    app_id: pulumi.Input[str]
    app_name: pulumi.Input[str]
    runtime: pulumi.Input[str]
    package_container: pulumi.Input[str]
    source: Path


class Publication(Resource, module="backends", name="Publication"):
    """The code of a folder, running in a Function App.

    It is published again when a file, the runtime, or the container of the package changes.

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
                "runtime": args.runtime,
                "package_container": args.package_container,
                "source": args.source.relative_to(_PROJECT).as_posix(),
                "digest": package.digest(args.source),
                "functions": None,
            },
            opts,
        )


def _nothing(_key: str) -> Any:
    """The configuration before `configure` is called: it has no values."""
    return None


class PublicationProvider(ResourceProvider):
    """Publishes when a publication is created or updated. When it is deleted, the code remains in the app.

    The properties are those of `Publication`, and `functions`. The configuration for the sign-in is passed to
    `configure` in the process that publishes, and is not part of any property.
    """

    serialize_as_secret_always = False

    def __init__(self) -> None:
        super().__init__()
        self._configured = _nothing

    def configure(self, req: ConfigureRequest) -> None:
        """Stores the stack's decrypted configuration for the sign-in."""
        self._configured = req.config.get
        report_as_sentence()

    def diff(self, _id: str, _olds: Properties, _news: Properties) -> DiffResult:
        """A different app replaces the publication; different code or a different container updates it."""
        replaces = [key for key in ("app_id",) if _olds.get(key) != _news.get(key)]
        updates = [key for key in _TRIGGERS if _olds.get(key) != _news.get(key)]
        return DiffResult(changes=bool(replaces or updates), replaces=replaces)

    def create(self, props: Properties) -> CreateResult:
        """Publishes. Raises backends.publishing_error.PublishingError."""
        return CreateResult(f"{props['app_id']}/publication", self._published(props))

    def update(self, _id: str, _olds: Properties, _news: Properties) -> UpdateResult:
        """Publishes again. Raises backends.publishing_error.PublishingError."""
        return UpdateResult(self._published(_news))

    def _published(self, props: Properties) -> Properties:
        # Imported here, so that a run of the program that publishes nothing does not load Azure's libraries.
        from backends.deployer import SignIn  # noqa: PLC0415
        from backends.publisher import Target, publish  # noqa: PLC0415

        source = _PROJECT / props["source"]
        if package.digest(source) != props["digest"]:
            raise PublishingError(f"{props['source']}/ changed during the deployment. Run `pulumi up` again.")
        functions = publish(
            Target.of(props["app_id"], props["app_name"]),
            package.build(source),
            SignIn(self._configured).credential(),
        )
        return {**props, "functions": functions}
