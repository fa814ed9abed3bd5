"""The guard of the viewer, on MuJoCo's own server: who gets in, and what does not stop it."""

import contextlib
import http.client
import json
import socket
import subprocess
import sys
import time

import mujoco
import pytest
from mujoco.studio import plugin
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from league.watch.guard import Guard, OwnSocket
from league.watch.viewer import free_port, launch
from mjx_arena.validation import SettingError

MODEL = mujoco.MjModel.from_xml_string("<mujoco><worldbody><geom size='1'/></worldbody></mujoco>")


@pytest.fixture(scope="module")
def served():
    """A guard and its port."""
    guard, port = Guard(lambda: {"ready": True}), free_port("127.0.0.1", None)
    handle = launch("127.0.0.1", port, guard, [plugin.ViewerPlugin()])
    handle.set_model(MODEL)
    handle.sync()
    yield guard, port
    handle.close()


def get(port, path, **headers):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, dict(answer.getheaders()), body


def cookie(guard, port):
    status, headers, _ = get(port, f"/?token={guard.token}")
    assert status == 303 and headers["Location"] == "/"
    assert "HttpOnly" in headers["Set-Cookie"] and "SameSite=Strict" in headers["Set-Cookie"]
    return headers["Set-Cookie"].partition(";")[0]


@pytest.mark.parametrize("path", ["/", "/model", "/match.json", "/web_client.wasm", "/?token=", "/?token=wrong", "/ui"])
def test_nothing_without_the_token(served, path):
    status, headers, body = get(served[1], path, Cookie=f"mjx_arena_{served[1]}=wrong")
    assert status == 403 and b"address that the terminal shows" in body
    assert "Set-Cookie" not in headers


def test_the_token_opens_the_page_the_model_and_the_status(served):
    key = cookie(*served)
    for path, kind in (("/", "text/html"), ("/model", "octet-stream"), ("/match.json", "json")):
        status, headers, body = get(served[1], path, Cookie=key)
        assert status == 200 and kind in headers["Content-Type"] and body
    assert json.loads(get(served[1], "/match.json", Cookie=key)[2]) == {"ready": True}


def test_nobody_loads_models_from_a_page(served):
    assert get(served[1], "/drop", Cookie=cookie(*served))[0] == 404


@pytest.mark.parametrize("path", ["/ui", "/state", "/drop"])
def test_no_stream_without_the_cookie_or_to_another_page(served, path):
    guard, port = served
    here = f"http://127.0.0.1:{port}"
    for headers in (
        {},
        {"Cookie": f"mjx_arena_{port}=wrong"},
        {"Cookie": cookie(guard, port), "Origin": "http://127.0.0.1:1"},
    ):
        origin = headers.pop("Origin", here)
        with pytest.raises(InvalidStatus) as refused:
            connect(f"ws://127.0.0.1:{port}{path}?token={guard.token}", additional_headers=headers, origin=origin)
        assert refused.value.response.status_code in (403, 404)


def test_it_counts_who_looks_on_and_survives_noise(served):
    guard, port = served
    headers = {"Cookie": cookie(guard, port)}

    def watch():
        address = f"ws://127.0.0.1:{port}/state"
        return connect(address, additional_headers=headers, origin=f"http://127.0.0.1:{port}")

    def comes_to(count):  # the server counts in a thread of its own
        deadline = time.monotonic() + 10
        while guard.watchers != count and time.monotonic() < deadline:
            time.sleep(0.01)
        return guard.watchers == count

    with watch() as stream:
        assert comes_to(1)
        stream.send(b"\xff" * 1000)
        stream.send("max_spectators=no number")
        stream.send("\x00" * 1000)
        idle = [socket.create_connection(("127.0.0.1", port)) for _ in range(100)]
        for each in idle[:50]:
            each.sendall(b"\x16\x03\x01 no HTTP at all \r\n\r\n")
        with watch():
            assert comes_to(2)
        assert get(port, "/match.json", **headers)[0] == 200
        for each in idle:
            each.close()
    assert comes_to(0)


def test_noise_in_the_panel_s_stream_ends_that_stream_alone(served):
    guard, port = served
    headers = {"Cookie": cookie(guard, port)}
    for noise in (b"\xff" * 4000, b"\0" * 120, b""):
        address = f"ws://127.0.0.1:{port}/ui"
        with connect(address, additional_headers=headers, origin=f"http://127.0.0.1:{port}") as stream:
            stream.send(noise)
            assert len(stream.recv(timeout=20)) == 120  # the viewer's greeting
            with contextlib.suppress(ConnectionClosed):
                for _ in range(20):
                    stream.send(noise)
    assert get(port, "/match.json", **headers)[0] == 200


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells whose connection it is")
def test_the_viewer_s_own_port_takes_no_other_process():
    with socket.socket() as plain:
        plain.bind(("127.0.0.1", 0))
        plain.listen()
        own = OwnSocket(fileno=plain.detach())
    with own, socket.create_connection(own.getsockname()):
        accepted, _ = own.accept()
        accepted.close()
        knock = f"import socket; print(socket.create_connection({own.getsockname()!r}).recv(1))"
        other = subprocess.Popen([sys.executable, "-c", knock], stdout=subprocess.PIPE, text=True)
        with pytest.raises(BlockingIOError):
            own.accept()
        assert other.communicate(timeout=20)[0] == "b''\n"


def test_it_listens_on_the_given_address_alone(served):
    with socket.socket() as probe:
        probe.bind(("127.0.0.2", served[1]))  # is taken where a server listens on every address


def test_bad_addresses_and_ports_are_named(served):
    with pytest.raises(SettingError, match=r"port=.*is taken"):
        free_port("127.0.0.1", served[1])
    with pytest.raises(SettingError, match=r"host=192\.0\.2\.1.*cannot be listened on"):
        free_port("192.0.2.1", None)
    with pytest.raises(SettingError, match=r"host=no\.such\.host\.invalid.*is no address"):
        free_port("no.such.host.invalid", None)
