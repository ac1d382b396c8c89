"""A small stand-in for Longhorn's manager and engine, for a cluster that cannot run Longhorn.

It runs in the lab's cluster as the Deployment `longhorn-manager`, with nothing but the standard
library (docs/stand-ins/longhorn.md). What it does, it does as Longhorn 1.12.1 does, read in the
source of longhorn-manager and longhorn/backupstore at that version; none of their text is in it.
"""
