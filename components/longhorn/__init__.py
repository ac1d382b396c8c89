"""Longhorn's backups as resources: credential, targets, recurring jobs, settings, bindings."""
