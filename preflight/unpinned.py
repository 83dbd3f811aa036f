"""The images of a stack that have no digest."""

from collections.abc import Iterator
from dataclasses import dataclass

from configuration.presets import PRESETS
from settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Unpinned:
    """An image without a digest.

    Attributes:
        image: its reference, with a tag.
        path: the setting that pins it, as `pulumi config set --path` takes it.
        whole: whether the setting is the whole reference, and not only the digest.
    """

    image: str
    path: str
    whole: bool

    def command(self, digest: str) -> list[str]:
        """The command that pins the image."""
        value = f"{self.image}@{digest}" if self.whole else digest
        return ["pulumi", "config", "set", "--path", self.path, value]


def unpinned(settings: Settings) -> Iterator[Unpinned]:
    """The images of a stack that have no digest."""
    for name, container in settings.presets.items():
        if "@" not in container.image:
            yield Unpinned(image=container.image, path=PRESETS[name].digest.key, whole=False)
    for index, container in enumerate(settings.containers):
        if "@" not in container.image:
            yield Unpinned(image=container.image, path=f"containers[{index}].image", whole=True)
