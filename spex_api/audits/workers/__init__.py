"""The steps of an audit taken by the workers of a Dask cluster."""
