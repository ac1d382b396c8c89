"""xfs, read without mounting."""
