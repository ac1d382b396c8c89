"""Breaks no rule: the same parts as its broken neighbours."""

import json

import pulumi
import pulumi_kubernetes as kubernetes
import pulumi_minio as minio
from pulumi_command import remote

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
minio.IamPolicy(
    "client",
    name="client",
    policy=json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Allow", "Action": ["s3:PutObject"], "Resource": [f"{ARN}/*"]},
                {"Effect": "Deny", "Action": DENIED, "Resource": [ARN, f"{ARN}/*"]},
            ],
        }
    ),
    opts=on_store,
)
remote.Command(
    "unit",
    connection=remote.ConnectionArgs(
        host="127.0.0.1",
        user="root",
        private_key="sentinel-private-key",
        # A key made up for this test.
        host_key="ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl",
    ),
    create="cat >/dev/null",
    stdin=pulumi.Output.secret("[Unit]"),
    logging=remote.Logging.NONE,
    add_previous_output_in_env=False,
)
# Nothing answers there: what is refused is refused before a cluster is asked.
KUBECONFIG = {
    "apiVersion": "v1",
    "kind": "Config",
    "current-context": "dev",
    "clusters": [{"name": "dev", "cluster": {"server": "https://127.0.0.1:1"}}],
    "contexts": [{"name": "dev", "context": {"cluster": "dev", "user": "dev"}}],
    "users": [{"name": "dev", "user": {"token": "sentinel-cluster-token"}}],
}
cluster = kubernetes.Provider(
    "cluster",
    kubeconfig=pulumi.Output.secret(json.dumps(KUBECONFIG)),
    context="dev",
    cluster_identifier="dev",
)
kubernetes.helm.v3.Release(
    "app",
    name="app",
    namespace="app",
    chart="./chart",
    values={"image": {"repository": "registry.example/app", "tag": "1.4.2"}},
    opts=pulumi.ResourceOptions(provider=cluster),
)
