"""Start the plugin, as the executable `pulumi-resource-kubernetes` does."""

import sys

from standins.pulumi.kubernetes import PACKAGE, VERSION
from standins.pulumi.kubernetes.provider import KubernetesProvider
from standins.pulumi.plugin import serve

if __name__ == "__main__":
    sys.exit(
        serve(
            KubernetesProvider,
            name=f"pulumi-resource-{PACKAGE}",
            version=VERSION,
            argv=sys.argv[1:],
        )
    )
