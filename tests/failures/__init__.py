"""What a client and its user experience when a part of the system fails during a sign-in or a call."""
