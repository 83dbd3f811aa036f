"""The requirements of the authorization server, and the tests whose names contain their numbers."""
