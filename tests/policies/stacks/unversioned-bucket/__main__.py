"""Broken on purpose: an overwritten backup does not come back."""

import pulumi
import pulumi_minio as minio

store = minio.Provider(
    "store",
    minio_server="127.0.0.1:9091",
    minio_user="root-user",
    minio_password=pulumi.Output.secret("sentinel-root-password"),
    minio_ssl=True,
    minio_insecure=False,
    minio_cacert_file="ca.crt",
)
minio.S3Bucket(
    "backups",
    bucket="backups",
    acl="private",
    opts=pulumi.ResourceOptions(provider=store, protect=True),
)
