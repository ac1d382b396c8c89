"""Truths in a real store: told with the least of rights, read by the drill, never told twice."""

import contextlib
import http.server
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from canary import writer
from canary.writer import TakenError, WitnessError
from drills.canary.generations import fetch_truths, judge_volume, survey
from drills.canary.truth import Fault, TruthError, key
from s3.client import Credential, Session, StoreEndpoint
from s3.errors import Cause, StoreError
from tests.drills.canary.canaries import (
    FILES,
    OPTIONS,
    SITE,
    START,
    VOLUME,
    Clock,
    generations,
    keeper,
    tree_of,
    write_config,
)
from tests.drills.canary.conftest import BUCKET, PREFIX, TruthStore
from tests.support.minio_server import issue_certificate
from tests.support.ports import free_port

pytestmark = pytest.mark.tools
TRUTH = b'{"a": "truth"}\n'


def session_of(store: TruthStore, credential: Credential) -> Session:
    return Session.open(store.endpoint, credential)


def test_a_truth_told_is_the_truth_read(truth_store: TruthStore, tmp_path: Path) -> None:
    witnesses = truth_store.witnesses(tmp_path / "keys")
    one = keeper(tmp_path / "volume")
    outcomes = [one.write(witnesses.put) for _ in range(3)]
    assert [(each.witness, each.error) for each in outcomes] == [("witnessed", "")] * 3
    testimony = truth_store.testimony()
    entries = tree_of(tmp_path / "volume")
    held = survey(entries)
    found = judge_volume(
        VOLUME,
        entries,
        held,
        fetch_truths(held, lambda number: testimony.truth(VOLUME, number)),
        OPTIONS,
    )
    assert (found.flaws, found.comparison.differs) == ((), False)
    assert found.newest is not None
    assert found.newest.generation == outcomes[-1].number
    assert found.comparison.files > len(FILES)
    numbers = [each.number for each in outcomes]
    assert list(testimony.numbers(VOLUME)) == numbers
    assert list(testimony.numbers(VOLUME, after=numbers[0])) == numbers[1:]
    assert list(testimony.numbers("another")) == []
    assert testimony.truth(VOLUME, 7) is None


def test_the_writer_may_put_and_nothing_else(truth_store: TruthStore, tmp_path: Path) -> None:
    witnesses = truth_store.witnesses(tmp_path / "keys")
    witnesses.put(f"{SITE}/rights/1.json", TRUTH)
    session = session_of(truth_store, truth_store.writer_key)
    for method, name in (
        ("GET", f"{PREFIX}{SITE}/rights/1.json"), ("DELETE", f"{PREFIX}{SITE}/rights/1.json"),
        ("GET", ""), ("PUT", f"{PREFIX}another-site/1.json"), ("PUT", "receipts/1.json"),
    ):  # fmt: skip
        assert session.send(method, BUCKET, name, body=b"x" * (method == "PUT")).refused
    with pytest.raises(WitnessError, match="403 AccessDenied"):
        witnesses.put("another-site/x/1.json", TRUTH)


def test_a_truth_is_told_once(truth_store: TruthStore, tmp_path: Path) -> None:
    witnesses = truth_store.witnesses(tmp_path / "keys")
    witnesses.put(f"{SITE}/once/1.json", TRUTH)
    with pytest.raises(TakenError):
        witnesses.put(f"{SITE}/once/1.json", b"another truth")
    reader = session_of(truth_store, truth_store.reader_key)
    assert reader.get(BUCKET, f"{PREFIX}{SITE}/once/1.json") == TRUTH


