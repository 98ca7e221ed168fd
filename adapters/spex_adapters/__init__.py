"""Adapters: one file a provider. Nothing here is imported before a model is named."""
