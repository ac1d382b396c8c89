"""Kubernetes objects compared three ways: what was there, what the backup holds, what came back."""
