"""Runs helm. Values go in by stdin, the kubeconfig by memory; neither touches a disk."""

import asyncio
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from standins.pulumi.kubernetes.settings import Settings
from standins.pulumi.plugin import PluginError
from standins.pulumi.process_groups import ProcessGroups

VARIABLE = "BACKSTOP_HELM"
# What helm would take from the operator's shell; which cluster it is must come from the stack.
_NOT_INHERITED = ("HELM_KUBE", "HELM_NAMESPACE", "HELM_DRIVER", "HELM_DEBUG", "KUBECONFIG")
_SETTINGS = {
    "driver": "HELM_DRIVER",
    "pluginsPath": "HELM_PLUGINS",
    "registryConfigPath": "HELM_REGISTRY_CONFIG",
    "repositoryCache": "HELM_REPOSITORY_CACHE",
    "repositoryConfigPath": "HELM_REPOSITORY_CONFIG",
}


# helm says on stdout that it was asked to end, and only then marks its release as failed. Through a
# pipe that would be its own end where this plugin was killed, and the release would stay "pending".
_INTO_FILES = ("/bin/sh", "-c", 'out=$1 err=$2; shift 2; exec "$@" >"$out" 2>"$err"', "sh")


@dataclass(frozen=True)
class Finished:
    """A helm that ended. `code` is negative after a signal."""

    code: int
    stdout: str
    stderr: str


def find_helm(environment: Mapping[str, str]) -> str:
    """The program's path. Raises PluginError without one."""
    named = environment.get(VARIABLE)
    found = shutil.which(named or "helm", path=environment.get("PATH"))
    if found is None:
        where = f"{VARIABLE} names {named}, which" if named else "helm"
        raise PluginError(
            f"{where} is no program here: install helm 3 on PATH, or name it in {VARIABLE} "
            "(`python -m lab tools helm` builds the pinned one)"
        )
    return found


def parsed_kubeconfig(settings: Settings) -> dict[str, Any]:
    """The kubeconfig with the settings' context and cluster as its current ones.

    Raises PluginError if there is none, or none with such a context.
    """
    try:
        found = yaml.safe_load(settings.kubeconfig) if settings.kubeconfig else None
    except yaml.YAMLError:
        found = None  # its own error quotes the text
    if not isinstance(found, dict):
        problem = settings.kubeconfig_problem or "`kubeconfig` is empty or no kubeconfig"
        raise PluginError(f"kubernetes provider: {problem}; helm has no cluster to talk to")
    current = settings.context or str(found.get("current-context") or "")
    contexts = [dict(each) for each in found.get("contexts") or [] if isinstance(each, dict)]
    chosen = [each for each in contexts if each.get("name") == current]
    if not chosen:
        raise PluginError(
            f"kubernetes provider: the kubeconfig has no context {current!r}; "
            "set `context` to one of its contexts"
        )
    if settings.cluster:
        chosen[0]["context"] = {**(chosen[0].get("context") or {}), "cluster": settings.cluster}
    return {**found, "contexts": contexts, "current-context": current}


def default_namespace(settings: Settings) -> str:
    """The provider's namespace, else the one of the kubeconfig's context, else ""."""
    if settings.namespace:
        return settings.namespace
    try:
        found = parsed_kubeconfig(settings)
    except PluginError:
        return ""
    for each in found["contexts"]:
        if each.get("name") == found["current-context"]:
            return str((each.get("context") or {}).get("namespace") or "")
    return ""


class Helm:
    """The helm program. What still runs is ended with the plugin."""

    def __init__(self) -> None:
        self._groups = ProcessGroups()
        # Not ended with the others: after a cancelled install its record is still to be read.
        self._readers = ProcessGroups()

    async def local(self, argv: list[str], values: str = "") -> Finished:
        """A command that needs no cluster."""
        return await self._run(self._groups, argv, values, {}, ())

    async def read(self, argv: list[str], settings: Settings) -> Finished:
        """A command that asks the cluster and changes nothing."""
        return await self._remote(self._readers, argv, settings, "")

    async def change(self, argv: list[str], settings: Settings, values: str = "") -> Finished:
        """A command that changes the cluster."""
        return await self._remote(self._groups, argv, settings, values)

    async def _remote(
        self, groups: ProcessGroups, argv: list[str], settings: Settings, values: str
    ) -> Finished:
        text = yaml.safe_dump(parsed_kubeconfig(settings))
        extra = {_SETTINGS[key]: text for key, text in settings.helm.items() if key in _SETTINGS}
        with _in_memory("kubeconfig", text) as descriptor:
            extra["KUBECONFIG"] = _path(descriptor)
            return await self._run(groups, argv, values, extra, (descriptor,))

    async def end(self) -> None:
        """Ask every running helm to end: it then marks its release as failed, not as pending."""
        await self._groups.end_all()

    async def _run(
        self,
        groups: ProcessGroups,
        argv: list[str],
        values: str,
        extra: Mapping[str, str],
        keep: tuple[int, ...],
    ) -> Finished:
        if groups.ending:
            raise PluginError("helm was not started: the update was cancelled")
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(_NOT_INHERITED)}
        environment = {**inherited, "KUBECONFIG": os.devnull, **extra}
        helm = find_helm(os.environ)
        with _in_memory("stdout") as out, _in_memory("stderr") as err:
            try:
                child = await groups.start(
                    [*_INTO_FILES, _path(out), _path(err), helm, *argv],
                    cwd=None,
                    env=environment,
                    stdin=bool(values),
                    keep_open=(out, err, *keep),
                )
            except OSError as error:
                raise PluginError(f"{helm} cannot be started: {error.strerror}") from error
            try:
                await child.feed(values.encode())
                code = await child.wait()
            except asyncio.CancelledError:
                await groups.end(child)
                raise
            groups.done(child)
            return Finished(code, _content(out), _content(err))


@contextmanager
def _in_memory(name: str, text: str = "") -> Iterator[int]:
    """A file that exists only while it is open: a killed plugin leaves no credential behind."""
    descriptor = os.memfd_create(name)
    try:
        os.fchmod(descriptor, 0o600)
        with os.fdopen(os.dup(descriptor), "w") as file:
            file.write(text)
        yield descriptor
    finally:
        os.close(descriptor)


def _path(descriptor: int) -> str:
    """The name of an open file, for a child that was given it."""
    return f"/proc/self/fd/{descriptor}"


def _content(descriptor: int) -> str:
    with Path(_path(descriptor)).open(errors="replace") as file:
        return file.read()
