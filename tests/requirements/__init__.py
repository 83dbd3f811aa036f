"""The requirements of the authorization server, and the tests that carry their numbers."""
