"""The state of users while the stand-in runs: disabled accounts and revoked sessions."""

from twin.clock import Clock
from twin.entra.directory import Directory, User


class Accounts:
    """The mutable state of the directory, which the control API and tests change.

    Args:
        directory: the directory with the users.
        clock: the clock for the time of a revocation.
    """

    def __init__(self, directory: Directory, clock: Clock) -> None:
        self._directory = directory
        self._clock = clock
        self._disabled: set[str] = set()
        self._revoked: dict[str, float] = {}

    def disable(self, name: str) -> None:
        """Disables a user, by object id or principal name: sign-in and refresh fail (AADSTS50057).

        Raises:
            KeyError: no user has this object id or principal name.
        """
        self._disabled.add(self._find(name).object_id)

    def enable(self, name: str) -> None:
        """Enables a disabled user.

        Raises:
            KeyError: no user has this object id or principal name.
        """
        self._disabled.discard(self._find(name).object_id)

    def revoke_sessions(self, name: str) -> None:
        """Revokes the sessions and refresh tokens issued up to now (AADSTS50173).

        Raises:
            KeyError: no user has this object id or principal name.
        """
        self._revoked[self._find(name).object_id] = self._clock.now()

    def reset(self) -> None:
        """Enables all users and clears revocations."""
        self._disabled.clear()
        self._revoked.clear()

    def is_disabled(self, user: User) -> bool:
        """Whether a user is disabled."""
        return user.object_id in self._disabled

    def is_revoked(self, user: User, issued_at: float) -> bool:
        """Whether tokens issued to the user at that time (POSIX seconds) have been revoked."""
        return issued_at <= self._revoked.get(user.object_id, float("-inf"))

    def _find(self, name: str) -> User:
        user = self._directory.user(name)
        if user is None:
            names = ", ".join(user.principal_name for user in self._directory.users)
            raise KeyError(f"there is no user '{name}' in the directory; the users are: {names}")
        return user
