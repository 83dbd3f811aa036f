"""What changes about users while the stand-in runs: who is disabled, whose sessions were revoked."""

from twin.clock import Clock
from twin.entra.directory import Directory, User


class Accounts:
    """The mutable side of the directory, moved by the control API and by tests.

    Args:
        directory: who exists.
        clock: when a revocation happens.
    """

    def __init__(self, directory: Directory, clock: Clock) -> None:
        self._directory = directory
        self._clock = clock
        self._disabled: set[str] = set()
        self._revoked: dict[str, float] = {}

    def disable(self, name: str) -> None:
        """Disables a user, by object id or principal name: no sign-in, no refresh (AADSTS50057).

        Raises:
            KeyError: nobody has that name.
        """
        self._disabled.add(self._known(name).object_id)

    def enable(self, name: str) -> None:
        """Takes a `disable` back.

        Raises:
            KeyError: nobody has that name.
        """
        self._disabled.discard(self._known(name).object_id)

    def revoke_sessions(self, name: str) -> None:
        """Makes sessions and refresh tokens issued up to now worthless (AADSTS50173).

        Raises:
            KeyError: nobody has that name.
        """
        self._revoked[self._known(name).object_id] = self._clock.now()

    def reset(self) -> None:
        """Everybody is enabled, nothing is revoked."""
        self._disabled.clear()
        self._revoked.clear()

    def is_disabled(self, user: User) -> bool:
        """Whether the user may not sign in."""
        return user.object_id in self._disabled

    def is_revoked(self, user: User, issued_at: float) -> bool:
        """Whether what was issued to the user at that time (POSIX seconds) has been revoked."""
        return issued_at <= self._revoked.get(user.object_id, float("-inf"))

    def _known(self, name: str) -> User:
        user = self._directory.user(name)
        if user is None:
            names = ", ".join(each.principal_name for each in self._directory.users)
            raise KeyError(f"no user '{name}' in the directory; there are: {names}")
        return user
