"""One sentence for each way a call can fail. What a real server shows is in the contract tests."""

import json
import ssl

import pytest
import urllib3
from minio.error import InvalidResponseError, MinioAdminException, S3Error

from standins.pulumi.minio.errors import translate
from standins.pulumi.minio.settings import Settings

HERE = Settings(server="store1:9091", user="root", password="abcdefgh12345678", ssl=True)
PREFIX = "[FATAL] unable to create bucket (b): "


def s3(code: str, message: str = "no") -> S3Error:
    return S3Error(urllib3.HTTPResponse(), code, message, "/b", None, None)


def admin(code: str) -> MinioAdminException:
    return MinioAdminException("403", json.dumps({"Code": code, "Message": "no"}))


def tls(said: str) -> urllib3.exceptions.MaxRetryError:
    reason = urllib3.exceptions.SSLError(ssl.SSLError(1, said))
    return urllib3.exceptions.MaxRetryError(urllib3.HTTPSConnectionPool("s"), "/", reason)


def way(reason: Exception) -> urllib3.exceptions.MaxRetryError:
    return urllib3.exceptions.MaxRetryError(urllib3.HTTPSConnectionPool("s"), "/", reason)


CONNECTION = urllib3.HTTPConnectionPool("s")

CASES: list[tuple[Exception, str, str]] = [
    (s3("RequestTimeTooSkewed"), "RequestTimeTooSkewed", "the clocks of this machine"),
    (admin("RequestTimeTooSkewed"), "RequestTimeTooSkewed", "the clocks of this machine"),
    (s3("AccessDenied"), "AccessDenied", "denies this to the user of minioUser"),
    (s3("InvalidRegion"), "InvalidRegion", "check minioRegion"),
    (s3("SlowDown", "wait"), "SlowDown", "answered SlowDown: wait"),
    (
        MinioAdminException("403", "<Error><Code>InvalidAccessKeyId</Code></Error>"),
        "InvalidAccessKeyId",
        "check minioUser",
    ),
    (MinioAdminException("500", "oops"), "", "did not answer as an S3 server"),
    (InvalidResponseError(200, "text/html", "<html>"), "", "did not answer as an S3 server"),
    (tls("certificate has expired"), "", "has expired; renew it"),
    (tls("IP address mismatch"), "", "is for other names; check minioServer"),
    (tls("something new"), "", "check minioCacertFile"),
    (way(urllib3.exceptions.ReadTimeoutError(CONNECTION, "/", "x")), "", "in time"),
    (way(urllib3.exceptions.ConnectTimeoutError(CONNECTION, "x")), "", "no answer"),
    (way(urllib3.exceptions.ProtocolError("x")), "", "broke the connection off"),
    (urllib3.exceptions.HTTPError("x"), "", "failed (HTTPError)"),
]


@pytest.mark.parametrize(("error", "code", "part"), CASES)
def test_a_failed_call_is_one_sentence_with_the_endpoint(
    error: Exception, code: str, part: str
) -> None:
    said = translate(error, HERE, "unable to create bucket", "b")
    assert str(said).startswith(PREFIX)
    assert part in str(said)
    assert "https://store1:9091" in str(said)
    assert said.code == code
    assert "\n" not in str(said)
    assert "abcdefgh12345678" not in str(said)
