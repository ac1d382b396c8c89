"""The files that a store host gets, rendered by plain functions: environment, units, firewall."""

import ipaddress
from ipaddress import IPv4Network, IPv6Network
from pathlib import PurePosixPath

from components.settings import Host, HostsStore

CERTIFICATES = "/etc/minio/ssl"
ENVIRONMENT_FILE = "/etc/minio/minio.conf"


def volumes(store: HostsStore, hosts: dict[str, Host]) -> list[str]:
    """The server's volumes: paths for one host, one URL per host and drive for several.

    Without MinIO's {1...4} notation all of them form one pool, in this order for ever.
    """
    if len(store.hosts) == 1:
        return list(store.drives)
    return [
        f"https://{hosts[name].address}:{store.api_port}{drive}"
        for name in store.hosts
        for drive in store.drives
    ]


def environment(store: HostsStore, hosts: dict[str, Host]) -> str:
    """The environment file without its credentials, which arrive on the host by stdin."""
    options = (
        f"--address :{store.api_port} --console-address :{store.console_port} "
        f"--certs-dir {CERTIFICATES}"
    )
    return "\n".join(
        [
            f'MINIO_VOLUMES="{" ".join(volumes(store, hosts))}"',
            f'MINIO_OPTS="{options}"',
            f'MINIO_SITE_REGION="{store.region}"',
            f'MINIO_BROWSER="{"on" if store.console else "off"}"',
            f'MINIO_API_STALE_UPLOADS_EXPIRY="{store.stale_uploads_hours}h"',
            # The updater and its notices talk to a host that no longer serves anything.
            'MINIO_UPDATE="off"',
        ]
    )


def service_unit(store: HostsStore) -> str:
    """minio.service. A drive that is not mounted keeps it down, so it never fills the root disk."""
    asserts = ""
    if store.require_mount_point:
        mounts = [str(PurePosixPath(drive).parent) for drive in store.drives]
        # Several drives are several failure domains: one that is gone must not stop the rest.
        asserts = f"RequiresMountsFor={' '.join(mounts)}\n" if len(mounts) == 1 else ""
        joined = [f"AssertPathIsMountPoint={mount}\n" for mount in mounts]
        asserts += "".join(joined) if len(mounts) == 1 else ""
    return f"""\
[Unit]
Description=MinIO object store
Wants=network-online.target
After=network-online.target
AssertFileIsExecutable=/usr/local/bin/minio
AssertFileNotEmpty={ENVIRONMENT_FILE}
# Without both the server would start in plain HTTP and say nothing.
AssertFileNotEmpty={CERTIFICATES}/public.crt
AssertFileNotEmpty={CERTIFICATES}/private.key
{asserts}StartLimitIntervalSec=0

[Service]
Type=notify
User={store.system_user}
Group={store.system_user}
EnvironmentFile={ENVIRONMENT_FILE}
ExecStart=/usr/local/bin/minio server $MINIO_OPTS $MINIO_VOLUMES
Restart=on-failure
RestartSec=5s
TimeoutStartSec=infinity
TimeoutStopSec=5min
SendSIGKILL=no
LimitNOFILE=1048576
TasksMax=infinity

[Install]
WantedBy=multi-user.target
"""


def hardening(store: HostsStore) -> str:
    """The drop-in that takes rights away; apart, so that an odd kernel's line can be undone."""
    # Several drives are several failure domains: one that is gone must not keep the rest down.
    optional = "-" if len(store.drives) > 1 else ""
    writable = " ".join(f"{optional}{drive}" for drive in store.drives)
    return f"""\
[Service]
UMask=0077
NoNewPrivileges=yes
CapabilityBoundingSet=
AmbientCapabilities=
ProtectSystem=strict
ReadWritePaths={writable}
ReadOnlyPaths=/etc/minio
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
ProtectProc=invisible
ProtectClock=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectControlGroups=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
RemoveIPC=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged
SystemCallErrorNumber=EPERM
"""


RENEWAL_SERVICE = """\
[Unit]
Description=Renew the object store's certificate

[Service]
Type=oneshot
ExecStart=/usr/local/lib/backstop/renew-certificate
UMask=0077
NoNewPrivileges=yes
PrivateTmp=yes
ProtectHome=yes
ProtectSystem=strict
ReadWritePaths=/etc/minio/ssl
"""

RENEWAL_TIMER = """\
[Unit]
Description=Renew the object store's certificate in time

[Timer]
OnCalendar=daily
RandomizedDelaySec=1h
Persistent=true

[Install]
WantedBy=timers.target
"""

FIREWALL_UNIT = """\
[Unit]
Description=Firewall of the object store's ports
Before=minio.service
After=nftables.service
# That service flushes every rule of the host when it is started or reloaded.
PartOf=nftables.service
ReloadPropagatedFrom=nftables.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/sbin/nft --file /etc/backstop-firewall.nft
ExecReload=/usr/sbin/nft --file /etc/backstop-firewall.nft
ExecStop=-/usr/sbin/nft delete table inet backstop_store

[Install]
WantedBy=multi-user.target
"""


def firewall_rules(store: HostsStore, hosts: dict[str, Host]) -> str:
    """An nftables table that drops the server's ports but for the allowed; "" when switched off."""
    if not store.firewall.enabled:
        return ""
    allowed = [*store.firewall.allow_from, *(hosts[name].address for name in store.hosts)]
    networks = [ipaddress.ip_network(text) for text in allowed]
    # nft refuses a set whose networks overlap, so those are joined.
    joined = {
        "ip": ipaddress.collapse_addresses(n for n in networks if isinstance(n, IPv4Network)),
        "ip6": ipaddress.collapse_addresses(n for n in networks if isinstance(n, IPv6Network)),
    }
    lines = []
    for family, sources in joined.items():
        listed = ", ".join(str(network) for network in sources)
        if listed:
            lines.append(f"    {family} saddr {{ {listed} }} accept")
    ports = f"{{ {store.api_port}, {store.console_port} }}"
    accepts = "\n".join(lines)
    # "add" then "delete" makes loading the file twice the same as loading it once.
    return f"""\
add table inet backstop_store
delete table inet backstop_store
table inet backstop_store {{
  chain allowed {{
    iif "lo" accept
{accepts}
    drop
  }}
  chain input {{
    type filter hook input priority filter; policy accept;
    tcp dport {ports} jump allowed
  }}
}}
"""
