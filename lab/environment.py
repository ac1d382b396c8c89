"""The shell environment for the stack of this instance: `eval "$(python3 -m lab env)"`."""

import os
import shlex
from collections.abc import Mapping
from pathlib import Path

from lab import tools, venv
from lab.cluster import layout
from lab.errors import LabError
from lab.instance import Instance
from lab.paths import ROOT, cache_dir
from stack import plugins

# On PATH for the stack and for a person; with a cluster also what a person works on it with.
STORE_TOOLS = ("pulumi", "minio")
OPERATOR_TOOLS = (*STORE_TOOLS, "kubectl", "helm", "velero", "etcdctl")


def foreign_folders(path: str, cache: Path) -> list[str]:
    """The folders of PATH, without those that an earlier call put there from the cache."""
    folders = filter(None, path.split(os.pathsep))
    return [folder for folder in folders if not Path(folder).is_relative_to(cache)]


def with_plugins(
    path: str, environ: Mapping[str, str], own_home: Path, cli: Path, home: Path
) -> str:
    """`path` with the plugins that the stack's driver would choose, too.

    The lab's engine has a Pulumi home of its own (`own_home`); official plugins that the user
    (`home`, PULUMI_HOME in `environ`) has installed are used all the same. Which stand-ins are in
    use is not said here: the driver and the stand-ins themselves say it. Raises LabError when
    there is neither an official plugin nor a stand-in.
    """
    choices = plugins.choose(
        plugins.needed(ROOT / "versions.toml"),
        {**environ, "PATH": path},
        [own_home, *plugins.pulumi_homes(environ, home)],
        cli,
        ROOT.joinpath(*plugins.STANDINS),
    )
    for choice in choices:
        if choice.origin is plugins.Origin.MISSING:
            raise LabError(f"{choice.note}: {choice.plugin.install}")
    return plugins.search_path(choices, path)


def exports(lab: Instance, environ: Mapping[str, str] = os.environ) -> str:
    """Shell text that sets everything; raises LabError when `lab up` has not finished."""
    folder = venv.location()
    cluster = layout.kubeconfig(lab)
    wanted = OPERATOR_TOOLS if cluster.exists() else STORE_TOOLS
    binaries = {name: tools.find(name) for name in wanted}
    found = {name: path for name, path in binaries.items() if path is not None}
    if not lab.inventory.exists() or not venv.complete(folder) or len(found) < len(binaries):
        raise LabError(f"the lab {lab.name} is not up: run `python3 -m lab up` first")
    own_home = lab.folder / "pulumi-home"
    folders = [str(folder / "bin"), *(str(path.parent) for path in found.values())]
    folders += foreign_folders(environ.get("PATH", ""), cache_dir())
    path = os.pathsep.join(dict.fromkeys(folders))
    values = {
        "PATH": with_plugins(path, environ, own_home, found["pulumi"], Path.home()),
        "PULUMI_HOME": str(own_home),
        "PULUMI_BACKEND_URL": f"file://{lab.folder / 'pulumi'}",
        "PULUMI_CONFIG_PASSPHRASE_FILE": str(lab.folder / "passphrase"),
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        "BACKSTOP_INVENTORY": str(lab.inventory),
        "BACKSTOP_PYTHON": str(folder / "bin" / "python"),
        "BACKSTOP_RECEIPTS": str(lab.folder / "receipts"),
    }
    if cluster.exists():
        values["KUBECONFIG"] = str(cluster)
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in values.items())
