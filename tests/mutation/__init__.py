"""Mutation tests of the policies: each small change of a check should fail a test."""
