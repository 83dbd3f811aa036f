"""Finds the images of a stack that are not pinned by digest."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pulumi

from configuration.container import Container
from configuration.declared import REQUIRE_DIGESTS
from configuration.presets import PRESETS
from configuration.reader import Reader


@dataclass(frozen=True, slots=True, kw_only=True)
class Unpinned:
    """An image without a digest.

    Attributes:
        image: reference of the image, with a tag.
        path: path of the setting that pins the image, for `pulumi config set --path`.
        whole: True if the setting is the whole reference, False if it is only the digest.
    """

    image: str
    path: str
    whole: bool

    def command(self, digest: str) -> list[str]:
        """The command that pins the image."""
        if self.whole:
            return ["pulumi", "config", "set", "--path", self.path, f"{self.image}@{digest}"]
        return ["pulumi", "config", "set", self.path, digest]


def unpinned(presets: Mapping[str, Container], containers: Sequence[Container]) -> Iterator[Unpinned]:
    """The images that have no digest.

    Args:
        presets: the project's own servers that are container images, by name.
        containers: the stack's own containers, in the order of the configuration.
    """
    for name, container in presets.items():
        if "@" not in container.image:
            yield Unpinned(image=container.image, path=PRESETS[name].digest.key, whole=False)
    for index, container in enumerate(containers):
        if container.image and "@" not in container.image:
            yield Unpinned(image=container.image, path=f"containers[{index}].image", whole=True)


def reject_unpinned(
    reader: Reader, presets: Mapping[str, Container], containers: Sequence[Container]
) -> None:
    """Reports images without a digest, unless the stack allows them or runs in the twin."""
    if not REQUIRE_DIGESTS.read(reader) or reader.local:
        return
    for image in unpinned(presets, containers):
        reader.reject(
            image.path,
            f"The image {image.image} is not pinned by digest.",
            "A tag can be moved to another image; a digest cannot. The command sets the digest of each image "
            "of the stack. `pulumi config set requireDigests false` allows images without a digest.",
            f"make pin STACK={pulumi.get_stack()}",
        )
