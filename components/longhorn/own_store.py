"""Targets that have a URL, and yet lie in the site's own store: in a bucket of somebody else's."""

from collections.abc import Iterator, Mapping

from components.longhorn.places import Place, parse
from components.object_store.addresses import Address, address
from components.settings.longhorn import Longhorn

_KEY = "config backstop:longhorn"


def in_own_store(longhorn: Longhorn, own: frozenset[Address]) -> dict[str, Place]:
    """Where each of them lies, by name. `own`: the addresses of the site's store."""
    return {
        name: parse(one.url)
        for name, one in longhorn.targets.items()
        if one.url is not None and one.endpoint is not None and _reaches(one.endpoint, own)
    }


def findings(
    longhorn: Longhorn, wanted: Mapping[str, Place], own: frozenset[Address]
) -> Iterator[str]:
    """A sentence for each of them that another target meets. `wanted`: where each target is to
    lie. That a URL and a prefix name one store, the settings alone cannot tell."""
    theirs = in_own_store(longhorn, own)
    foreign = {name for name, one in longhorn.targets.items() if one.foreign}
    homes = {name: at for name, at in wanted.items() if name not in foreign}
    for name, at in theirs.items():
        met = next((other for other, home in homes.items() if home.meets(at)), None)
        if met is not None:
            yield (
                f"{_KEY}.targets.{name}: its endpoint is this store's, and it lies where {met} "
                "does, or one in the other's folder; give it a folder of its own"
            )


def _reaches(endpoint: str, own: frozenset[Address]) -> bool:
    try:
        return address(endpoint) in own
    except ValueError:
        return False
