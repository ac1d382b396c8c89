"""Secrets that must outlive cluster and state, kept encrypted in the evidence bucket, once each."""
