"""What the checks before a deployment know of a stack's secrets."""

NOT_READ = "xoxb-not-read-00000000"
"""In place of encrypted values, which only the Pulumi CLI reads: of a form that every setting accepts."""
