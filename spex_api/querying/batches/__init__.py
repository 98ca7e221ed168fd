"""Questions → answers on disk, by a provider's batches."""
