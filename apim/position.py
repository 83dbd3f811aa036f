"""The position of a statement in the service's configuration and in its policy document."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """The position of a policy.

    Attributes:
        element: the policy's name.
        policy_id: its attribute `id`; empty without one.
        section: "inbound" and so on.
        scope: "global", "product", "api" or "operation".
        path: its position within other policies, such as "choose[1]/when[2]"; empty directly in the section.
        document: the name of the policy document.
        line: from 1.
        column: from 1.
    """

    element: str
    policy_id: str
    section: str
    scope: str
    path: str
    document: str
    line: int
    column: int
