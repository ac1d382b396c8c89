"""Pods from outside: run a command in a container, read its logs, wait until it is ready."""
