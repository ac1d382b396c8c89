"""An API server in memory with Longhorn's kinds, and somebody who acts while a command waits."""

import copy
import datetime
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from kube.client import Client, Clock
from kube.longhorn.api import GROUP, NAMESPACE, Longhorn
from kube.writer import Writer
from tests.kube.fakes import AT, ok, status

BEGIN = datetime.datetime(2026, 11, 3, 12, 0, 0, tzinfo=datetime.UTC)
ROOT = f"/apis/{GROUP}/namespaces/{NAMESPACE}/"
SECRETS = f"/api/v1/namespaces/{NAMESPACE}/secrets"
VOLUMES = "/api/v1/persistentvolumes"

Answer = tuple[int, bytes]


def at(seconds: float) -> str:
    """A time that many seconds after the beginning, as the API server writes it."""
    return (BEGIN + datetime.timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass
class Cluster:
    """Objects by path. `deeds`: one is done in each pause. `refuse`: answers in place of its own.

    `now`: seconds since BEGIN, which pass only in pauses.
    """

    objects: dict[str, dict[str, Any]] = field(default_factory=dict)
    deeds: list[Callable[[], object]] = field(default_factory=list)
    always: Callable[[], object] | None = None
    refuse: Callable[[str, str], Answer | Exception | None] = lambda _method, _path: None
    asked: list[tuple[str, str]] = field(default_factory=list)
    now: float = 0.0
    pauses: int = 0

    def longhorn(self) -> Longhorn:
        clock = Clock(lambda: self.now, self._sleep)
        client = Client(self._read, AT, clock=clock, patience=0)
        return Longhorn(client, Writer(self._write, AT, clock=clock), NAMESPACE, clock)

    def wall(self) -> datetime.datetime:
        return BEGIN + datetime.timedelta(seconds=self.now)

    def add(self, kind: str, name: str, **content: Any) -> dict[str, Any]:
        """An object of Longhorn's; `labels` go into its metadata."""
        made = {
            "metadata": {
                "name": name,
                "labels": content.pop("labels", {}),
                "creationTimestamp": content.pop("created", at(self.now)),
            },
            **content,
        }
        self.objects[f"{ROOT}{kind}/{name}"] = made
        return made

    def put(self, path: str, name: str, **content: Any) -> None:
        """An object of another kind."""
        self.objects[f"{path}/{name}"] = {"metadata": {"name": name}, **content}

    def answer(self, kind: str, name: str, **held: Any) -> None:
        """What Longhorn's manager writes into the status of an object."""
        self.objects[f"{ROOT}{kind}/{name}"].setdefault("status", {}).update(held)

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [one for path, one in self.objects.items() if path.startswith(f"{ROOT}{kind}/")]

    def names(self, kind: str) -> list[str]:
        return [one["metadata"]["name"] for one in self.of(kind)]

    def _sleep(self, seconds: float) -> None:
        self.now += seconds
        self.pauses += 1
        if self.deeds:
            self.deeds.pop(0)()
        if self.always is not None:
            self.always()

    def _refused(self, method: str, path: str) -> Answer | None:
        self.asked.append((method, path))
        answer = self.refuse(method, path)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _read(self, path: str, query: Mapping[str, str], _accept: str) -> Answer:
        refused = self._refused("GET", path)
        if refused is not None:
            return refused
        if path in self.objects:
            return ok(self.objects[path])
        wanted = dict(
            one.split("=", 1) for one in filter(None, query.get("labelSelector", "").split(","))
        )
        found = [
            one
            for held, one in self.objects.items()
            if held.rpartition("/")[0] == path
            and wanted.items() <= (one["metadata"].get("labels") or {}).items()
        ]
        is_collection = path in (SECRETS, VOLUMES) or (
            path.startswith(ROOT) and "/" not in path.removeprefix(ROOT)
        )
        if not found and not is_collection:
            return status(404, f"{path} not found", "NotFound")
        return ok({"items": found, "metadata": {"resourceVersion": "7"}})

    def _write(
        self,
        method: str,
        path: str,
        _query: Mapping[str, str],
        _headers: Mapping[str, str],
        body: bytes,
    ) -> Answer:
        refused = self._refused(method, path)
        if refused is not None:
            return refused
        content = json.loads(body) if body else {}
        if method == "POST":
            key = f"{path}/{unquote(content['metadata']['name'])}"
            if key in self.objects:
                return status(409, "already exists", "AlreadyExists")
            content["metadata"]["creationTimestamp"] = at(self.now)
            self.objects[key] = content
            return ok(content)
        if path not in self.objects:
            return status(404, "not found", "NotFound")
        if method == "DELETE":
            return ok(self.objects.pop(path))
        self.objects[path] = _merged(self.objects[path], content)
        return ok(self.objects[path])


def _merged(held: dict[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    made = copy.deepcopy(held)
    for key, value in patch.items():
        inner = isinstance(value, Mapping) and isinstance(made.get(key), dict)
        made[key] = _merged(made[key], value) if inner else value
    return made
