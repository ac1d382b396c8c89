"""The embedded site: pinned tools, a Python environment and systemd hosts on this machine.

Standard library only: it runs under the system's Python, before anything else is installed.
"""
