"""What Longhorn says about a backup target that is not available, with the likely cause and cure.

Longhorn hands on what its engine, the SDK or the TLS library said, wrapped in the command line of
the engine, so the cause is told by text.
"""

import re
from dataclasses import dataclass

from kube.errors import one_line


@dataclass(frozen=True)
class Cure:
    """`lasting`: waiting does not help. `text`: a clause; {secret} is the Secret's name in it."""

    pattern: re.Pattern[str]
    text: str
    lasting: bool = True


def _cure(pattern: str, text: str, *, lasting: bool = True) -> Cure:
    return Cure(re.compile(pattern, re.IGNORECASE), text, lasting)


CURES = (
    _cure(
        "signed by unknown authority|unable to get local issuer",
        "the store's certificate was signed by another CA than AWS_CERT in Secret {secret}; run "
        "`up` again, or correct objectStore.caCertificateFile",
    ),
    _cure(
        "failed to append custom certificates",
        "AWS_CERT in Secret {secret} is no certificate in PEM form; run `refresh` and `up`",
    ),
    _cure(
        "certificate is (valid for|not valid for)|doesn't contain any IP SANs",
        "the store's certificate does not name the address in AWS_ENDPOINTS of Secret {secret}; "
        "add it to objectStore.certificate.names",
    ),
    _cure(
        "certificate has expired or is not yet valid",
        "the store's certificate is not valid at this time; renew it on the host, or set the "
        "clocks right",
    ),
    _cure(
        "InvalidAccessKeyId",
        "the store does not know the access key in Secret {secret}; raise "
        "clients.longhorn.credentialGeneration and run `up`",
    ),
    _cure(
        "SignatureDoesNotMatch",
        "the secret key in Secret {secret} is not the store's; raise "
        "clients.longhorn.credentialGeneration and run `up`",
    ),
    _cure(
        "RequestTimeTooSkewed",
        "the clocks of the nodes and of the store differ too much; synchronise both",
    ),
    _cure(
        "AuthorizationHeaderMalformed|InvalidRegion|region .* is wrong|PermanentRedirect",
        "the store is in another region than the one behind the @ of the target's URL; correct "
        "objectStore.region",
    ),
    _cure("NoSuchBucket", "the bucket does not exist; run `up` again, which makes it"),
    _cure(
        "AccessDenied|Forbidden|HTTP Error: 403",
        "the store denies this bucket and prefix to the user in Secret {secret}; run `up` again, "
        "which attaches its policy",
    ),
    _cure(
        "missing \\[.*\\] in the secret|without credential secret|secrets? .* not found",
        "Secret {secret} is not there or has no AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; run "
        "`refresh` and `up`",
    ),
    _cure(
        "backup target URL is empty",
        "Longhorn has not looked at its new URL yet; look at the pods longhorn-manager",
        lasting=False,
    ),
    _cure(
        "no such host|server misbehaving",
        "the cluster's DNS does not know the store's name; use an address, or add the name",
        lasting=False,
    ),
    _cure(
        "connection refused|i/o timeout|no route to host|deadline exceeded|connection reset|EOF"
        "|timed out|HTTP Error: 5",
        "pods of the cluster do not reach the store; check its firewall (objectStore.firewall"
        ".allowFrom), proxies in Secret {secret} and the NetworkPolicies of Longhorn's namespace",
        lasting=False,
    ),
)


def find(message: str) -> Cure | None:
    """The cure for what Longhorn says, None if the message is of another kind."""
    return next((cure for cure in CURES if cure.pattern.search(message)), None)


# The store's own words come behind the parameters of the request, and before the engine's log.
_SAID = re.compile(r"(AWS (?:HTTP |Operation )?Error:? .*?)(?:, stderr,? |: exit status |$)")
_LONGEST = 300


def tidy(message: str) -> str:
    """What Longhorn says without the command line of its engine, on one line."""
    line = one_line(message, limit=20000)
    found = _SAID.search(line)
    said = found[1] if found else line
    # Of a wrapped message the end says most.
    return said if len(said) <= _LONGEST else "... " + said[-_LONGEST:]


def sentence(target: str, secret: str, message: str) -> str:
    """Why a target is not available, and what to do."""
    cure, said = find(message), tidy(message)
    if cure is None:
        return (
            f"backup target {target} is not available (Longhorn says: {said or 'nothing'}); look "
            f"at the logs of DaemonSet longhorn-manager, and at Secret {secret}"
        )
    told = cure.text.format(secret=secret)
    return f"backup target {target} is not available: {told} (Longhorn says: {said})"
