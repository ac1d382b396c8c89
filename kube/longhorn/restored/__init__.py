"""Volumes that come back by Longhorn: which backup each one gets, and the objects for it."""
