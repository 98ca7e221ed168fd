"""Answers on disk: the folder, its records, and bundles of them."""
