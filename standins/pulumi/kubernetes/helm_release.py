"""Releases for the engine: `kubernetes:helm.sh/v3:Release`, through the real helm."""

import json
from collections.abc import Mapping
from typing import cast

from pulumi.provider.experimental import provider as sdk
from pulumi.provider.experimental.property_value import PropertyValue

from standins.pulumi.engine_log import EngineLog
from standins.pulumi.kubernetes import helm_arguments as arguments
from standins.pulumi.kubernetes import helm_errors as errors
from standins.pulumi.kubernetes import helm_inputs, helm_state
from standins.pulumi.kubernetes.access import Access
from standins.pulumi.kubernetes.helm_charts import ChartError, Charts, beside_program
from standins.pulumi.kubernetes.helm_client import Finished, Helm, default_namespace
from standins.pulumi.kubernetes.helm_diff import diff
from standins.pulumi.kubernetes.helm_state import Live
from standins.pulumi.kubernetes.helm_values import Data, annotated, stripped_map
from standins.pulumi.plugin import InitFailedError, PluginError
from standins.pulumi.values import (
    PropertyMap,
    contains_unknown,
    secret_texts,
    unknown,
    wrap,
)

_INPUTS = "__inputs"
_CHART_CURE = "check the chart name and repository configuration"
_SHORTEST_SECRET = 4


