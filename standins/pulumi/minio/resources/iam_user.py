"""IamUser: a user of the object store; its name is its access key."""

from standins.pulumi.minio.errors import NO_USER, StoreError
from standins.pulumi.minio.resources import accounts
from standins.pulumi.minio.resources.base import Found, PartlyCreatedError
from standins.pulumi.minio.store import Store
from standins.pulumi.minio.values import Props, flag, text


class IamUser:
    """See `base.Resource`."""

    def create(self, store: Store, planned: Props) -> Found:
        name = text(planned, "name")
        secret = _given_secret(planned) or accounts.new_secret()
        _set_secret(store, name, secret, "error creating user")
        state: Props = {**planned, "secret": secret, "status": "enabled"}
        if not flag(planned, "disableUser"):
            return Found(name, state)
        try:
            _set_status(store, name, enabled=False)
        except StoreError as error:
            reached: Props = {**state, "disableUser": False}
            raise PartlyCreatedError(Found(name, reached), error) from None
        return Found(name, {**state, "status": "disabled"})

    def read(self, store: Store, resource_id: str, state: Props) -> Found | None:
        account = accounts.find(store, resource_id, "error reading IAM User")
        if account is None:
            return None
        if not state:
            state = {
                "disableUser": False,
                "forceDestroy": False,
                "secret": None,  # the server never tells it; the next update sets the program's
                "tags": None,
                "updateSecret": False,
            }
        return Found(resource_id, {**state, "name": resource_id, "status": account.status})

    def update(self, store: Store, resource_id: str, state: Props, planned: Props) -> Props:
        if flag(planned, "forceDestroy"):
            raise StoreError(
                f"[FATAL] error updating IAM User ({resource_id}): forceDestroy is set, with which "
                "the official plugin would delete the user now; set it to false"
            )
        account = accounts.find(store, resource_id, "error reading IAM User")
        if account is None:
            raise StoreError(
                f"[FATAL] error updating IAM User ({resource_id}): {store.settings.url} does not "
                "have it any more; run `pulumi refresh`, then update again",
                NO_USER,
            )
        wanted = "disabled" if flag(planned, "disableUser") else "enabled"
        secret, status = _given_secret(planned), account.status
        if flag(planned, "updateSecret"):
            secret = accounts.new_secret()
        if secret and secret != state.get("secret"):
            _set_secret(store, resource_id, secret, "error updating IAM User Key")
            status = "enabled"
        if status != wanted:
            _set_status(store, resource_id, enabled=wanted == "enabled")
        return {**planned, "name": resource_id, "secret": secret or None, "status": wanted}

    def delete(self, store: Store, resource_id: str, state: Props) -> None:
        account = accounts.find(store, resource_id, "error deleting IAM User")
        if account is None:
            return
        for group in account.groups:
            _leave(store, resource_id, group, tolerant=flag(state, "forceDestroy"))
        with store.calling("error deleting IAM User", resource_id):
            store.admin.user_remove(resource_id)


def _given_secret(planned: Props) -> str:
    secret = planned.get("secret")
    return secret if isinstance(secret, str) else ""


def _set_secret(store: Store, name: str, secret: str, doing: str) -> None:
    # The server makes the user or changes its secret, and enables it; policies and groups stay.
    with store.calling(doing, name):
        store.admin.user_add(name, secret)


def _set_status(store: Store, name: str, *, enabled: bool) -> None:
    with store.calling("error to disable IAM User", name):
        if enabled:
            store.admin.user_enable(name)
        else:
            store.admin.user_disable(name)


def _leave(store: Store, name: str, group: str, *, tolerant: bool) -> None:
    try:
        with store.calling("error removing IAM User group memberships", name):
            # The SDK types the members as one string, but sends what it is given: a list.
            store.admin.group_remove(group, [name])  # type: ignore[arg-type]
    except StoreError as error:
        if not (tolerant and error.code):
            raise
