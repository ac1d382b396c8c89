"""From a running node to a cluster that is ready: waits for the API, finishes, waits again."""

import sys
import time
from collections.abc import Callable, Mapping

from lab import limits, ssh
from lab.cluster import health, layout, units
from lab.cluster.layout import KUBERNETES
from lab.errors import LabError
from lab.instance import Instance

READY_SECONDS = 300.0
FINISH_SECONDS = 240.0
POLL_SECONDS = 0.7
SAY_SECONDS = 15.0
UNREGISTERED = "not registered"
# An import that has ended well: a start alone would pass over it.
IMPORT_AGAIN = """\
if [ "$(systemctl show --property SubState --value lab-images)" = exited ]; then
    systemctl restart --no-block lab-images
fi"""
# The kubelet looks for drivers once: when that failed, only a new start looks again.
LOOK_FOR_DRIVERS_AGAIN = """\
since=$(systemctl show --property ActiveEnterTimestampMonotonic --value kubelet)
if [ $(($(cut -d. -f1 /proc/uptime) - since / 1000000)) -gt 60 ]; then
    systemctl restart --no-block kubelet
fi"""

Parts = Mapping[str, str]


def settle(lab: Instance) -> None:
    """Returns when every part is well; raises LabError naming those that are not."""
    began = time.monotonic()
    found = health.of(lab) or {}
    if ill(found):
        # On a busy machine one answer may be late; twice in a row is another matter.
        time.sleep(POLL_SECONDS)
        found = health.of(lab) or {}
    ready_at_once = not ill(found)
    if not ready_at_once:
        _heal(lab, found)
        _wait(lab, health.parts, "its API", lambda parts: parts.get("apiserver") == health.OK)
        _say(f"cluster: its API answers after {time.monotonic() - began:.0f} s")
    finish = ["sh", f"{KUBERNETES}/lab/finish.sh"]
    answer = ssh.ask(lab, layout.NODE, finish, seconds=FINISH_SECONDS)
    if answer.returncode != 0:
        said = answer.stderr.strip().splitlines()
        raise LabError(
            f"the cluster is up but could not be finished ({said[-1] if said else 'no word'}): "
            "run `python3 -m lab up` again, `python3 -m lab status` shows its parts"
        )
    if not ready_at_once:
        _wait(lab, health.parts, "all of its parts", lambda parts: not ill(parts))
        _wait(lab, health.of, "its images", lambda parts: not ill(parts))
        _say(f"cluster: ready after {time.monotonic() - began:.0f} s")


def _heal(lab: Instance, found: Parts) -> None:
    """Starts what was stopped by hand; what runs, or is only just starting, stays as it is."""
    names = units.all_units(str(lab.address(layout.NODE)))
    script = [f"systemctl start --no-block {' '.join(names)}"]
    if found.get("images", health.OK) != health.OK:
        script.append(IMPORT_AGAIN)
    if UNREGISTERED in found.get("csi-driver", ""):
        script.append(LOOK_FOR_DRIVERS_AGAIN)
    ssh.ask(lab, layout.NODE, ["; ".join(script)])


def ill(parts: Parts) -> dict[str, str]:
    """The parts that are not well, with what they say; all of it where nothing was found."""
    if not parts:
        return {"cluster": "not made yet"}
    return {name: said for name, said in parts.items() if said not in health.WELL}


def _wait(
    lab: Instance,
    ask: Callable[[Instance], Parts | None],
    what: str,
    enough: Callable[[Parts], bool],
) -> None:
    deadline = time.monotonic() + READY_SECONDS
    say = time.monotonic() + SAY_SECONDS
    while not enough(parts := ask(lab) or {}):
        words = "; ".join(f"{name} {said}" for name, said in ill(parts).items())
        if time.monotonic() > deadline:
            scarce = limits.node_warning()
            if scarce is not None:
                raise LabError(f"the cluster is not ready ({words}): {scarce}, then run this again")
            raise LabError(
                f"the cluster was not ready after {READY_SECONDS:.0f} s ({words}): see "
                f"`python3 -m lab exec {layout.NODE.name} -- journalctl -b -u kubelet`, "
                "or the unit of the part that is named"
            )
        if time.monotonic() > say:
            _say(f"cluster: waiting for {what}: {words}")
            say += SAY_SECONDS
        time.sleep(POLL_SECONDS)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
