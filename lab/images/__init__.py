"""Container images that the lab makes itself, without a registry and without a container tool."""
