"""What the hosts are right now: read over SSH before anything is registered.

A Command cannot see that a file which it wrote was edited by hand, and an update must not begin
on a host that cannot carry it. So every run of the program, previews too, asks each host once:
the answer feeds the preflight (sentences) and the seals (what drifted since it was applied).
"""

import base64
import io
import secrets
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from components.command import SEPARATOR, as_root, script
from components.settings import Host

SCRIPTS = Path(__file__).resolve().parent / "object_store" / "scripts"
SSH_TIMEOUT_SECONDS = 10.0
MAXIMUM_CLOCK_SKEW_SECONDS = 60


class HostUnreachableError(Exception):
    """The host did not answer, refused the key, or is another one. The text is one sentence."""


@dataclass(frozen=True)
class Seal:
    """What one step left on the host: its token, and what differs from it now."""

    token: str
    drift: tuple[str, ...] = ()


@dataclass(frozen=True)
class RunningServer:
    """How to speak to the store that runs on a host; in memory only, in no text form."""

    user: str = field(repr=False)
    password: str = field(repr=False)
    authority: str = field(repr=False)


@dataclass(frozen=True)
class HostFacts:
    """One host as it was seen. `free_kib` by path; `listeners`: port -> foreign program.

    `server`: the store that runs there as we installed it, None if none does.
    """

    machine_id: str = "none"
    clock: int | None = None
    uid: int = 0
    missing: frozenset[str] = frozenset()
    mounts: frozenset[str] = frozenset()
    free_kib: Mapping[str, int] = field(default_factory=dict)
    listeners: Mapping[int, str] = field(default_factory=dict)
    binary: str | None = None
    seals: Mapping[str, Seal] = field(default_factory=dict)
    server: RunningServer | None = None

    def token(self, name: str, *, nonce: str) -> str:
        """The value that a step's Command carries: changed exactly when the step must run again.

        An undisturbed host gives back the token that the step was applied with, so the Command
        has no diff. Otherwise the token says what was found; `nonce` keeps two equal findings
        at different times apart, or healing the second one would look like no change.
        """
        seal = self.seals.get(name)
        if seal is None:
            return f"not applied [{nonce}]"
        if seal.drift:
            return f"{SEPARATOR.join(seal.drift)} [{nonce}]"
        return seal.token


def drift_findings(facts: Mapping[str, HostFacts]) -> list[str]:
    """One sentence for everything that was changed by hand on a host since it was applied.

    The diff of a Command shows the same, but an engine cuts long lines there.
    """
    return [
        f"host {name}: {finding} since the last update; this one puts it right"
        for name, one in facts.items()
        for seal in one.seals.values()
        for finding in seal.drift
    ]


def parse(text: str) -> HostFacts:
    """Facts from the output of facts.sh.

    Raises:
        ValueError: the output is cut or holds an unknown line.
    """
    single: dict[str, str] = {}
    many: dict[str, list[str]] = {"missing": [], "mount": [], "authority": []}
    free: dict[str, int] = {}
    listeners: dict[int, str] = {}
    tokens: dict[str, str] = {}
    drift: dict[str, list[str]] = {}
    lines = text.splitlines()
    if not lines or lines[-1] != "end":
        raise ValueError("the host's answer is cut short")
    for line in lines[:-1]:
        keyword, _, rest = line.partition(" ")
        first, _, more = rest.partition(" ")
        match keyword:
            case "machine" | "clock" | "user" | "binary" | "root-user" | "root-password":
                single[keyword] = rest
            case "missing" | "mount" | "authority":
                many[keyword].append(rest)
            case "free":
                free[first] = int(more)
            case "listener":
                listeners[int(first)] = more or "another program"
            case "seal":
                tokens[first] = more
            case "drift":
                drift.setdefault(first, []).append(more)
            case _:
                raise ValueError(f"the host's answer holds an unknown line: {line[:80]}")
    return HostFacts(
        machine_id=single["machine"],
        clock=int(single["clock"]),
        uid=int(single["user"]),
        missing=frozenset(many["missing"]),
        mounts=frozenset(many["mount"]),
        free_kib=free,
        listeners=listeners,
        binary=single.get("binary"),
        seals={name: Seal(token, tuple(drift.get(name, ()))) for name, token in tokens.items()},
        server=_server(single, many["authority"]),
    )


