"""A claim that finds its volume again: what a store in the cluster needs after a disaster."""