def test_each_refusal_of_the_store_is_told_in_its_words(
    truth_store: TruthStore, tmp_path: Path
) -> None:
    def said(name: str, **more: object) -> str:
        witnesses = truth_store.witnesses(tmp_path / name, **more)
        with pytest.raises(WitnessError) as caught:
            witnesses.put(f"{SITE}/refused/1.json", TRUTH)
        assert truth_store.writer_key.secret_key not in str(caught.value)
        assert truth_store.writer_key.access_key not in str(caught.value)
        return str(caught.value)

    stranger = str(issue_certificate(tmp_path / "stranger"))
    nowhere = f"https://127.0.0.1:{free_port()}"
    wrong = tmp_path / "wrong"
    wrong.write_text("another secret")
    assert "AuthorizationHeaderMalformed" in said("region", region="mars-1")
    assert "SignatureDoesNotMatch" in said("secret", secretKeyFile=str(wrong))
    assert "certificate is not accepted" in said("authority", caFile=stranger)
    assert "Connection refused" in said("nowhere", endpoint=nowhere)
    assert "credential cannot be read" in said("none", accessKeyFile=str(tmp_path / "none"))


def test_a_name_with_odd_letters_is_signed_as_the_store_reads_it(
    truth_store: TruthStore, tmp_path: Path
) -> None:
    name = f"{SITE}/a b+c=ü~&/1.json"
    truth_store.witnesses(tmp_path / "keys").put(name, TRUTH)
    assert session_of(truth_store, truth_store.reader_key).get(BUCKET, PREFIX + name) == TRUTH


def test_a_store_that_goes_away_and_comes_back(truth_store: TruthStore, tmp_path: Path) -> None:
    witnesses = truth_store.witnesses(tmp_path / "keys")
    one = keeper(tmp_path / "volume", Clock(START + 100_000), keep=5)
    truth_store.server.stop()
    try:
        away = one.write(witnesses.put)
    finally:
        truth_store.server.start()
    assert (away.error, away.number > 0) == ("", True)
    assert "was not reached" in away.witness
    witnesses.begin_round()
    back = one.write(witnesses.put)
    assert back.witness == "witnessed"
    testimony = truth_store.testimony()
    assert testimony.truth(VOLUME, away.number) is None
    assert testimony.truth(VOLUME, back.number) is not None


def test_the_loop_tells_a_real_store(truth_store: TruthStore, tmp_path: Path) -> None:
    place = write_config(tmp_path, store=truth_store.access(tmp_path / "keys"), site=SITE, keep=3)
    process = subprocess.Popen(
        [sys.executable, "-I", writer.__file__, "run", place], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(2)]
    process.terminate()
    rest, _ = process.communicate(timeout=20)
    assert all(line.endswith(": witnessed\n") for line in lines)
    for secret in (truth_store.writer_key.access_key, truth_store.writer_key.secret_key):
        assert secret not in "".join(lines) + rest
        listing = subprocess.run(["ps", "-ef"], capture_output=True, text=True, check=False)
        assert secret not in listing.stdout
    newest = max(int(folder.name) for folder in generations(tmp_path / VOLUME))
    truth = truth_store.testimony().truth(VOLUME, newest)
    assert truth is not None
    assert truth.site == SITE


def test_what_is_no_truth_is_never_taken_for_one(truth_store: TruthStore) -> None:
    session = session_of(truth_store, truth_store.writer_key)
    testimony = truth_store.testimony()
    assert session.send("PUT", BUCKET, key(PREFIX, SITE, "odd", 1), body=b"no truth").ok
    assert session.send("PUT", BUCKET, f"{PREFIX}{SITE}/odd/note.txt", body=b"x").ok
    with pytest.raises(TruthError) as caught:
        testimony.truth("odd", 1)
    assert caught.value.fault is Fault.MALFORMED
    assert list(testimony.numbers("odd")) == [1]


def test_a_reader_that_is_refused_is_an_error_and_not_an_absence(truth_store: TruthStore) -> None:
    stranger = truth_store.testimony().open(
        truth_store.endpoint, truth_store.writer_key, BUCKET, PREFIX, SITE
    )
    with pytest.raises(StoreError) as caught:
        stranger.truth(VOLUME, 1)
    assert caught.value.cause is Cause.ACCESS_DENIED
    with pytest.raises(StoreError):
        list(stranger.numbers(VOLUME))
    down = StoreEndpoint(
        f"https://127.0.0.1:{free_port()}", truth_store.server.region, truth_store.server.ca_pem
    )
    gone = truth_store.testimony().open(down, truth_store.reader_key, BUCKET, PREFIX, SITE)
    with pytest.raises(StoreError) as caught:
        gone.truth(VOLUME, 1)
    assert caught.value.cause is Cause.UNREACHABLE


