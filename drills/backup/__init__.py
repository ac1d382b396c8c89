"""A Velero backup as a drill meets it: found, read, restored aside, and judged by its own words."""
