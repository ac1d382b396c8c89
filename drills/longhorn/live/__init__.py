"""Volumes brought back by Longhorn itself, aside, and held against what the drill reads alone."""
