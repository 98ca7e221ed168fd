"""Explanation → people: the terminal, a page, and one object for machines."""
