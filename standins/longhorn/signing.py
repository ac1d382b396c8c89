"""Signature Version 4 of a request in one piece.

https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
"""

import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple
from urllib.parse import quote


class Keys(NamedTuple):
    """An access key pair; never printed."""

    access: str
    secret: str

    def __repr__(self) -> str:
        return "Keys(...)"


class Request(NamedTuple):
    """What is signed. `path` as it is sent, `query` before it is encoded."""

    method: str
    host: str
    path: str
    query: Mapping[str, str]
    body: bytes


def query_text(query: Mapping[str, str]) -> str:
    """The query as it is sent and signed: sorted, everything encoded."""
    return "&".join(
        f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in sorted(query.items())
    )


def signed_headers(request: Request, keys: Keys, region: str, now: datetime) -> dict[str, str]:
    """Every header of the request. `now`: UTC; a store refuses one that is far from its own."""
    time = now.strftime("%Y%m%dT%H%M%SZ")
    digest = hashlib.sha256(request.body).hexdigest()
    headers = {"host": request.host, "x-amz-content-sha256": digest, "x-amz-date": time}
    names = ";".join(sorted(headers))
    lines = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
    canonical = "\n".join(
        (request.method, request.path, query_text(request.query), lines, names, digest)
    )
    scope = f"{time[:8]}/{region}/s3/aws4_request"
    hashed = hashlib.sha256(canonical.encode()).hexdigest()
    text = "\n".join(("AWS4-HMAC-SHA256", time, scope, hashed))
    key = f"AWS4{keys.secret}".encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    return {
        **headers,
        "authorization": f"AWS4-HMAC-SHA256 Credential={keys.access}/{scope},"
        f"SignedHeaders={names},Signature={signature}",
    }
