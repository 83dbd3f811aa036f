"""Names of Azure regions."""

import re


def programmatic_name(region: str) -> str:
    """A region as `westeurope`. The portal and some resource providers write it as `West Europe`."""
    return re.sub(r"\s", "", region).lower()
