"""Stand-in for the provider plugin `command` 1.2.1: local and remote commands, copies over SSH."""
