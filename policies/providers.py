"""Providers: how the program reaches the object store."""

from collections.abc import Iterator

from policies.plain import UNKNOWN, Resource, ResourceRule, Rule, is_set, is_true

MINIO_PROVIDER = "pulumi:providers:minio"


def _tls(provider: Resource) -> Iterator[str]:
    ssl = provider.props.get("minioSsl")
    if ssl is not UNKNOWN and not is_true(ssl):
        yield "does not use TLS, so the root credential and all backups travel in clear"
    if is_true(provider.props.get("minioInsecure")):
        yield "does not verify the server's certificate"
    if not is_set(provider.props.get("minioCacertFile")):
        yield "names no CA file, so it trusts every authority of the machine it runs on"


RULES: tuple[Rule, ...] = (
    ResourceRule(
        name="provider-tls",
        title="The object store is reached over verified TLS only",
        why="The provider speaks plain HTTP unless told otherwise, and an environment variable can "
        "switch verification off.",
        remedy="set minio_ssl to True, minio_insecure to False and minio_cacert_file to the "
        "store's CA",
        severity="critical",
        types=frozenset({MINIO_PROVIDER}),
        check=_tls,
    ),
)
