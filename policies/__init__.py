"""The policy pack: rules over resource properties, importable without an engine.

Rules are plain functions on plain data (`plain.py`), sorted by concern: for the store `buckets.py`,
`access.py`, `commands.py`, `hosts.py`, `providers.py`; for the cluster `cluster.py`, `releases.py`,
`locations.py`, `schedules.py`, `snapshots.py`, which read objects through `objects.py`.
`adapter.py` alone knows the policy SDK, `pack.py` is the list, and `__main__.py` is what the engine
starts. Of the program the rules share one thing: how Velero reads times (`components/velero`).
"""
