"""The drill of layer `longhorn`: what Longhorn backed up, read from the store without Longhorn."""
