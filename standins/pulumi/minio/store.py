"""The object store a provider talks to: the SDK's two clients and the translation of errors."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import urllib3
from minio import Minio, MinioAdmin
from minio.credentials.providers import StaticProvider

from standins.pulumi.minio.errors import SDK_ERRORS, StoreError, translate
from standins.pulumi.minio.settings import Settings

_CONNECT_SECONDS = 5.0
_READ_SECONDS = 60.0
_CONNECTIONS = 16
# Only what the server did not take on is sent again: a connection that failed, or a "not now".
_RETRIES = urllib3.Retry(
    total=None,
    connect=3,
    read=0,
    redirect=0,
    status=3,
    other=0,
    backoff_factor=0.25,
    status_forcelist=(502, 503, 504),
    allowed_methods=None,
    raise_on_status=False,
)


@dataclass(frozen=True)
class Store:
    """Clients for one server. Both may be used by many threads at once."""

    settings: Settings
    s3: Minio
    admin: MinioAdmin

    @contextmanager
    def calling(self, doing: str, subject: str) -> Iterator[None]:
        """Turns what a call inside raises into a StoreError about `doing` to `subject`."""
        try:
            yield
        except SDK_ERRORS as error:
            raise translate(error, self.settings, doing, subject) from None
        except ValueError as error:
            # The SDK refuses what it would not send (a bucket name, a lifecycle it cannot read).
            raise StoreError(f"[FATAL] {doing} ({subject}): {error}") from None


def connect(settings: Settings) -> Store:
    """Clients for `settings`; contacts nobody. Raises ValueError for unusable certificates."""
    credentials = StaticProvider(settings.user, settings.password, settings.session_token or None)
    pool = urllib3.PoolManager(
        maxsize=_CONNECTIONS,
        timeout=urllib3.Timeout(connect=_CONNECT_SECONDS, read=_READ_SECONDS),
        retries=_RETRIES,
        ssl_context=_tls(settings),
    )
    return Store(
        settings=settings,
        s3=Minio(
            endpoint=settings.server,
            credentials=credentials,
            secure=settings.ssl,
            region=settings.region,
            http_client=pool,
        ),
        admin=MinioAdmin(
            endpoint=settings.server,
            credentials=credentials,
            secure=settings.ssl,
            region=settings.region,
            http_client=pool,
        ),
    )


def _tls(settings: Settings) -> ssl.SSLContext | None:
    if not settings.ssl:
        return None
    context = ssl.create_default_context()
    try:
        if settings.ca_pem:
            context.load_verify_locations(cadata=settings.ca_pem)
        if settings.cert_file and settings.key_file:
            context.load_cert_chain(settings.cert_file, settings.key_file)
    except ssl.SSLError as error:
        raise ValueError(
            "minio provider: minioCacertFile, minioCertFile or minioKeyFile holds no valid "
            f"certificate or key ({error.reason})"
        ) from error
    if settings.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
