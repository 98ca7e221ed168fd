"""Calls of a user's own client: what was asked and answered, kept in a file."""
