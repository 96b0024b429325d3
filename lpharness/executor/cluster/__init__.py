"""Tasks on other machines, by Dask: the scheduler's, the workers' and the client's part."""
