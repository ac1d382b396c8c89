"""A kubeconfig: which server, whom to trust, how to sign in."""

import base64
import binascii
import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

_EXEC_SECONDS = 60.0
_REFUSED = ("auth-provider", "impersonate", "as", "as-groups", "as-uid")


class KubeconfigError(Exception):
    """What is wrong with a kubeconfig, in one sentence that names the setting."""


@dataclass(frozen=True)
class Endpoint:
    """A cluster's API server and an identity there. Texts are PEM; "" where there is none."""

    server: str
    namespace: str = ""
    authority: str = ""
    server_name: str = ""
    proxy: str = ""
    verify: bool = True
    certificate: str = field(default="", repr=False)
    key: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    token_file: str = ""
    username: str = ""
    password: str = field(default="", repr=False)
    exec_plugin: Mapping[str, Any] | None = field(default=None, repr=False)


def parse(text: str) -> dict[str, Any]:
    """The document. Raises KubeconfigError when it is no kubeconfig."""
    try:
        found = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506
    except yaml.YAMLError as error:
        raise _wrong("it is no YAML document") from error
    if not isinstance(found, dict) or not isinstance(found.get("clusters"), list):
        raise _wrong("it has no list of clusters")
    return found


def endpoint(text: str, context: str = "", cluster: str = "", namespace: str = "") -> Endpoint:
    """What a kubeconfig says of one context. Raises KubeconfigError."""
    found = parse(text)
    name = context or str(found.get("current-context") or "")
    if not name:
        raise _wrong("it has no current-context; set the setting context")
    chosen = _named(found, "contexts", "context", name)
    where = _named(found, "clusters", "cluster", cluster or str(chosen.get("cluster") or ""))
    who = _named(found, "users", "user", str(chosen["user"])) if chosen.get("user") else {}
    for key in _REFUSED:
        if key in who:
            raise _wrong(f"its user has {key}, which the stand-in does not support")
    if not where.get("server"):
        raise _wrong(f"the cluster of its context {name} has no server")
    return Endpoint(
        server=str(where["server"]).rstrip("/"),
        namespace=namespace or str(chosen.get("namespace") or ""),
        authority=_pem(where, "certificate-authority"),
        server_name=str(where.get("tls-server-name") or ""),
        proxy=str(where.get("proxy-url") or ""),
        verify=not where.get("insecure-skip-tls-verify"),
        certificate=_pem(who, "client-certificate"),
        key=_pem(who, "client-key"),
        token=str(who.get("token") or ""),
        token_file=str(who.get("tokenFile") or ""),
        username=str(who.get("username") or ""),
        password=str(who.get("password") or ""),
        exec_plugin=who.get("exec"),
    )


def active_cluster(text: str, context: str = "", cluster: str = "") -> object:
    """What the kubeconfig says of the chosen cluster, for comparing; None if it names none."""
    try:
        found = parse(text)
        chosen = _named(
            found, "contexts", "context", context or str(found.get("current-context") or "")
        )
        return _named(found, "clusters", "cluster", cluster or str(chosen.get("cluster") or ""))
    except KubeconfigError:
        return None


def run_exec_plugin(plugin: Mapping[str, Any]) -> tuple[str, str, str]:
    """Token, certificate and key from the user's credential command. Raises KubeconfigError."""
    api = str(plugin.get("apiVersion") or "client.authentication.k8s.io/v1")
    info = {"apiVersion": api, "kind": "ExecCredential", "spec": {"interactive": False}}
    extra = {str(one["name"]): str(one["value"]) for one in plugin.get("env") or ()}
    command = [str(plugin.get("command")), *map(str, plugin.get("args") or ())]
    try:
        answer = subprocess.run(
            command,
            env={**os.environ, **extra, "KUBERNETES_EXEC_INFO": json.dumps(info)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=True,
            timeout=_EXEC_SECONDS,
        )
        status = json.loads(answer.stdout)["status"]
        return (
            str(status.get("token") or ""),
            str(status.get("clientCertificateData") or ""),
            str(status.get("clientKeyData") or ""),
        )
    except (OSError, subprocess.SubprocessError, ValueError, KeyError, TypeError) as error:
        # The command's own words may hold a credential.
        raise _wrong(
            f"its credential command {command[0]} gave no credential ({type(error).__name__})"
        ) from error


def _named(found: Mapping[str, Any], section: str, key: str, name: str) -> dict[str, Any]:
    for entry in found.get(section) or ():
        if isinstance(entry, dict) and entry.get("name") == name:
            inner = entry.get(key)
            return inner if isinstance(inner, dict) else {}
    raise _wrong(f"it has no {key} {name!r} among its {section}")


def _pem(entry: Mapping[str, Any], key: str) -> str:
    data = entry.get(f"{key}-data")
    try:
        if data:
            return base64.b64decode(str(data), validate=True).decode()
        if entry.get(key):
            return Path(str(entry[key])).read_text()
    except (binascii.Error, ValueError) as error:
        raise _wrong(f"its {key}-data is no base64 of PEM text") from error
    except OSError as error:
        raise _wrong(f"its {key} {entry[key]} cannot be read ({error.strerror})") from error
    return ""


def _wrong(what: str) -> KubeconfigError:
    return KubeconfigError(f"kubernetes provider: the kubeconfig cannot be used: {what}")
