"""Broken on purpose: the client may do everything in its bucket that is not denied."""

import json

import pulumi
import pulumi_minio as minio

ARN = "arn:aws:s3:::backups"
DENIED = [
    "s3:DeleteObjectVersion",
    "s3:BypassGovernanceRetention",
    "s3:PutBucketVersioning",
    "s3:PutLifecycleConfiguration",
    "s3:PutBucketObjectLockConfiguration",
    "s3:DeleteBucket",
    "s3:ForceDeleteBucket",
]

store = minio.Provider(
    "store",
    minio_server="127.0.0.1:9091",
    minio_user="root-user",
    minio_password=pulumi.Output.secret("sentinel-root-password"),
    minio_ssl=True,
    minio_insecure=False,
    minio_cacert_file="ca.crt",
)
on_store = pulumi.ResourceOptions(provider=store)
minio.IamPolicy(
    "client",
    name="client",
    policy=json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Allow", "Action": ["s3:*"], "Resource": [f"{ARN}/*"]},
                {"Effect": "Deny", "Action": DENIED, "Resource": [ARN, f"{ARN}/*"]},
            ],
        }
    ),
    opts=on_store,
)
