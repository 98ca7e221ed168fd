"""Coding theory over GF(2): a support is an error pattern, found from its parities."""