class HelmReleases:
    """Answers for releases. Each call runs helm once or a few times; calls may come in parallel."""

    def __init__(self, access: Access, log: EngineLog) -> None:
        self._access = access
        self._log = log
        self._helm = Helm()
        self._charts = Charts(self._helm)

    async def check(self, request: sdk.CheckRequest) -> sdk.CheckResponse:
        news = request.new_inputs
        given = stripped_map(news)
        found = helm_inputs.failures(given, lambda name: _known(news, name))
        if found:
            return sdk.CheckResponse(news, [sdk.CheckFailure(*each) for each in found])
        namespace = default_namespace(self._access.settings) if self._access.known else ""
        old = stripped_map(request.old_inputs)
        completed = helm_inputs.completed(given, old, request.name, namespace)
        release = helm_inputs.with_files(completed)
        failures: list[sdk.CheckFailure] = []
        if not any(contains_unknown(value) for value in news.values()):
            failures = await self._check_chart(release)
        kept = helm_inputs.kept(release, lambda name: _known(news, name))
        return sdk.CheckResponse(_properties(kept, _with_secret_files(news)), failures)

    async def _check_chart(self, release: Data) -> list[sdk.CheckFailure]:
        """Puts the chart's own version into the release, and asks its schema about the values."""
        try:
            chart = await self._charts.path(release)
            release["version"] = await self._charts.version(chart)
        except ChartError as error:
            return [sdk.CheckFailure("chart", f"{error}; {_CHART_CURE}")]
        done = await self._helm.local(arguments.template(release, chart), _values(release))
        complaint = errors.schema_complaint(done.stderr) if done.code else None
        return [sdk.CheckFailure("values", complaint)] if complaint else []

    async def diff(self, request: sdk.DiffRequest) -> sdk.DiffResponse:
        old = _inputs_of(request.old_state)
        new = dict(request.new_inputs)
        if "version" in request.ignore_changes and "version" in request.old_state:
            new["version"] = request.old_state["version"]
        return diff(old or {}, new, request.old_state)

    async def create(self, request: sdk.CreateRequest) -> sdk.CreateResponse:
        news = request.properties
        release = stripped_map(news)
        if request.preview:
            return sdk.CreateResponse("", _checkpoint(news, release, preview=True))
        live = await self._install(release, news)
        outputs = _checkpoint(news, helm_state.with_live(release, live))
        return sdk.CreateResponse(_id_of(release), outputs)

    async def _install(self, release: Data, news: PropertyMap) -> Live:
        chart = await self._chart(release)
        settings = self._access.settings
        argv = arguments.install(release, chart)
        done = await self._helm.change(argv, settings, _values(release))
        if not done.code:
            return await self._deployed(done, release)
        text = _redacted(errors.said(done.stderr), news)
        if errors.IN_USE in text:
            raise PluginError(errors.in_use(_id_of(release), await self._found(release)))
        raise await self._failure("install", release, news, text, before=None)

    async def update(self, request: sdk.UpdateRequest) -> sdk.UpdateResponse:
        news = request.news
        release = stripped_map(news)
        if request.preview:
            return sdk.UpdateResponse(_checkpoint(news, release, preview=True))
        old = stripped_map(request.olds)
        namespace = str(old.get("namespace") or release["namespace"])
        live = await self._upgrade(release, namespace, news)
        return sdk.UpdateResponse(_checkpoint(news, helm_state.with_live(release, live)))

    async def _upgrade(self, release: Data, namespace: str, news: PropertyMap) -> Live:
        chart = await self._chart(release)
        before = await self._found({**release, "namespace": namespace})
        if before is None:
            raise PluginError(errors.gone(_id_of(release)))
        if before.pending:
            raise PluginError(errors.in_progress(before))
        argv = arguments.upgrade(release, namespace, chart)
        done = await self._helm.change(argv, self._access.settings, _values(release))
        if not done.code:
            return await self._deployed(done, release)
        text = _redacted(errors.said(done.stderr), news)
        raise await self._failure("upgrade", release, news, text, before=before)

    async def _failure(
        self, what: str, release: Data, news: PropertyMap, text: str, before: Live | None
    ) -> PluginError:
        """The error of a release that failed; with its state where helm left a record of it.

        The engine then keeps the resource, and the next update upgrades it.
        """
        release_id = _id_of(release)
        live = None if errors.unreachable(text) else await self._found(release)
        recorded = live is not None and (before is None or live.revision > before.revision)
        unready = await self._not_ready(release) if recorded else ""
        timeout = release.get("timeout") or helm_inputs.DEFAULT_TIMEOUT_SECONDS
        sentence = errors.failed(what, release_id, text, unready, timeout)
        if live is None or not recorded:
            return PluginError(sentence)
        state = _checkpoint(news, helm_state.with_live(release, live))
        return InitFailedError(sentence, release_id, state, news)

    async def read(self, request: sdk.ReadRequest) -> sdk.ReadResponse:
        state = request.properties
        release = stripped_map({k: v for k, v in state.items() if k != _INPUTS})
        if not state:
            release["namespace"], release["name"] = helm_state.parsed_id(request.resource_id)
        live = await self._found(release)
        if live is None:
            return sdk.ReadResponse("")
        release = helm_state.with_live(release, live)
        inputs = _inputs_of(state)
        if inputs is None:
            inputs = self._imported(release, live)
            release["chart"] = inputs["chart"].value
        return sdk.ReadResponse(request.resource_id, _checkpoint(inputs, release), inputs)

    def _imported(self, release: Data, live: Live) -> PropertyMap:
        """Inputs for a release that the program does not know yet: what the cluster has."""
        known: Data = {key: release[key] for key in ("name", "namespace", "version")}
        known |= {"chart": beside_program(live.chart, live.version), "values": live.config}
        whole = helm_inputs.with_defaults(known, "")
        return _properties(helm_inputs.kept(whole, lambda _: True), {})

    async def delete(self, request: sdk.DeleteRequest) -> None:
        release = stripped_map(request.properties)
        done = await self._helm.change(arguments.uninstall(release), self._access.settings)
        if not done.code:
            return
        text = _redacted(errors.said(done.stderr), request.properties)
        if errors.NOT_FOUND in text:
            # Somebody took it away, or a destroy was interrupted after it: that is what was wanted.
            self._log.info(request.urn, f"Helm release {_id_of(release)} was gone already")
            return
        timeout = release.get("timeout") or helm_inputs.DEFAULT_TIMEOUT_SECONDS
        raise PluginError(errors.failed("uninstall", _id_of(release), text, "", timeout))

    async def cancel(self) -> None:
        await self._helm.end()
        self._charts.end()

    async def _chart(self, release: Data) -> str:
        try:
            return await self._charts.path(release)
        except ChartError as error:
            raise PluginError(f"Helm release {_id_of(release)}: {error}; {_CHART_CURE}") from error

    async def _deployed(self, done: Finished, release: Data) -> Live:
        """The release as helm reports it after an install or upgrade."""
        try:
            return helm_state.parsed(done.stdout)
        except ValueError:
            found = await self._found(release)
        if found is None:
            raise PluginError(f"Helm release {_id_of(release)}: it vanished right after helm ended")
        return found

    async def _found(self, release: Mapping[str, object]) -> Live | None:
        """The newest record of a release; None if there is none. Raises PluginError."""
        namespace, name = str(release.get("namespace") or ""), str(release["name"])
        settings = self._access.settings
        namespace = namespace or default_namespace(settings) or helm_inputs.DEFAULT_NAMESPACE
        report = await self._asked(arguments.status(namespace, name), namespace, name)
        if report is None:
            return None
        try:
            revision = helm_state.revision_of(report)
            argv = arguments.metadata(namespace, name, revision)
            metadata = await self._asked(argv, namespace, name)
            return None if metadata is None else helm_state.parsed(report, metadata)
        except ValueError as error:
            raise PluginError(f"Helm release {namespace}/{name}: {error}") from error

    async def _asked(self, argv: list[str], namespace: str, name: str) -> str | None:
        """What a reading command printed; None if there is no such release."""
        done = await self._helm.read(argv, self._access.settings)
        if not done.code:
            return done.stdout
        text = errors.said(done.stderr)
        if errors.NOT_FOUND in text:
            return None
        raise PluginError(f"Helm release {namespace}/{name}: it cannot be read: {text}")

    async def _not_ready(self, release: Mapping[str, object]) -> str:
        namespace, name = str(release["namespace"]), str(release["name"])
        argv = arguments.status(namespace, name)
        # The objects are asked for one by one, which fails where some were not made.
        for asked in ([*argv, "--show-resources"], argv):
            done = await self._helm.read(asked, self._access.settings)
            if not done.code:
                return errors.not_ready(done.stdout)
        return ""


