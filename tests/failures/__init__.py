"""The responses to a client and its user when a part of the system fails during a sign-in or a call."""
