"""Damaged copies of a restore point, which the site's own Velero reads like any other backup."""
