"""Speed, measured as a ratio against the plain tool on the same machine in the same run. `make bench` writes `bench/results.json`."""
