"""CA and server certificate of a store in the cluster, born in Commands with secret outputs."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
from pulumi_kubernetes.core.v1 import Namespace, Secret

from components import command
from components.object_store.in_cluster import objects, renewal
from components.object_store.in_cluster.registrar import Registrar


@dataclass
class Certified:
    """`ca_pem`: what clients trust. `certificate`: what the server shows, from `secret`."""

    ca_pem: pulumi.Output[str]
    certificate: pulumi.Output[str]
    secret: Secret


def encoded(values: Mapping[str, str]) -> dict[str, str]:
    """A Secret's data."""
    return {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}


def _part(output: pulumi.Output[str], key: str) -> pulumi.Output[str]:
    """`certificate` or `key` of what `s3 authority` and `s3 certificate` print."""
    secret: pulumi.Output[str] = pulumi.Output.secret(output)
    part = secret.apply(lambda text: str(json.loads(text)[key]))
    return part if key == "key" else pulumi.Output.unsecret(part)


def certify(registrar: Registrar, namespace: Namespace) -> Certified:
    """Registers CA, certificate and the Secret that the server mounts."""
    args = registrar.args
    wanted = args.store.certificate
    names = objects.certified_names(args.store)
    authority = command.on_operator(
        "store-authority",
        "sh ./run.sh s3 authority",
        stdin=json.dumps({"schema": 1, "site": args.site, "names": names, "days": wanted.ca_days}),
        triggers=[f"period {renewal.authority_period(wanted, args.today)}"],
        secret_output=True,
        opts=registrar.options(),
    )
    ca_pem, ca_key = _part(authority.stdout, "certificate"), _part(authority.stdout, "key")
    leaf = command.on_operator(
        "store-certificate",
        "sh ./run.sh s3 certificate",
        stdin=pulumi.Output.all(ca_pem, ca_key).apply(
            lambda pems: json.dumps(
                {
                    "schema": 1,
                    "caPem": pems[0],
                    "caKeyPem": pems[1],
                    "names": names,
                    "days": wanted.leaf_days,
                },
                sort_keys=True,
            )
        ),
        triggers=[f"period {renewal.certificate_period(wanted, args.today)}"],
        secret_output=True,
        opts=registrar.options(),
    )
    certificate = _part(leaf.stdout, "certificate")
    data = pulumi.Output.all(
        **{"tls.crt": certificate, "tls.key": _part(leaf.stdout, "key"), "ca.crt": ca_pem}
    ).apply(encoded)
    manifest = objects.secret(args.site, args.store, objects.TLS_SECRET)
    secret = registrar.object(Secret, "store-tls", {**manifest, "data": data}, [namespace])
    return Certified(ca_pem, certificate, secret)
