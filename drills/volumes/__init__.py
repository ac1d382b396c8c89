"""What a volume holds, as a digest tree: read in a pod, parsed and compared outside of it."""
