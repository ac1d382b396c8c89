"""What `python -m drills longhorn` does, one module a command."""
