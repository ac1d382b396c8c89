"""IlmPolicy: the complete lifecycle configuration of a bucket."""

import datetime

from minio.commonconfig import DISABLED, ENABLED, AndOperator, Filter, Tags
from minio.lifecycleconfig import Expiration, LifecycleConfig, NoncurrentVersionExpiration
from minio.lifecycleconfig import Rule as ServerRule

from standins.pulumi.minio import lifecycle
from standins.pulumi.minio.errors import NO_BUCKET, StoreError
from standins.pulumi.minio.resources.base import Found
from standins.pulumi.minio.store import Store
from standins.pulumi.minio.values import Props, Value, objects, text


class IlmPolicy:
    """See `base.Resource`."""

    def create(self, store: Store, planned: Props) -> Found:
        bucket = text(planned, "bucket")
        _put(store, bucket, planned, "creating bucket lifecycle failed")
        return Found(bucket, _read_back(store, bucket, no_tags=None))

    def read(self, store: Store, resource_id: str, state: Props) -> Found | None:  # noqa: ARG002  (the protocol's)
        try:
            rules = _rules(store, resource_id)
        except StoreError as error:
            if error.code != NO_BUCKET:
                raise
            return None
        return None if rules is None else Found(resource_id, _state(resource_id, rules, {}))

    def update(self, store: Store, resource_id: str, state: Props, planned: Props) -> Props:  # noqa: ARG002  (the protocol's)
        _put(store, resource_id, planned, "updating bucket lifecycle failed")
        return _read_back(store, resource_id, no_tags={})

    def delete(self, store: Store, resource_id: str, state: Props) -> None:  # noqa: ARG002  (the protocol's)
        try:
            with store.calling("deleting lifecycle configuration failed", resource_id):
                store.s3.delete_bucket_lifecycle(resource_id)
        except StoreError as error:
            if error.code != NO_BUCKET:
                raise


def _put(store: Store, bucket: str, planned: Props, doing: str) -> None:
    with store.calling(doing, bucket):
        rules = [_to_server(lifecycle.from_props(rule)) for rule in objects(planned, "rules")]
        store.s3.set_bucket_lifecycle(bucket, LifecycleConfig(rules))


def _rules(store: Store, bucket: str) -> list[lifecycle.Rule] | None:
    with store.calling("reading lifecycle configuration failed", bucket):
        configuration = store.s3.get_bucket_lifecycle(bucket)
    if configuration is None:
        return None
    return [_from_server(rule) for rule in configuration.rules]


def _read_back(store: Store, bucket: str, *, no_tags: Value) -> Props:
    rules = _rules(store, bucket)
    if rules is None:
        raise StoreError(
            f"[FATAL] reading lifecycle configuration failed ({bucket}): {store.settings.url} "
            "took the rules but has none now; another program removes them"
        )
    return _state(bucket, rules, no_tags)


def _state(bucket: str, rules: list[lifecycle.Rule], no_tags: Value) -> Props:
    return {
        "bucket": bucket,
        "rules": [lifecycle.to_props(rule, no_tags=no_tags) for rule in rules],
    }


def _to_server(rule: lifecycle.Rule) -> ServerRule:
    return ServerRule(
        status=ENABLED if rule.enabled else DISABLED,
        rule_id=rule.id,
        rule_filter=_filter(rule),
        expiration=_expiration(rule.expiration) if rule.expiration else None,
        noncurrent_version_expiration=(
            NoncurrentVersionExpiration(noncurrent_days=rule.noncurrent_days)
            if rule.noncurrent_days
            else None
        ),
    )


def _filter(rule: lifecycle.Rule) -> Filter:
    if not rule.tags:
        return Filter(prefix=rule.prefix)
    tags = Tags()
    tags.update(rule.tags)
    return Filter(and_operator=AndOperator(prefix=rule.prefix, tags=tags))


def _expiration(wanted: lifecycle.Expiration) -> Expiration:
    if wanted.delete_marker:
        return Expiration(expired_object_delete_marker=True)
    if wanted.date is None:
        return Expiration(days=wanted.days)
    midnight = datetime.time(tzinfo=datetime.UTC)
    return Expiration(date=datetime.datetime.combine(wanted.date, midnight))


def _from_server(rule: ServerRule) -> lifecycle.Rule:
    noncurrent = rule.noncurrent_version_expiration
    prefix, tags = _prefix_and_tags(rule.rule_filter)
    return lifecycle.Rule(
        id=rule.rule_id or "",
        expiration=_found_expiration(rule.expiration) if rule.expiration else None,
        noncurrent_days=(noncurrent.noncurrent_days or 0) if noncurrent else 0,
        prefix=prefix,
        tags=tags,
        enabled=rule.status == ENABLED,
    )


def _found_expiration(found: Expiration) -> lifecycle.Expiration | None:
    if found.expired_object_delete_marker:
        return lifecycle.Expiration(delete_marker=True)
    if found.days:
        return lifecycle.Expiration(days=found.days)
    return lifecycle.Expiration(date=found.date.date()) if found.date else None


def _prefix_and_tags(found: Filter | None) -> tuple[str, dict[str, str]]:
    if found is None:
        return "", {}
    if found.and_operator is not None:
        return found.and_operator.prefix or "", dict(found.and_operator.tags or {})
    if found.tag is not None:
        return "", {found.tag.key: found.tag.value}
    return found.prefix or "", {}
