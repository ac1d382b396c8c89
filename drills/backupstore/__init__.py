"""Longhorn's backup store, read without Longhorn: records, blocks and what else lies in it.

The format is that of longhorn/backupstore (backupstore.go, config.go, deltablock.go, util.go) as
Longhorn 1.8 to 1.12 write it.
"""
