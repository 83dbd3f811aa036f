"""Pins the images of a stack by digest: `python -m preflight.images --stack dev`.

A tag can be moved to another image; a digest cannot. The registry of an image returns the digest of a tag.
https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-manifests
"""

import argparse
import hashlib
import re
import shlex
import subprocess
import sys
from pathlib import Path

import httpx2
import pulumi
from pulumi.runtime import set_all_config
from pulumi.runtime.settings import reset_options

from configuration import stack_file
from configuration.declared import REQUIRE_DIGESTS
from configuration.unpinned import unpinned
from preflight.stack import NOT_READ
from settings import load

_ROOT = Path(__file__).resolve().parent.parent
_REFERENCE = re.compile(r"(?P<registry>[^/]+)/(?P<repository>[^:@]+):(?P<tag>[^@]+)")
# An index lists an image for each platform; the digest of the index pins all of them.
_ACCEPTED = ", ".join(
    (
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    )
)
_CHALLENGE = re.compile(r'(\w+)="([^"]*)"')
_BY_HAND = (
    "Print the digest with `docker buildx imagetools inspect <image>`, and set it yourself: see "
    "docs/preflight.md."
)


class RegistryError(Exception):
    """A digest cannot be read from a registry; the message has the reason and the remedy."""


def resolve(image: str, client: httpx2.Client) -> str:
    """The digest to which a tag currently points.

    Args:
        image: reference with registry and tag.
        client: sends the requests.

    Raises:
        RegistryError: the registry does not respond or requires a sign-in, or the manifest does not match its
            digest.
    """
    match = _REFERENCE.fullmatch(image)
    if match is None:
        raise RegistryError(
            f"{image} is not a reference with a registry and a tag. Write it as registry/name:tag."
        )
    url = f"https://{match['registry']}/v2/{match['repository']}/manifests/{match['tag']}"
    headers = {"accept": _ACCEPTED}
    try:
        response = client.get(url, headers=headers)
        if response.status_code == httpx2.codes.UNAUTHORIZED:
            token = _token(response.headers.get("www-authenticate", ""), client)
            response = client.get(url, headers={**headers, "authorization": f"Bearer {token}"})
    except httpx2.HTTPError as error:
        raise RegistryError(
            f"{match['registry']} does not respond ({type(error).__name__}). Check the image's name and the "
            "network, and try again."
        ) from None
    if response.status_code != httpx2.codes.OK:
        raise RegistryError(
            f"{match['registry']} returned HTTP {response.status_code} for {image}. Check that the tag "
            "exists."
        )
    digest = f"sha256:{hashlib.sha256(response.content).hexdigest()}"
    if response.headers.get("docker-content-digest", digest) != digest:
        raise RegistryError(
            f"The manifest of {image} does not have the digest that {match['registry']} announced: it was "
            "changed in transit. Try again from another network."
        )
    return digest


def _token(challenge: str, client: httpx2.Client) -> str:
    """An anonymous token from the service in the challenge of the registry.

    Raises:
        RegistryError: the registry requires a sign-in.
    """
    scheme, _, rest = challenge.partition(" ")
    parameters = dict(_CHALLENGE.findall(rest))
    realm = parameters.get("realm", "")
    if scheme.lower() != "bearer" or not realm.startswith("https://"):
        raise RegistryError(f"The registry requires a kind of sign-in that is not supported. {_BY_HAND}")
    query = {key: parameters[key] for key in ("service", "scope") if key in parameters}
    response = client.get(realm, params=query)
    body = response.json() if response.status_code == httpx2.codes.OK else {}
    token = body.get("token") or body.get("access_token")
    if not token:
        raise RegistryError(f"The registry allows only signed-in users to read the image. {_BY_HAND}")
    return str(token)


def main(arguments: list[str] | None = None, transport: httpx2.BaseTransport | None = None) -> int:
    """Resolves the tags and pins the images; returns the exit status (1 if a digest could not be read)."""
    parser = argparse.ArgumentParser(
        prog="python -m preflight.images", description="Pins the images of a stack by digest."
    )
    parser.add_argument("--stack", default="dev", help="name of the stack (dev)")
    parser.add_argument("--print", action="store_true", help="print the commands instead of running them")
    options = parser.parse_args(arguments)
    try:
        configuration = stack_file.load(_ROOT, options.stack, encrypted=NOT_READ)
        reset_options(project=configuration.project, stack=configuration.stack)
        # Images without a digest are an error by default; this command adds the digests.
        values = {**configuration.values, f"{configuration.project}:{REQUIRE_DIGESTS.key}": "false"}
        set_all_config(values, sorted(configuration.secret_keys))
        settings = load()
        images = tuple(unpinned(settings.presets, settings.containers))
    except (stack_file.ConfigurationError, pulumi.RunError) as error:
        return _fail(str(error))
    failed = False
    digests: dict[str, str] = {}
    with httpx2.Client(transport=transport, timeout=30, follow_redirects=True) as client:
        for unpinned_image in images:
            try:
                digest = digests.setdefault(unpinned_image.image, "") or resolve(unpinned_image.image, client)
            except RegistryError as error:
                failed = True
                _fail(str(error))
                continue
            digests[unpinned_image.image] = digest
            command = [*unpinned_image.command(digest), "--stack", options.stack]
            print(f"> {shlex.join(command)}")  # noqa: T201 -- a command line
            if not options.print:
                subprocess.run(command, check=True, cwd=_ROOT)  # noqa: S603 -- the program builds it
    return int(failed)


def _fail(message: str) -> int:
    print(message, file=sys.stderr)  # noqa: T201 -- a command line
    return 1


if __name__ == "__main__":
    sys.exit(main())
