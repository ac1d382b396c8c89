"""Whether a cluster is the one that is meant: by the UID of its namespace kube-system."""


def mismatch(expected: str, seen: str, server: str) -> str | None:
    """One sentence if `seen` is not `expected`, else None."""
    if seen == expected:
        return None
    return (
        f"the cluster at {server} has the UID {seen}, and this site's has {expected}: take the "
        "kubeconfig of that one, or, for a cluster that was built anew, a new state"
    )
