"""Objects for the engine: check, diff, create, read, update and delete of any kind."""

import asyncio
import secrets
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from pulumi.provider.experimental import provider as sdk
from pulumi.provider.experimental.property_value import PropertyValue

from standins.pulumi.engine_log import EngineLog
from standins.pulumi.kubernetes import annotations, changes, checking, managed_fields, replacing
from standins.pulumi.kubernetes import objects as objects_
from standins.pulumi.kubernetes.access import Access
from standins.pulumi.kubernetes.cluster import Cluster, Clusters, place_or_none
from standins.pulumi.kubernetes.connection import ApiError, UnreachableError
from standins.pulumi.kubernetes.kinds import Kind, NoKindError, Place, Type, parse_token
from standins.pulumi.kubernetes.kubeconfig import KubeconfigError
from standins.pulumi.kubernetes.objects import Kept, checkpoint, parse_checkpoint, title
from standins.pulumi.kubernetes.values import (
    LAST_APPLIED,
    Props,
    contains_unknown,
    from_wire,
    mapping,
    mark_secrets,
    objects,
    text,
    to_wire,
)
from standins.pulumi.kubernetes.waiting import (
    DEFAULT_SECONDS,
    NotReadyError,
    Wait,
    check_now,
    until_gone,
    until_ready,
)
from standins.pulumi.plugin import (
    InitFailedError,
    PluginError,
    resource_token,
)
from standins.pulumi.values import PropertyMap, secret_texts

_T = TypeVar("_T")
# After the first try: a CRD or a namespace may be a moment away.
_RETRY_SECONDS = (1.0, 2.0, 4.0, 8.0, 16.0)
_SHORTEST_SECRET = 4
_INVALID = 422
_RACES = 4
_DIFFS = {
    (changes.Change.ADD, False): sdk.PropertyDiffKind.ADD,
    (changes.Change.ADD, True): sdk.PropertyDiffKind.ADD_REPLACE,
    (changes.Change.DELETE, False): sdk.PropertyDiffKind.DELETE,
    (changes.Change.DELETE, True): sdk.PropertyDiffKind.DELETE_REPLACE,
    (changes.Change.UPDATE, False): sdk.PropertyDiffKind.UPDATE,
    (changes.Change.UPDATE, True): sdk.PropertyDiffKind.UPDATE_REPLACE,
}


@dataclass(frozen=True)
class Target:
    """One object at its place. `given` are the inputs as the engine sent them, with marks."""

    urn: str
    type: Type
    cluster: Cluster
    place: Place
    wanted: Props
    given: Mapping[str, PropertyValue]
    manager: str = ""
    api_version: str = ""

    @property
    def namespace(self) -> str:
        if not self.place.namespaced:
            return ""
        return text(self.wanted, "metadata", "namespace") or "default"

    def state(self, live: Props) -> PropertyMap:
        kept = Kept({}, {}, self.api_version, self.manager)
        return checkpoint(self.wanted, live, self.given, kept)


