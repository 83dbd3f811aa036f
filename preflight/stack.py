"""The value of a stack's secrets in the checks before a deployment."""

NOT_READ = "xoxb-not-read-00000000"
"""Replaces encrypted values, which only the Pulumi CLI can decrypt. It is valid for every secret setting."""
