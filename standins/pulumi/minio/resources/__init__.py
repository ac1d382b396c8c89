"""The resources: one module each, with what create, read, update and delete ask of the server."""

from collections.abc import Mapping

from standins.pulumi.minio import schema
from standins.pulumi.minio.resources.base import Resource
from standins.pulumi.minio.resources.bucket import Bucket
from standins.pulumi.minio.resources.bucket_policy import BucketPolicy
from standins.pulumi.minio.resources.iam_policy import IamPolicy
from standins.pulumi.minio.resources.iam_user import IamUser
from standins.pulumi.minio.resources.iam_user_policy_attachment import IamUserPolicyAttachment
from standins.pulumi.minio.resources.ilm_policy import IlmPolicy
from standins.pulumi.minio.resources.s3_object import S3Object
from standins.pulumi.minio.resources.versioning import Versioning

BY_TOKEN: Mapping[str, Resource] = {
    schema.BUCKET: Bucket(),
    schema.BUCKET_POLICY: BucketPolicy(),
    schema.BUCKET_VERSIONING: Versioning(),
    schema.IAM_POLICY: IamPolicy(),
    schema.IAM_USER: IamUser(),
    schema.IAM_USER_POLICY_ATTACHMENT: IamUserPolicyAttachment(),
    schema.ILM_POLICY: IlmPolicy(),
    schema.S3_OBJECT: S3Object(),
}
