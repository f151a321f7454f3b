"""Services that leak on purpose, at known lines and known rates: `benchmarks.soak`."""
