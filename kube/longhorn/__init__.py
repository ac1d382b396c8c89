"""What the program and its drills read of a running Longhorn, and the few things they ask of it.

Read: `volumes`, `jobs`, `targets`, `backups`. Ask: `python -m kube.longhorn`.
"""
