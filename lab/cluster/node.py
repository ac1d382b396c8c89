"""Host cp1 as the cluster's node: what it needs is made, and how it has to be started."""

from dataclasses import dataclass
from pathlib import Path

from lab import image, tools
from lab.cluster import layout, prepare
from lab.images import recipes, store
from lab.instance import Instance
from lab.paths import cache_dir


@dataclass(frozen=True)
class NodeStart:
    """`options` for nspawn; `changed` when the node's files are not what it was started with."""

    options: list[str]
    changed: bool


def needed_tools() -> list[str]:
    """The pinned tools that the node and its images are made of."""
    return list(dict.fromkeys([*layout.NODE_TOOLS, *recipes.tools()]))


def found_tools() -> dict[str, Path] | None:
    """Where they are; None while one of them is not built."""
    found = {name: tools.find(name) for name in needed_tools()}
    there = {name: path for name, path in found.items() if path is not None}
    return there if len(there) == len(found) else None


def made(lab: Instance) -> bool:
    """Whether this lab has had a cluster before."""
    return layout.kubeconfig(lab).exists()


def make(lab: Instance, found: dict[str, Path]) -> NodeStart:
    """Makes images and files of the node; its host must be there, running or not."""
    base = image.ensure(cache_dir(), layout.NODE.kind)
    images = store.ensure(cache_dir(), found, base)
    changed = prepare.write(lab, found, images)
    return NodeStart(prepare.binds(found), changed)
