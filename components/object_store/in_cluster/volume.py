"""The volume of a store in the cluster and its claim, which outlive the store."""

import json
from dataclasses import dataclass

import pulumi
from pulumi_kubernetes.core.v1 import Namespace, PersistentVolume, PersistentVolumeClaim

from components import command
from components.object_store.in_cluster import objects
from components.object_store.in_cluster.registrar import ClusterStoreArgs, Registrar, uid_of

# A volume that is there binds in seconds; one that must be attached first may take minutes.
BINDING_SECONDS = 180


@dataclass
class Claimed:
    """`claim`: what the server mounts. `ready`: what must precede the server."""

    claim: PersistentVolumeClaim
    ready: list[pulumi.Resource]


def payload(args: ClusterStoreArgs, volume: str = "") -> pulumi.Output[str]:
    """What `kube.claim` reads from stdin; secret, for it holds the kubeconfig."""
    return args.cluster.uid.apply(
        lambda uid: json.dumps(
            {
                "schema": 1,
                "kubeconfig": args.kubeconfig.text,
                "context": args.kubeconfig.context,
                "uid": uid.strip(),
                "site": args.site,
                "namespace": args.store.namespace,
                "claim": objects.claim_name(args.store),
                "volume": volume,
                "seconds": BINDING_SECONDS,
            },
            sort_keys=True,
        )
    )


def claim_spec(wanted: objects.Manifest, earlier: str) -> objects.Manifest:
    """The claim's spec, on the `earlier` volume if there is one."""
    # Left out and not "": the field is the cluster's to set when the class makes a volume.
    return {**wanted["spec"], **({"volumeName": earlier} if earlier else {})}


def claim(registrar: Registrar, namespace: Namespace) -> Claimed:
    """Registers volume and claim; the server may start after `ready`."""
    args = registrar.args
    volume = objects.volume(args.site, args.store)
    wanted = objects.claim(args.site, args.store)
    if volume is None:
        # Before the class can make a new volume: the one of an earlier claim is taken again.
        found = command.on_operator(
            "store-volume",
            "sh ./run.sh kube.claim find",
            stdin=payload(args),
            triggers=[uid_of(namespace)],
            opts=registrar.options([namespace]),
        )
        spec = found.stdout.apply(lambda text: claim_spec(wanted, text.strip()))
        made = registrar.object(
            PersistentVolumeClaim, "store-claim", {**wanted, "spec": spec}, [found], keep=True
        )
        return Claimed(made, [made])
    kept = registrar.object(PersistentVolume, "store-volume", volume, keep=True)
    made = registrar.object(
        PersistentVolumeClaim, "store-claim", wanted, [namespace, kept], keep=True
    )
    return Claimed(made, [settle(registrar, made, [made])])


def settle(
    registrar: Registrar, made: PersistentVolumeClaim, after: list[pulumi.Resource]
) -> pulumi.Resource:
    """Waits for the binding, and has the volume outlive its claim."""
    args = registrar.args
    volume = "" if args.store.storage.volume is None else objects.volume_name(args.store)
    return command.on_operator(
        "store-binding",
        "sh ./run.sh kube.claim settle",
        stdin=payload(args, volume),
        triggers=[uid_of(made)],
        opts=registrar.options(after),
    )
