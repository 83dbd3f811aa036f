"""The value that replaces the secrets of a stack in the checks before a deployment."""

NOT_READ = "xoxb-not-read-00000000"
"""Replaces encrypted values, which only the Pulumi CLI can decrypt. Every setting accepts its format."""
