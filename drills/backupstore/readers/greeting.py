"""The first thing a reader process is told, in one line on its standard input.

Not in arguments or the environment, which other users of the machine or a report may see.
"""

import json
from dataclasses import dataclass

from drills.backupstore.s3_objects import Recipe
from drills.backupstore.url import Target
from s3.client import Credential, StoreEndpoint


@dataclass(frozen=True)
class Greeting:
    """Where the blocks are. places: for each thread the descriptors of its socket and memory."""

    recipe: Recipe
    volume: str
    places: tuple[tuple[int, int], ...]


def encode(greeting: Greeting) -> bytes:
    """One line with its end."""
    recipe = greeting.recipe
    told = {
        "url": recipe.endpoint.url,
        "region": recipe.endpoint.region,
        "ca": recipe.endpoint.ca_pem,
        "access": recipe.credential.access_key,
        "secret": recipe.credential.secret_key,
        "target": [recipe.target.bucket, recipe.target.region, recipe.target.prefix],
        "volume": greeting.volume,
        "places": greeting.places,
    }
    return json.dumps(told).encode() + b"\n"


def decode(line: bytes) -> Greeting:
    """Raises ValueError, KeyError or TypeError for anything that is no greeting."""
    told = json.loads(line)
    endpoint = StoreEndpoint(told["url"], told["region"], told["ca"])
    credential = Credential(told["access"], told["secret"])
    recipe = Recipe(endpoint, credential, Target(*told["target"]))
    places = tuple((int(packets), int(memory)) for packets, memory in told["places"])
    return Greeting(recipe, told["volume"], places)
