"""The store's certificates: one CA, an issuer per host bound to that host's names, short leaves.

The CA signs an issuer for each host, restricted by name constraints to what that host is called.
The host's timer issues its own server certificates from it, so renewal needs neither the CA nor
the program, and a stolen host can certify nobody but itself.
"""

import ipaddress
import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pulumi

from components import command
from components.host_facts import SCRIPTS, HostFacts
from components.object_store import server_files
from components.settings import Certificate, Host, HostsStore, Settings, is_address

CERTIFICATE_END = "-----END CERTIFICATE-----\n"


def certified_names(store: HostsStore, host_name: str, host: Host) -> list[str]:
    """Every name and address under which clients reach this host, each once."""
    own = [host_name, host.address, *store.certificate.names, "localhost", "127.0.0.1"]
    return list(dict.fromkeys(own))


def alternative_names(names: list[str]) -> str:
    """subjectAltName in OpenSSL's form: "DNS:store1,IP:10.0.0.5"."""
    return ",".join(f"{'IP' if is_address(name) else 'DNS'}:{name}" for name in names)


def name_constraints(names: list[str]) -> str:
    """nameConstraints in OpenSSL's form: only these names, addresses with a full mask."""
    parts = []
    for name in names:
        if is_address(name):
            network = ipaddress.ip_network(name)
            parts.append(f"permitted;IP:{network.network_address}/{network.netmask}")
        else:
            parts.append(f"permitted;DNS:{name}")
    return ",".join(parts)


def split_authority(output: str) -> tuple[str, str]:
    """(CA certificate, encrypted key or "") from what authority.sh prints."""
    certificate, _, rest = (output.rstrip("\n") + "\n").partition(CERTIFICATE_END)
    return certificate + CERTIFICATE_END, rest.strip()


def _renew_script() -> str:
    return (SCRIPTS / "renew-certificate.sh").read_text()


@dataclass
class Trust:
    """`ca_pem`: what clients trust. `escrow`: the CA's key encrypted by the escrow passphrase."""

    ca_pem: pulumi.Output[str]
    escrow: pulumi.Output[str]


@dataclass
class TrustArgs:
    """`after`: what must exist on the hosts first (directories and the service's user)."""

    settings: Settings
    store: HostsStore
    facts: Mapping[str, HostFacts]
    nonce: str
    parent: pulumi.Resource
    after: Sequence[pulumi.Resource]

    @property
    def options(self) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions(parent=self.parent, depends_on=list(self.after))

    @property
    def ssh_key(self) -> str:
        return self.settings.ssh_private_key.get_secret_value()

    def token(self, host: str, step: str) -> str:
        return self.facts[host].token(step, nonce=self.nonce)


def _authority_on_host(args: TrustArgs) -> Trust:
    name = args.store.hosts[0]
    made = command.on_host(
        "minio-authority",
        args.settings.hosts[name],
        args.ssh_key,
        command.script(
            SCRIPTS,
            "lib.sh",
            "authority.sh",
            HOST=name,
            SITE=args.settings.site,
            CA_DAYS=str(args.store.certificate.ca_days),
            TOKEN=args.token(name, "minio-authority"),
        ),
        stdin=args.settings.escrow_passphrase.get_secret_value() + "\n",
        secret_output=True,
        opts=args.options,
    )
    ca_pem = pulumi.Output.unsecret(made.stdout.apply(lambda text: split_authority(text)[0]))
    return Trust(ca_pem, made.stdout.apply(lambda text: split_authority(text)[1]))


def _authority_in_file(certificate: Certificate) -> tuple[Trust, str]:
    """The CA kept on the operator's machine, and its private key."""
    if certificate.ca_key_file is None or certificate.ca_certificate_file is None:
        raise ValueError("caHome file without its files; the settings refuse that")
    ca_pem = Path(certificate.ca_certificate_file).expanduser().read_text()
    key = Path(certificate.ca_key_file).expanduser().read_text()
    # The operator's file is the CA's one home; an escrow copy would be a second one.
    return Trust(pulumi.Output.from_input(ca_pem), pulumi.Output.from_input("")), key


def establish(args: TrustArgs) -> tuple[Trust, dict[str, pulumi.Resource]]:
    """Registers CA, issuers and certificates; returns the trust and each host's last step."""
    if args.store.certificate.ca_home == "host":
        trust, ca_key = _authority_on_host(args), ""
    else:
        trust, ca_key = _authority_in_file(args.store.certificate)
    installed = {name: _certify(args, name, trust, ca_key) for name in args.store.hosts}
    return trust, installed


def _issuer(args: TrustArgs, name: str, trust: Trust, ca_key: str) -> pulumi.Output[str]:
    """The certificate of the issuer on host `name`, signed where the CA's key lives."""
    names = certified_names(args.store, name, args.settings.hosts[name])
    request = command.on_host(
        f"minio-request-{name}",
        args.settings.hosts[name],
        args.ssh_key,
        command.script(
            SCRIPTS, "lib.sh", "request.sh", HOST=name, TOKEN=args.token(name, "minio-request")
        ),
        opts=args.options,
    )
    values = {
        "ISSUER_DAYS": str(args.store.certificate.issuer_days),
        "CONSTRAINTS": name_constraints(names),
        "CA_HOME": args.store.certificate.ca_home,
        # Signed again when the host says that its issuer ends too soon.
        "TOKEN": args.token(name, "minio-certificate"),
    }
    if args.store.certificate.ca_home == "file":
        text = command.script(SCRIPTS, "sign.sh", **values)
        return command.on_operator(
            f"minio-issuer-{name}",
            f"/bin/sh -c {shlex.quote(text)}",
            stdin=pulumi.Output.all(trust.ca_pem, request.stdout).apply(
                lambda pems: f"{ca_key.strip()}\n--\n{pems[0].strip()}\n--\n{pems[1]}\n"
            ),
            opts=args.options,
        ).stdout
    ca_host = args.store.hosts[0]
    return command.on_host(
        f"minio-issuer-{name}",
        args.settings.hosts[ca_host],
        args.ssh_key,
        # The CA stands in the text so that a new one signs again.
        trust.ca_pem.apply(
            lambda ca: command.script(
                SCRIPTS, "lib.sh", "sign.sh", HOST=ca_host, CA=json.dumps(ca), **values
            )
        ),
        stdin=request.stdout.apply(lambda text: text + "\n"),
        opts=args.options,
    ).stdout


def _certify(args: TrustArgs, name: str, trust: Trust, ca_key: str) -> pulumi.Resource:
    host = args.settings.hosts[name]
    certificate = args.store.certificate
    return command.on_host(
        f"minio-certificate-{name}",
        host,
        args.ssh_key,
        command.script(
            SCRIPTS,
            "lib.sh",
            "certificate.sh",
            HOST=name,
            SERVICE_USER=args.store.system_user,
            NAMES=alternative_names(certified_names(args.store, name, host)),
            LEAF_DAYS=str(certificate.leaf_days),
            RENEW_BEFORE_DAYS=str(certificate.renew_before_days),
            API_PORT=str(args.store.api_port),
            RENEW_SCRIPT=_renew_script(),
            SERVICE_UNIT=server_files.RENEWAL_SERVICE,
            TIMER_UNIT=server_files.RENEWAL_TIMER,
            TOKEN=args.token(name, "minio-certificate"),
        ),
        stdin=pulumi.Output.all(_issuer(args, name, trust, ca_key), trust.ca_pem).apply(
            lambda pems: "\n".join(pems) + "\n"
        ),
        opts=args.options,
    )
