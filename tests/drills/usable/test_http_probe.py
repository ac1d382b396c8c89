"""The script that runs in the checker, run for real against a server of this process."""

import http.server
import json
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from drills.usable import http_probe
from drills.usable.start import plan
from tests.drills.usable.clusters import Cluster, run_here
from tests.drills.usable.samples import MAPPING, archive, check, checks, service, workload
from tests.support.kube_api import Authority
from tests.support.single_files import imported

SCRIPT = Path(http_probe.__file__)
PAUSE = "PAUSE_SECONDS = 1.0"
Handle = Callable[[http.server.BaseHTTPRequestHandler], None]


def reply(status: int = 200, body: bytes = b"Welcome", **headers: str) -> Handle:
    def handle(request: http.server.BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        for key, value in {"Content_Length": str(len(body)), **headers}.items():
            request.send_header(key.replace("_", "-"), value)
        request.end_headers()
        request.wfile.write(body)

    return handle


@contextmanager
def serving(*handles: Handle, tls: ssl.SSLContext | None = None) -> Iterator[Any]:
    """Handles requests in order, the last one for ever. `server.seen`: path and Host of each."""
    pending = list(handles)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            server.seen.append((self.path, self.headers["Host"]))
            (pending.pop(0) if len(pending) > 1 else pending[0])(self)

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    server: Any = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.seen = []
    server.handle_error = lambda *_: None
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()


def ask(port: int, *, once: bool = False, **more: Any) -> dict[str, Any]:
    """`once`: no second try fits into the time, however long the first one takes."""
    script = SCRIPT.read_text()
    if once:
        assert PAUSE in script
        script = script.replace(PAUSE, "PAUSE_SECONDS = 20.0")
    question = {
        "ask": "http", "scheme": "http", "host": "127.0.0.1", "port": port, "path": "/",
        "header": "", "expected": 200, "contains": None, "seconds": 20, **more,
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-I", "-c", script, json.dumps(question)],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("\n") == 1
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_a_status_is_found_and_the_text_is_not_printed() -> None:
    with serving(reply(body=b"hush, Welcome \xc3\xbc")) as server:
        port = server.server_address[1]
        found = ask(port, contains="Welcome ü", path="/a?b=1", header="shop.test")
        assert found == {"status": 200, "found": True, "error": "", "tries": 1}
        assert server.seen == [("/a?b=1", "shop.test")]
        assert ask(port, contains="goodbye")["found"] is False
        assert ask(port)["found"] is None
        assert server.seen[-1] == ("/", f"127.0.0.1:{port}")


def test_redirects_and_refusals_stand() -> None:
    with serving(reply(302, Location="http://127.0.0.1:1/"), reply(404)) as server:
        port = server.server_address[1]
        assert ask(port)["status"] == 302
        assert ask(port)["status"] == 404
        assert len(server.seen) == 2


def test_a_workload_that_is_not_there_yet_is_asked_again() -> None:
    with serving(reply(503), lambda request: request.connection.close(), reply()) as server:
        found = ask(server.server_address[1])
        assert (found["status"], found["tries"]) == (200, 3)


def test_an_expected_error_is_an_answer() -> None:
    with serving(reply(503)) as server:
        found = ask(server.server_address[1], expected=503)
        assert (found["status"], found["tries"]) == (503, 1)


def test_the_last_error_stands_when_the_time_is_over() -> None:
    with serving(reply(503)) as server:
        found = ask(server.server_address[1], once=True)
        assert (found["status"], found["tries"]) == (503, 1)


def test_nobody_listening_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert ask(port, once=True)["error"] == "connection refused"
    assert ask(port, once=True, host="nowhere.invalid")["error"] == "its name does not resolve"


def test_a_server_that_never_answers_ends_with_the_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        found = ask(listener.getsockname()[1], seconds=1)
    assert (found["status"], found["error"]) == (None, "no answer in time")


def test_a_server_that_drips_ends_with_the_time() -> None:
    over = threading.Event()

    def drip(request: http.server.BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.end_headers()
        while not over.wait(0.05):
            request.wfile.write(b".")

    with serving(drip) as server:
        found = ask(server.server_address[1], seconds=1, contains="x")
        over.set()
    assert (found["status"], found["error"]) == (None, "no answer in time")


def test_half_an_answer_is_none() -> None:
    with serving(reply(body=b"Wel", Content_Length="7")) as server:
        found = ask(server.server_address[1], once=True, contains="Wel")
        assert (found["status"], found["error"]) == (None, "no HTTP, or a part of it")


def test_what_speaks_no_http_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def greet() -> None:
            wire, _ = listener.accept()
            with wire:
                wire.recv(4096)
                wire.sendall(b"SSH-2.0-hush\r\n")

        thread = threading.Thread(target=greet)
        thread.start()
        found = ask(listener.getsockname()[1], once=True)
        thread.join(10)
    assert (found["status"], found["error"]) == (None, "no HTTP, or a part of it")


def test_endless_bodies_are_read_to_a_limit() -> None:
    body = b"x" * http_probe.BODY_BYTES + b"Welcome"
    with serving(reply(body=body)) as server:
        assert ask(server.server_address[1], contains="Welcome")["found"] is False


def test_tls_is_used_and_its_certificate_not_asked(tmp_path: Path) -> None:
    Authority(tmp_path).issue("server", "server", server=True)
    trust = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trust.load_cert_chain(tmp_path / "server.crt", tmp_path / "server.key")
    with serving(reply(), tls=trust) as server:
        port = server.server_address[1]
        assert ask(port, scheme="https", contains="Welcome")["found"] is True
    with serving(reply()) as server:
        found = ask(server.server_address[1], scheme="https", once=True)
        assert found["error"] == "no TLS"


def test_a_name_server_is_reached_or_not(tmp_path: Path) -> None:
    conf = tmp_path / "resolv.conf"
    conf.write_text("# one\nsearch a b\nnameserver 127.0.0.1\nnameserver 192.0.2.1\n")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        assert http_probe.reach(1, str(conf), port) == {"server": "127.0.0.1", "reached": True}
    assert http_probe.reach(1, str(conf), port) == {"server": "127.0.0.1", "reached": False}
    conf.write_text("search a\n")
    assert http_probe.reach(1, str(conf), port) == {"server": "", "reached": False}


def test_any_python_from_3_9_on_can_run_it_alone() -> None:
    assert imported(SCRIPT, (3, 9)) <= set(sys.stdlib_module_names)


def test_its_address_is_short_enough_for_what_stands_before_api_servers() -> None:
    # As part of the request's first line, of which some take no more than 16 KiB.
    assert len(SCRIPT.read_bytes()) < 7000


def test_the_whole_way_through_an_exec_with_the_real_script() -> None:
    with serving(reply()) as server:
        port = server.server_address[1]
        cluster = Cluster()
        made_up = cluster._check

        def check_here(command: list[str]) -> Any:
            question = json.loads(command[4])
            return run_here(command) if question["ask"] == "http" else made_up(command)

        cluster._check = check_here  # type: ignore[method-assign]
        # A Service of this name resolves here as well.
        local = service("localhost", ports=[{"port": port}])
        given = check("http", service="localhost", port=port, contains="Welcome")
        wrong = {**given, "name": "wrong", "status": 204}
        archived = archive(local, workload("Deployment", "web"))
        found = cluster.use(plan(checks(given, wrong), archived, MAPPING))
    assert [(one.check, one.ok) for one in found.checks[-2:]] == [
        ("web answers", True), ("wrong", False)]  # fmt: skip
    assert server.seen == [("/", f"localhost:{port}")] * 2
