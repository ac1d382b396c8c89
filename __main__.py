"""Backstop: from a bare host and a cluster to a backup system that proves its restores."""

from components.program import main

main()
