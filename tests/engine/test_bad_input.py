"""Bad input ends the whole program with one sentence, loses nothing, and can be mended."""

import io
import json
import socket
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from minio.commonconfig import Tags

from tests.engine.interruptions import (
    Victims,
    begun,
    completed_operations,
    kill,
    killed_up,
    wait_until,
)
from tests.engine.server_view import clients, listing, objects
from tests.engine.site import STACK, EngineSite, existing_store, shown
from tests.support.minio_server import issue_certificate
from tests.support.ports import free_port

pytestmark = pytest.mark.tools

BUCKET = "unit-velero"


@dataclass(frozen=True)
class Fault:
    """A wrong input: how it gets in, and the sentence (with {url} of the store) that names it."""

    spoil: Callable[[EngineSite], None]
    sentence: str


def store_key(**changes: Any) -> Callable[[EngineSite], None]:
    def spoil(site: EngineSite) -> None:
        site.configure(objectStore=existing_store(site.server, **changes))

    return spoil


def client_key(role: str, **settings: Any) -> Callable[[EngineSite], None]:
    def spoil(site: EngineSite) -> None:
        site.configure(clients={**site.config("clients"), role: settings})

    return spoil


def secret(key: str, value: str) -> Callable[[EngineSite], None]:
    return lambda site: site.set_secret(key, value)


def foreign_authority(site: EngineSite) -> None:
    store_key(caCertificateFile=str(issue_certificate(site.folder / "other-authority")))(site)


def foreign_store(site: EngineSite) -> None:
    store_key(endpoint=f"https://127.0.0.1:{free_port()}")(site)


def hosts_store(**changes: Any) -> Callable[[EngineSite], None]:
    def spoil(site: EngineSite) -> None:
        site.configure(
            hosts={"store1": {"address": "127.0.0.1", "hostKey": "ssh-ed25519 AAAA"}},
            objectStore={
                "kind": "hosts",
                "hosts": ["store1"],
                "binary": {"path": "/nowhere", "sha256": "0" * 64, "version": "x"},
                **changes,
            },
        )

    return spoil


STORE = "config backstop:objectStore"
FAULTS = {
    "misspelt key": Fault(
        lambda site: site.configure(objectStor={}),
        "config backstop:objectStor: is no key of this program; correct its spelling",
    ),
    "misspelt inner key": Fault(
        store_key(regoin="x"), f"{STORE}.regoin: is no key of this program; correct its spelling"
    ),
    "misspelt client": Fault(
        client_key("velerro"),
        "config backstop:clients.velerro: is no key of this program; correct its spelling",
    ),
    "bad port": Fault(
        store_key(endpoint="https://127.0.0.1:99999"),
        f"{STORE}.endpoint: port 99999 does not exist; give one from 1 to 65535",
    ),
    "bad port of a host": Fault(
        hosts_store(apiPort=70000),
        f"{STORE}.apiPort: Input should be less than or equal to 65535",
    ),
    "overlapping ports": Fault(
        hosts_store(apiPort=9091, consolePort=9091),
        f"{STORE}: apiPort and consolePort are both 9091; give two ports",
    ),
    "secret in clear": Fault(
        lambda site: site.configure(storeRootPassword="in clear"),
        "config backstop:storeRootPassword: stands in clear text; "
        "set it with `pulumi config set --secret storeRootPassword`",
    ),
    "unknown administrator": Fault(
        secret("storeRootUser", "nobody"),
        "config backstop:storeRootUser: the store at {url} does not know this access key; "
        "create it again",
    ),
    "wrong password": Fault(
        secret("storeRootPassword", "not the password"),
        "config backstop:storeRootPassword: the store at {url} rejects the signature; "
        "give the key's secret",
    ),
    "store unreachable": Fault(foreign_store, f"{STORE}.endpoint: the store at https://127.0.0.1:"),
    "foreign authority": Fault(
        foreign_authority,
        f"{STORE}.caCertificateFile: the certificate of {{url}} was not signed by the given CA; "
        "give the CA that signed it",
    ),
    "no certificate": Fault(
        store_key(caCertificateFile="/dev/null"),
        f"{STORE}.caCertificateFile: /dev/null holds no certificate in PEM form",
    ),
    "wrong region": Fault(
        store_key(region="us-east-2"),
        f"{STORE}.region: the store at {{url}} refuses the region of the signature; "
        "give its region",
    ),
}


def errors(done: "subprocess.CompletedProcess[str]") -> list[str]:
    """The sentences of an ended run: the lines from the first `error:` to the blank after it."""
    lines = [line.strip() for line in (done.stdout + "\n" + done.stderr).splitlines()]
    start = next(at for at, line in enumerate(lines) if line.startswith("error: "))
    block = lines[start : lines.index("", start)]
    rest = [line for line in lines[start + len(block) :] if line.startswith("error: ")]
    assert rest == [], "more than one error"
    return block