class Manifests:
    """Answers for objects. Each call works in a thread of its own."""

    def __init__(self, access: Access, log: EngineLog) -> None:
        self._access = access
        self._log = log
        self._clusters = Clusters()
        self._cancelled = threading.Event()

    async def check(self, request: sdk.CheckRequest) -> sdk.CheckResponse:
        given = from_wire(request.new_inputs)
        kind = _type(request.type, given)
        try:
            wanted = checking.completed(
                kind, request.name, from_wire(request.old_inputs), given, request.random_seed
            )
        except ValueError as error:
            raise PluginError(f"{request.name} ({kind.kind.name}): {error}") from error
        failures = checking.failures(wanted)
        if self._access.known and not failures:
            await self._asked(lambda: self._place_in_default(kind.kind, wanted))
        return sdk.CheckResponse(
            mark_secrets(to_wire(wanted), request.new_inputs),
            [sdk.CheckFailure(*each) for each in failures],
        )

    async def diff(self, request: sdk.DiffRequest) -> sdk.DiffResponse:
        kept, wanted = parse_checkpoint(request.old_state), from_wire(request.new_inputs)
        kind = _type(request.type, wanted)
        found, unready = await self._asked(
            lambda: self._difference(kind, kept, wanted, request.ignore_changes)
        )
        return sdk.DiffResponse(
            changes=bool(found.changes) or unready,
            replaces=[*found.replaces, *([_UNREADY] if unready else [])],
            stables=[],
            diffs=[],
            delete_before_replace=found.delete_before_replace,
            detailed_diff={
                path: sdk.PropertyDiff(
                    _DIFFS[change, path in found.replaces], change is changes.Change.DELETE
                )
                for path, change in found.changes.items()
            },
        )

    async def create(self, request: sdk.CreateRequest) -> sdk.CreateResponse:
        wanted = from_wire(request.properties)
        kind = _type(request.type, wanted)
        if request.preview:
            if not self._access.known or kind.patch or contains_unknown(wanted):
                return sdk.CreateResponse("", request.properties)
            seen = await self._asked(lambda: self._preview_create(request, kind, wanted))
            return sdk.CreateResponse("", request.properties if seen is None else seen)
        target, live = await self._asked(lambda: self._create(request, kind, wanted))
        live = await self._ready(target, live, request.timeout)
        return sdk.CreateResponse(objects_.identity(live), target.state(live))

    async def read(self, request: sdk.ReadRequest) -> sdk.ReadResponse:
        return await self._asked(lambda: self._read(request))

    async def update(self, request: sdk.UpdateRequest) -> sdk.UpdateResponse:
        wanted = from_wire(request.news)
        kind = _type(request.type, wanted)
        if request.preview and (not self._access.known or contains_unknown(wanted)):
            return sdk.UpdateResponse(request.news)
        target, live = await self._asked(lambda: self._update(request, kind, wanted))
        if request.preview:
            return sdk.UpdateResponse(request.news if live is None else target.state(live))
        if live is None:
            raise _no_kind(target)
        live = await self._ready(target, live, request.timeout)
        await self._asked(lambda: self._give_up_old_manager(request, target, live))
        return sdk.UpdateResponse(target.state(live))

    async def delete(self, request: sdk.DeleteRequest) -> None:
        await self._asked(lambda: self._delete(request))

    async def cancel(self) -> None:
        self._cancelled.set()

    # ---- in a thread

    async def _asked(self, work: Callable[[], _T]) -> _T:
        try:
            return await asyncio.to_thread(work)
        except (ApiError, NoKindError, UnreachableError, KubeconfigError, NotReadyError) as error:
            raise PluginError(str(error)) from error

    def _cluster(self) -> Cluster:
        return self._clusters.of(self._access.settings)

    def _place_in_default(self, kind: Kind, wanted: Props) -> None:
        """Put an object without a namespace into the provider's own, if it has one."""
        metadata = wanted.get("metadata")
        cluster = self._cluster()
        if not isinstance(metadata, dict) or metadata.get("namespace") is not None:
            return
        if not cluster.default_namespace:
            return
        place = place_or_none(cluster, kind)
        # A kind whose definition is still to come most often has namespaces.
        if place is None or place.namespaced:
            metadata["namespace"] = cluster.default_namespace

    def _difference(
        self, kind: Type, kept: Kept, wanted: Props, ignored: list[str]
    ) -> tuple[changes.Difference, bool]:
        place = place_or_none(self._cluster(), kind.kind) if self._access.known else None
        settings = self._access.settings if self._access.known else None
        fixed: Sequence[str] = replacing.IDENTITY
        if settings is not None:
            fixed = replacing.fields(kind.kind, wanted, settings, patch=kind.patch)
        found = changes.difference(
            kept,
            wanted,
            namespaced=place.namespaced if place else bool(_namespace(kept.live)) or not place,
            known_kind=kind.kind.known,
            fixed=fixed,
            ignored=ignored,
        )
        unready = place is not None and self._must_replace_unready(place, kept, wanted)
        return found, unready

    def _must_replace_unready(self, place: Place, kept: Kept, wanted: Props) -> bool:
        if place.kind.name != "Job" or not annotations.is_true(wanted, "replaceUnready"):
            return False
        name = text(kept.live, "metadata", "name")
        live = self._cluster().find(place, _namespace(kept.live), name)
        conditions = objects(live, "status", "conditions")
        return live is not None and not any(
            text(one, "type") == "Complete" and text(one, "status") == "True" for one in conditions
        )

    def _preview_create(
        self, request: sdk.CreateRequest, kind: Type, wanted: Props
    ) -> PropertyMap | None:
        """The state that a dry run gives; None where none can be had."""
        cluster = self._cluster()
        place = place_or_none(cluster, kind.kind)
        if place is None:
            return None
        target = Target(request.urn, kind, cluster, place, wanted, request.properties, "")
        try:
            live, warnings = cluster.create(
                place, target.namespace, wanted, managed_fields.CREATOR, dry=True
            )
        except ApiError as error:
            if error.forbidden or error.exists or error.missing_namespace:
                return None
            if "does not support dry run" in str(error):
                return None
            raise self._refused(target, "cannot be created", error) from error
        self._warn(request.urn, warnings)
        live.pop("status", None)
        return target.state(live)

    def _create(
        self, request: sdk.CreateRequest, kind: Type, wanted: Props
    ) -> tuple[Target, Props]:
        cluster = self._cluster()
        manager = annotations.value(wanted, "patchFieldManager") or _new_manager()
        for pause in (*_RETRY_SECONDS, None):
            try:
                place = cluster.discovery.place(kind.kind)
                target = Target(
                    request.urn,
                    kind,
                    cluster,
                    place,
                    wanted,
                    request.properties,
                    manager,
                    text(wanted, "apiVersion"),
                )
                return target, self._make(target)
            except (ApiError, NoKindError) as error:
                again = isinstance(error, NoKindError) or error.not_found
                if again and pause is not None and not self._cancelled.is_set():
                    self._log.status(request.urn, f"tries again in {pause:g} s: {error}")
                    self._cancelled.wait(pause)
                    continue
                raise self._not_created(kind, wanted, request.properties, error) from error
        raise AssertionError("the loop returns or raises")

    def _make(self, target: Target) -> Props:
        cluster, place, wanted = target.cluster, target.place, target.wanted
        if target.type.patch or self._access.settings.upsert_existing:
            live, warnings = cluster.apply(
                place,
                target.namespace,
                wanted,
                target.manager,
                force=self._forces(wanted),
                dry=False,
            )
        else:
            live, warnings = cluster.create(
                place, target.namespace, wanted, managed_fields.CREATOR, dry=False
            )
        self._warn(target.urn, warnings)
        if place.kind.is_crd:
            _forget_definition(cluster, wanted)
        return live

    def _read(self, request: sdk.ReadRequest) -> sdk.ReadResponse:
        inputs = objects_.normalize(from_wire(request.inputs))
        kept = parse_checkpoint(request.properties)
        kind = _type(request.type, inputs or kept.live)
        cluster = self._cluster()
        place = place_or_none(cluster, kind.kind)
        if place is None:
            return sdk.ReadResponse("")
        namespace, name = objects_.parse_identity(request.resource_id)
        live = cluster.find(place, namespace or "default", name)
        if live is None:
            return sdk.ReadResponse("")
        imported = not inputs
        found = _imported(kind.kind, live) if imported else objects_.prune(live, inputs)
        if not imported and kind.kind.known:
            found = objects_.with_dropped_zeros(found, inputs)
        target = Target(
            request.urn,
            kind,
            cluster,
            place,
            found,
            request.inputs,
            annotations.value(inputs, "patchFieldManager") or kept.field_manager or _new_manager(),
            kept.api_version or text(live, "apiVersion"),
        )
        state = target.state(live)
        news = mark_secrets(to_wire(found), request.inputs)
        if not imported and not kind.patch:
            try:
                check_now(cluster, place, inputs, live)
            except NotReadyError as error:
                raise InitFailedError(str(error), request.resource_id, state, news) from error
        return sdk.ReadResponse(request.resource_id, state, news)

    def _update(
        self, request: sdk.UpdateRequest, kind: Type, wanted: Props
    ) -> tuple[Target, Props | None]:
        cluster = self._cluster()
        kept = parse_checkpoint(request.olds)
        wanted = objects_.normalize(wanted)
        manager = annotations.value(wanted, "patchFieldManager") or kept.field_manager
        place = place_or_none(cluster, kind.kind)
        if place is None:
            place = Place(kind.kind, "", bool(_namespace(kept.live)))
            return Target(request.urn, kind, cluster, place, wanted, request.news), None
        target = Target(
            request.urn,
            kind,
            cluster,
            place,
            wanted,
            request.news,
            manager or _new_manager(),
            kept.api_version,
        )
        name = text(kept.live, "metadata", "name")
        live = cluster.find(place, target.namespace, name)
        if live is None:
            raise PluginError(
                f"{title(wanted)} was not updated: it is not in the cluster any more; run "
                "`pulumi refresh`, then the update makes it again"
            )
        try:
            return target, self._change_again(target, live, request)
        except ApiError as error:
            if request.preview and error.forbidden:
                return target, None
            failure = self._refused(target, "was not updated", error)
            if request.preview:
                raise failure from error
            # As the official plugin: what is there is kept, and the next update tries again.
            raise InitFailedError(
                str(failure), request.resource_id, target.state(live), request.news
            ) from error

    def _change_again(self, target: Target, live: Props, request: sdk.UpdateRequest) -> Props:
        for _ in range(_RACES):
            try:
                return self._change(target, live, request.ignore_changes, dry=request.preview)
            except ApiError as error:
                # A controller wrote to the object since it was looked at.
                if not error.conflict or managed_fields.conflicts(error.document):
                    raise
            name = text(live, "metadata", "name")
            live = target.cluster.get(target.place, target.namespace, name)
        return self._change(target, live, request.ignore_changes, dry=request.preview)

    def _change(self, target: Target, live: Props, ignored: list[str], *, dry: bool) -> Props:
        cluster, place, wanted = target.cluster, target.place, target.wanted
        if place.kind.is_crd:
            version = text(live, "metadata", "resourceVersion")
            metadata: Props = {**mapping(wanted, "metadata"), "resourceVersion": version}
            whole: Props = {**wanted, "metadata": metadata}
            made, warnings = cluster.replace(place, whole, target.manager, dry=dry)
            _forget_definition(cluster, wanted)
        else:
            force = self._forces(wanted) or not objects(live, "metadata", "managedFields")
            if not target.type.patch and dry:
                force = force or managed_fields.is_created_here(live)
            elif not target.type.patch:
                live = self._take_over(target, live)
            applied = managed_fields.without_ignored(wanted, live, target.manager, ignored)
            made, warnings = cluster.apply(
                place, target.namespace, applied, target.manager, force=force, dry=dry
            )
        self._warn(target.urn, warnings)
        return made

    def _take_over(self, target: Target, live: Props) -> Props:
        patch = managed_fields.take_over(live, target.manager)
        if not patch:
            return live
        name = text(live, "metadata", "name")
        return target.cluster.patch(target.place, target.namespace, name, patch)

    def _give_up_old_manager(self, request: sdk.UpdateRequest, target: Target, live: Props) -> None:
        old = parse_checkpoint(request.olds).field_manager
        if old and old != target.manager and not target.place.kind.is_crd:
            _relinquish(target.cluster, target.place, live, old)

    def _delete(self, request: sdk.DeleteRequest) -> None:
        kept = parse_checkpoint(request.properties)
        kind = _type(request.type, kept.inputs or kept.live)
        cluster = self._cluster()
        place = place_or_none(cluster, kind.kind)
        if place is None:
            return  # the definition is gone, and its objects with it
        namespace, name = objects_.parse_identity(request.resource_id)
        live = cluster.find(place, namespace or "default", name)
        if live is None:
            return
        if kind.patch:
            self._relinquish_patch(cluster, place, live, kept.field_manager)
            return
        try:
            how = annotations.propagation(kept.inputs)
            cluster.delete(place, namespace or "default", name, how)
        except ApiError as error:
            if error.not_found:
                return
            raise PluginError(f"{title(live)} was not deleted: {error}") from error
        if place.kind.is_crd:
            _forget_definition(cluster, live)
        if annotations.deletes_unawaited(kind.kind, kept.inputs):
            return
        seconds = annotations.timeout(kept.inputs, request.timeout, DEFAULT_SECONDS)
        until_gone(cluster, place, live, seconds, self._wait(request.urn))

    def _relinquish_patch(self, cluster: Cluster, place: Place, live: Props, manager: str) -> None:
        try:
            _relinquish(cluster, place, live, manager)
        except ApiError as error:
            if error.status == _INVALID:
                raise PluginError(
                    f"the patch of {title(live)} was not given up, for it owns a required field "
                    f"({error}); set retainOnDelete or give the field another owner first"
                ) from error
            raise

    async def _ready(self, target: Target, live: Props, custom: float) -> Props:
        seconds = annotations.timeout(target.wanted, custom, DEFAULT_SECONDS)
        wait = self._wait(target.urn)
        try:
            return await asyncio.to_thread(
                until_ready, target.cluster, target.place, target.wanted, live, (seconds, wait)
            )
        except (NotReadyError, ApiError, UnreachableError, ValueError) as error:
            seen = error.live if isinstance(error, NotReadyError) else live
            sentence = _redacted(str(error), target.given)
            raise InitFailedError(
                sentence, objects_.identity(seen), target.state(seen), target.given
            ) from error

    def _wait(self, urn: str) -> Wait:
        said: list[str] = []

        def say(words: str) -> None:
            if said[-1:] != [words]:
                said.append(words)
                self._log.status(urn, words)

        return Wait(say, self._cancelled)

    def _forces(self, wanted: Props) -> bool:
        return self._access.settings.patch_force or annotations.is_true(wanted, "patchForce")

    def _warn(self, urn: str, warnings: list[str]) -> None:
        for words in warnings:
            self._log.warning(urn, words)

    def _refused(self, target: Target, what: str, error: ApiError) -> PluginError:
        fields = managed_fields.conflicts(error.document)
        if fields:
            why = (
                f"fields belong to others: {', '.join(fields)}; set the annotation "
                "pulumi.com/patchForce to take them, or ignoreChanges to leave them"
            )
        else:
            why = str(error)
        return PluginError(_redacted(f"{title(target.wanted)} {what}: {why}", target.given))

    def _not_created(
        self, kind: Type, wanted: Props, given: Mapping[str, PropertyValue], error: Exception
    ) -> PluginError:
        words = str(error)
        if isinstance(error, NoKindError):
            words += "; make its CustomResourceDefinition first"
        elif isinstance(error, ApiError) and error.exists:
            words += "; import it, patch it with a Patch resource, or delete it"
        elif isinstance(error, ApiError) and managed_fields.conflicts(error.document):
            fields = ", ".join(managed_fields.conflicts(error.document))
            words = f"fields belong to others: {fields}; set the annotation pulumi.com/patchForce"
        verb = "patched" if kind.patch else "created"
        return PluginError(_redacted(f"{title(wanted)} was not {verb}: {words}", given))