# A stand-in for a store in a state that a real one cannot be put into on demand


class Script:
    """Answers to PUTs, one after the other: a status, or None for no answer at all."""

    def __init__(self, *answers: int | None) -> None:
        self.answers = list(answers)
        self.asked = 0


@contextlib.contextmanager
def scripted_store(folder: Path, script: Script) -> Iterator[dict[str, object]]:
    """A stand-in over TLS; what a writer's config needs to reach it."""
    folder.mkdir(exist_ok=True)
    authority = issue_certificate(folder / "certificates")
    released = threading.Event()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            script.asked += 1
            status = script.answers.pop(0)
            if status is None:
                self.close_connection = True
            elif status == 0:
                self.wfile.write(b"HTTP/1.1 ")
                while not released.wait(0.05):
                    with contextlib.suppress(OSError):
                        self.wfile.write(b"2")
            else:
                self.send_response(status)
                self.end_headers()

        def log_message(self, *_: object) -> None: ...

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.with_name("public.crt"), authority.with_name("private.key"))
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    (folder / "key").write_text("AKID")
    try:
        yield {
            "endpoint": f"https://127.0.0.1:{server.server_port}", "region": "r", "bucket": "b",
            "prefix": "p/", "caFile": str(authority), "accessKeyFile": str(folder / "key"),
            "secretKeyFile": str(folder / "key"), "attempts": 3, "requestSeconds": 5,
            "budgetSeconds": 10,
        }  # fmt: skip
    finally:
        released.set()
        server.shutdown()
        server.server_close()


def tell(access: dict[str, object], **more: object) -> None:
    witnesses = writer.Witnesses(writer.store_of({**access, **more}))
    witnesses.begin_round()
    witnesses.put("dev/v/1.json", TRUTH)


def test_a_busy_store_is_asked_again(tmp_path: Path) -> None:
    script = Script(503, 500, 200)
    with scripted_store(tmp_path, script) as access:
        tell(access)
    assert script.asked == 3


def test_a_store_is_not_asked_for_ever(tmp_path: Path) -> None:
    script = Script(503, 503, 503, 200)
    with scripted_store(tmp_path, script) as access, pytest.raises(WitnessError, match="503"):
        tell(access)
    assert script.asked == 3


def test_a_refusal_is_not_asked_again(tmp_path: Path) -> None:
    script = Script(403, 200)
    with scripted_store(tmp_path, script) as access, pytest.raises(WitnessError, match="403"):
        tell(access)
    assert script.asked == 1


def test_a_truth_whose_answer_was_lost_counts_as_told(tmp_path: Path) -> None:
    script = Script(None, 412)
    with scripted_store(tmp_path, script) as access:
        tell(access)
    assert script.asked == 2
    script = Script(412)
    with scripted_store(tmp_path / "again", script) as access, pytest.raises(TakenError):
        tell(access)


def test_a_store_that_drips_is_left_in_time(tmp_path: Path) -> None:
    script = Script(0, 0, 0)
    with scripted_store(tmp_path, script) as access:
        began = time.monotonic()
        with pytest.raises(WitnessError, match="did not answer in time"):
            tell(access, requestSeconds=0.5, budgetSeconds=1.2)
        assert time.monotonic() - began < 8
    assert script.asked <= 2


def test_a_round_has_one_budget_for_all_volumes(tmp_path: Path) -> None:
    script = Script(*[0] * 10)
    with scripted_store(tmp_path, script) as access:
        witnesses = writer.Witnesses(
            writer.store_of({**access, "requestSeconds": 0.3, "budgetSeconds": 0.5})
        )
        witnesses.begin_round()
        for _ in range(5):
            with pytest.raises(WitnessError):
                witnesses.put("dev/v/1.json", TRUTH)
    assert script.asked <= 2
