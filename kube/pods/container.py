"""Which container of which pod."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Container:
    """`name` "": the pod's only container."""

    namespace: str
    pod: str
    name: str = ""

    @property
    def path(self) -> str:
        """The pod's path at the API server."""
        return f"/api/v1/namespaces/{self.namespace}/pods/{self.pod}"

    def __str__(self) -> str:
        return "/".join(part for part in (self.namespace, self.pod, self.name) if part)
