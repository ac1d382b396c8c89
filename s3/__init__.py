"""The S3 side of Backstop outside Pulumi: endpoints, credentials, one sentence per failure."""
