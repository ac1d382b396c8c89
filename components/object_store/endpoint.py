"""A reachable store, whatever it runs on, and how credentials are born."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pulumi
import pulumi_minio as minio

from components import command, versions

TRUST_DIRECTORY = Path(".backstop") / "trust"

# An access key ID is treated as a secret too: servers exist on which it alone permits writing.
# Letters and digits only, because two parsers with different quoting read the server's file.
_GENERATE = """\
set -eu
LC_ALL=C
export LC_ALL
draw() { tr -dc "$1" </dev/urandom | head -c "$2"; }
printf '{"accessKey": "%s", "secretKey": "%s"}' "$(draw A-Z0-9 20)" "$(draw A-Za-z0-9 40)"
"""


@dataclass
class StoreEndpoint:
    """`url`: https://host:port. `names`: what clients call it. `ready`: what must precede use.

    `nodes`: the store's other servers, each URL with the names that clients call it.
    `inside_url`: the URL by which the cluster's own pods reach it, where that is another one.
    """

    url: str
    region: str
    ca_pem: pulumi.Output[str]
    root_user: pulumi.Output[str]
    root_password: pulumi.Output[str]
    names: list[str]
    ready: Sequence[pulumi.Resource] = field(default_factory=list)
    nodes: Mapping[str, list[str]] = field(default_factory=dict)
    inside_url: str | None = None

    @property
    def url_for_pods(self) -> str:
        """What Velero and other pods are given."""
        return self.inside_url or self.url

    @property
    def host_and_port(self) -> str:
        return urlsplit(self.url).netloc


def generated_credential(
    name: str, *, generation: int, opts: pulumi.ResourceOptions
) -> pulumi.Output[dict[str, str]]:
    """A random access key ID (20) and secret (40), born on first use and kept in the state.

    A higher `generation` replaces it by a new pair.
    """
    born = command.on_operator(
        f"{name}-credential",
        _GENERATE,
        triggers=[f"generation {generation}"],
        secret_output=True,
        opts=opts,
    )
    # The engine marks the output; marked here as well, it stays secret wherever it flows.
    secret: pulumi.Output[str] = pulumi.Output.secret(born.stdout)
    return secret.apply(json.loads)


def write_trust_file(stack: str, ca_pem: str) -> str:
    """Writes the CA where the provider reads it; returns the path, relative to the project.

    The provider takes a path only. It is the same in every checkout, and every run of the
    program writes the file again, so a fresh clone previews without a diff.
    """
    if not re.fullmatch(r"[A-Za-z0-9._-]+", stack):
        raise ValueError(f"the stack's name {stack!r} cannot be part of a file name")
    path = TRUST_DIRECTORY / f"{stack}-store-ca.pem"
    if not path.exists() or path.read_text() != ca_pem:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(".new")
        temporary.write_text(ca_pem)
        temporary.replace(path)
    return str(path)


def provider(endpoint: StoreEndpoint, opts: pulumi.ResourceOptions) -> minio.Provider:
    """The explicit provider of this store; default providers are switched off for the project."""
    stack = pulumi.get_stack()
    return minio.Provider(
        "store",
        minio_server=endpoint.host_and_port,
        minio_user=endpoint.root_user,
        minio_password=endpoint.root_password,
        minio_region=endpoint.region,
        minio_ssl=True,
        # Stated, because an operator's environment could switch verification off.
        minio_insecure=False,
        minio_cacert_file=endpoint.ca_pem.apply(lambda pem: write_trust_file(stack, pem)),
        opts=pulumi.ResourceOptions.merge(
            opts,
            pulumi.ResourceOptions(
                depends_on=list(endpoint.ready), version=versions.plugin("minio")
            ),
        ),
    )