def _server(single: Mapping[str, str], authority: list[str]) -> RunningServer | None:
    user, password = single.get("root-user"), single.get("root-password")
    if not (user and password and authority):
        return None
    return RunningServer(user, password, "".join(f"{line}\n" for line in authority))


def facts_script(host_name: str, *, ports: Iterable[int], paths: Iterable[str]) -> str:
    """The read-only script whose output `parse` understands."""
    return script(
        SCRIPTS,
        "lib.sh",
        "facts.sh",
        HOST=host_name,
        PORTS=" ".join(str(port) for port in ports),
        PATHS=" ".join(paths),
    )


def ssh_runner(private_key: str) -> Callable[[str, Host, str], str]:
    """A runner that executes a script as root on a host, with the pinned host key, by SSH."""
    import paramiko  # noqa: PLC0415  (0.2 s that a site without hosts need not pay)

    def load_key(name: str) -> paramiko.PKey:
        for kind in (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey):
            try:
                return kind.from_private_key(io.StringIO(private_key))
            except paramiko.SSHException:
                continue
        raise HostUnreachableError(f"{name}: backstop:sshPrivateKey is no usable private key")

    def run(name: str, host: Host, text: str) -> str:
        client = paramiko.SSHClient()
        kind, encoded = host.host_key.split(" ", 1)
        known = host.address if host.port == 22 else f"[{host.address}]:{host.port}"  # noqa: PLR2004
        client.get_host_keys().add(
            known, kind, paramiko.PKey.from_type_string(kind, base64.b64decode(encoded))
        )
        client.set_missing_host_key_policy(paramiko.RejectPolicy())
        where = f"host {name} ({host.user}@{host.address}:{host.port})"
        try:
            client.connect(
                host.address,
                port=host.port,
                username=host.user,
                pkey=load_key(name),
                timeout=SSH_TIMEOUT_SECONDS,
                banner_timeout=SSH_TIMEOUT_SECONDS,
                auth_timeout=SSH_TIMEOUT_SECONDS,
                allow_agent=False,
                look_for_keys=False,
            )
            _, stdout, stderr = client.exec_command(
                as_root(host, text), timeout=SSH_TIMEOUT_SECONDS * 3
            )
            output = stdout.read().decode()
            if stdout.channel.recv_exit_status() != 0:
                last = (stderr.read().decode().strip().splitlines() or ["no message"])[-1]
                raise HostUnreachableError(
                    f"{where} could not be examined: {last}; "
                    "the user needs root or passwordless sudo"
                )
        except paramiko.BadHostKeyException as error:
            raise HostUnreachableError(
                f"{where} shows another host key ({error.key.fingerprint}) than config "
                f"backstop:hosts.{name}.hostKey: if the host was rebuilt on purpose, correct it"
            ) from None
        except paramiko.AuthenticationException:
            raise HostUnreachableError(
                f"{where} refuses the SSH key: put its public half into the authorized_keys there, "
                "or correct config backstop:sshPrivateKey"
            ) from None
        except (OSError, paramiko.SSHException) as error:
            reason = str(error) or type(error).__name__
            raise HostUnreachableError(
                f"{where} cannot be reached: {reason}; check that it runs and that "
                f"config backstop:hosts.{name}.address and port are right"
            ) from None
        finally:
            client.close()
        return output

    return run


def gather(
    hosts: Mapping[str, Host],
    run: Callable[[str, Host, str], str],
    *,
    ports: Iterable[int],
    paths: Iterable[str],
) -> tuple[dict[str, HostFacts], list[str]]:
    """Facts of every host, asked at the same time, and a sentence for each that gave none."""
    ports, paths = list(ports), list(paths)

    def ask(name: str) -> HostFacts | str:
        try:
            answer = run(name, hosts[name], facts_script(name, ports=ports, paths=paths))
            return parse(answer)
        except (HostUnreachableError, ValueError) as error:
            return (
                str(error) if isinstance(error, HostUnreachableError) else f"host {name}: {error}"
            )

    with ThreadPoolExecutor(max_workers=16) as pool:
        answers = dict(zip(hosts, pool.map(ask, hosts), strict=True))
    facts = {name: answer for name, answer in answers.items() if isinstance(answer, HostFacts)}
    return facts, [answer for answer in answers.values() if isinstance(answer, str)]


def new_nonce() -> str:
    """A value that no earlier run used. It enters an input only where the host drifted."""
    return secrets.token_hex(4)