_UNREADY = 'metadata.annotations["pulumi.com/replaceUnready"]'


def _type(qualified: str, props: Props) -> Type:
    try:
        return parse_token(resource_token(qualified), text(props, "kind"))
    except ValueError as error:
        raise PluginError(str(error)) from error


def _namespace(live: Props) -> str:
    return text(live, "metadata", "namespace")


def _new_manager() -> str:
    return f"{managed_fields.CREATOR}-{secrets.token_hex(4)}"


def _no_kind(target: Target) -> PluginError:
    kind = target.type.kind
    return PluginError(
        f"{title(target.wanted)} was not updated: the server has no kind {kind.name} in "
        f"{kind.api_version}; make its CustomResourceDefinition first"
    )


def _imported(kind: Kind, live: Props) -> Props:
    """The inputs of an object that was only read: what a program would declare of it.

    Of a custom kind, whose fields the official plugin does not know, only the identity.
    """
    names = [name for name in live if name != "status"] if kind.known else ("apiVersion", "kind")
    found: Props = {name: live[name] for name in names if name in live}
    if not kind.known:
        whole = mapping(live, "metadata")
        found["metadata"] = {name: whole[name] for name in ("name", "namespace") if name in whole}
    found = objects_.normalize(found)
    noted = mapping(found, "metadata", "annotations")
    for name in ("deployment.kubernetes.io/revision", LAST_APPLIED):
        noted.pop(name, None)
    return found


def _relinquish(cluster: Cluster, place: Place, live: Props, manager: str) -> None:
    """Own no field of the object any more; fields without an owner go."""
    metadata: Props = {
        name: value
        for name, value in mapping(live, "metadata").items()
        if name in ("name", "namespace")
    }
    bare: Props = {"apiVersion": live["apiVersion"], "kind": live["kind"], "metadata": metadata}
    cluster.apply(place, _namespace(live), bare, manager, force=False, dry=False)


def _forget_definition(cluster: Cluster, definition: Props) -> None:
    group, name = text(definition, "spec", "group"), text(definition, "spec", "names", "kind")
    for version in objects(definition, "spec", "versions"):
        cluster.discovery.forget(Kind(group, text(version, "name"), name))


def _redacted(sentence: str, given: Mapping[str, PropertyValue]) -> str:
    # The server repeats values that it refuses.
    for secret in sorted(secret_texts(given), key=len, reverse=True):
        if len(secret) >= _SHORTEST_SECRET:
            sentence = sentence.replace(secret, "[secret]")
    return sentence