def _known(properties: PropertyMap, name: str) -> bool:
    return name not in properties or not contains_unknown(properties[name])


def _with_secret_files(news: PropertyMap) -> PropertyMap:
    """The marks for the checked inputs: values are secret as a whole if a file of them is."""
    files = news.get("valueYamlFiles")
    if files is None or not _secret_marked(files):
        return news
    return {**news, "values": news.get("values", PropertyValue({})).with_secret(True)}


def _secret_marked(value: PropertyValue) -> bool:
    """True if the value, or an item of it, is secret."""
    items = value.value if isinstance(value.value, tuple) else ()
    return value.is_secret or any(cast("PropertyValue", item).is_secret for item in items)


def _properties(release: Mapping[str, object], marks: PropertyMap) -> PropertyMap:
    plain = {name: wrap(value) for name, value in release.items()}
    return annotated(plain, marks)


def _checkpoint(inputs: PropertyMap, release: Data, *, preview: bool = False) -> PropertyMap:
    """Outputs, and the inputs they came from: later comparisons need both."""
    outputs = _properties(release, inputs)
    outputs[_INPUTS] = PropertyValue(inputs).with_secret(True)
    if preview:
        outputs |= {"resourceNames": unknown(), "status": unknown()}
    return outputs


def _inputs_of(state: PropertyMap) -> PropertyMap | None:
    kept = state.get(_INPUTS)
    if kept is None or not isinstance(kept.value, Mapping):
        return None
    return dict(kept.value)


def _values(release: Mapping[str, object]) -> str:
    return json.dumps(release.get("values") or {})


def _id_of(release: Mapping[str, object]) -> str:
    return helm_state.resource_id(release.get("namespace"), release.get("name"))


def _redacted(text: str, properties: PropertyMap) -> str:
    """Without the secrets of a release; a very short text would take ordinary words with it."""
    inputs = _inputs_of(properties) or properties
    for each in sorted(secret_texts(inputs), key=len, reverse=True):
        if len(each) >= _SHORTEST_SECRET:
            text = text.replace(each, "[secret]")
    return text
