"""Broken on purpose: the root credential travels in clear."""

import pulumi
import pulumi_minio as minio

store = minio.Provider(
    "store",
    minio_server="127.0.0.1:9091",
    minio_user="root-user",
    minio_password=pulumi.Output.secret("sentinel-root-password"),
    minio_ssl=False,
    minio_insecure=False,
    minio_cacert_file="ca.crt",
)
on_store = pulumi.ResourceOptions(provider=store)
bucket = minio.S3Bucket(
    "backups",
    bucket="backups",
    acl="private",
    opts=pulumi.ResourceOptions(provider=store, protect=True),
)
minio.S3BucketVersioning(
    "backups",
    bucket=bucket.bucket,
    versioning_configuration={"status": "Enabled"},
    opts=on_store,
)