def assert_one_sentence(done: "subprocess.CompletedProcess[str]", sentence: str) -> None:
    found = errors(done)
    assert done.returncode != 0
    assert "Traceback" not in done.stdout + done.stderr
    assert len(found) == 2, shown(done)
    assert found[0] in ("error: the config is refused:", "error: preflight, nothing was changed:")
    assert found[1].startswith(sentence), found[1]


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_wrong_config_is_one_sentence_and_changes_nothing(
    deployed: EngineSite, fault: Fault
) -> None:
    before = listing(deployed.server)
    right = deployed.stack_file.read_bytes()
    fault.spoil(deployed)
    done = deployed.stack("up")
    assert_one_sentence(done, fault.sentence.format(url=deployed.server.url))
    assert "not the password" not in done.stdout + done.stderr
    assert listing(deployed.server) == before
    deployed.stack_file.write_bytes(right)
    deployed.up("--expect-no-changes")


def test_a_first_up_with_a_wrong_password_leaves_the_store_empty(bare: EngineSite) -> None:
    bare.set_secret("storeRootPassword", "not the password")
    assert bare.stack("up").returncode != 0
    found = listing(bare.server)
    assert found["buckets"] == {}
    assert found["policies"] == {}
    assert found["users"] == {}
    bare.set_secret("storeRootPassword", bare.server.root_password)
    bare.up()
    bare.expect_quiet()


def test_a_store_that_is_down_is_one_sentence(deployed: EngineSite) -> None:
    deployed.server.stop()
    done = deployed.stack("up")
    refreshed = deployed.stack("refresh")
    deployed.server.start()
    where = f"the store at {deployed.server.url} cannot be reached; check that it runs and is open"
    assert_one_sentence(done, f"{STORE}.endpoint: {where}")
    assert refreshed.returncode != 0
    assert "no refresh, because it would drop the buckets from the state" in refreshed.stderr
    deployed.up("--expect-no-changes")


def foreign_bucket(site: EngineSite, owner: str | None, *, data: bool) -> None:
    store, _ = clients(site.server)
    store.make_bucket(BUCKET)
    if data:
        store.put_object(BUCKET, "theirs", io.BytesIO(b"precious"), 8)
    if owner is not None:
        tags = Tags.new_bucket_tags()
        tags["backstop-site"] = owner
        store.set_bucket_tags(BUCKET, tags)


@pytest.mark.parametrize(
    ("owner", "data", "sentence"),
    [
        (
            None,
            True,
            f"bucket {BUCKET} holds data and not our mark: if it is this site's, "
            "tag it backstop-site=unit, otherwise choose another bucket name",
        ),
        (
            "elsewhere",
            False,
            f"bucket {BUCKET} belongs to site elsewhere, not to unit: choose another bucket name",
        ),
    ],
    ids=["data and no mark", "mark of another site"],
)
def test_a_foreign_bucket_is_left_alone(
    bare: EngineSite, owner: str | None, data: bool, sentence: str
) -> None:
    foreign_bucket(bare, owner, data=data)
    before = listing(bare.server)
    assert_one_sentence(bare.stack("up"), sentence)
    assert listing(bare.server) == before
    renamed = {**bare.config("clients")["velero"], "bucket": "unit-velero-2"}
    client_key("velero", **renamed)(bare)
    bare.up()
    after = listing(bare.server)
    assert after["buckets"][BUCKET] == before["buckets"][BUCKET]
    assert after["buckets"]["unit-velero-2"]["tags"] == {"backstop-site": "unit"}
    if data:
        assert objects(bare.server, BUCKET) == [("theirs", False, b"precious")]
    bare.expect_quiet()


def test_two_at_once_the_second_names_the_first(bare: EngineSite) -> None:
    log = bare.folder / "first-of-two.jsonl"
    log.unlink(missing_ok=True)
    first = bare.begin("up", "--", "--event-log", str(log))
    wait_until(lambda: begun(log) and completed_operations(log) > 0)
    second = bare.stack("up")
    output, _ = first.communicate(timeout=120)
    assert second.returncode == 1
    (sentence,) = [line for line in second.stderr.splitlines() if line.startswith("error: ")]
    assert sentence.startswith(f"error: stack {STACK} is locked by ")
    assert sentence.endswith("wait until that run has ended, or interrupt it there")
    assert f"@{socket.gethostname()} (pid " in sentence
    assert first.returncode == 0, output
    bare.expect_quiet()


def test_a_stale_lock_is_removed_and_said(deployed: EngineSite) -> None:
    running = deployed.begin("up")
    wait_until(lambda: deployed.locks != [])
    kill(running, Victims.ALL)
    running.communicate(timeout=60)
    (lock,) = deployed.locks
    holder = json.loads(lock.read_text())["pid"]
    done = deployed.up()
    (said,) = [line for line in done.stdout.splitlines() if line.startswith("stale lock removed")]
    assert f"(pid {holder})" in said
    assert deployed.locks == []
    deployed.expect_quiet()


def test_a_lock_of_another_host_names_it_and_the_cure(deployed: EngineSite) -> None:
    killed_up(deployed, 0)
    (lock,) = deployed.locks
    lock.write_text(json.dumps({**json.loads(lock.read_text()), "hostname": "elsewhere"}))
    before = listing(deployed.server)
    done = deployed.stack("up")
    assert done.returncode == 1
    assert "@elsewhere (pid " in done.stderr
    assert f"run `pulumi cancel --yes -s {STACK}`" in done.stderr
    assert listing(deployed.server) == before
    cancelled = deployed.pulumi("cancel", "--yes", "-s", STACK)
    assert cancelled.returncode == 0, shown(cancelled)
    deployed.up()
    deployed.expect_quiet()
