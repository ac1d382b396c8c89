"""Start the plugin, as the executable `pulumi-resource-minio` does."""

import sys

from standins.pulumi.minio import PACKAGE, VERSION
from standins.pulumi.minio.provider import MinioProvider
from standins.pulumi.plugin import EngineLog, serve


def _provider(log: EngineLog) -> MinioProvider:  # noqa: ARG001  (it has nothing to say but errors)
    return MinioProvider()


if __name__ == "__main__":
    sys.exit(
        serve(_provider, name=f"pulumi-resource-{PACKAGE}", version=VERSION, argv=sys.argv[1:])
    )
