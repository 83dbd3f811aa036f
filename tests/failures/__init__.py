"""What a client and its user receive when a part of the system fails during a sign-in or a call."""
