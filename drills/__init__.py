"""Restore drills: find a restore point, restore it aside, compare with a truth, give a verdict.

A drill knows its layer only through one JSON payload; it imports neither the components nor Pulumi,
so that it runs by hand from a machine that has neither.
"""
