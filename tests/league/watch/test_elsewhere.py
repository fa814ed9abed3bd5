"""The viewer as another host meets it: a network namespace of its own, tied to this one by a cable."""

import json
import os
import shutil
import socket
import subprocess
import sys

import pytest

HERE, THERE = "10.213.77.1", "10.213.77.2"
VIEWER = """
import sys, time
import mujoco
from mujoco.studio import plugin
from league.watch.guard import Guard
from league.watch.viewer import free_port, launch

guard, port = Guard(lambda: {"ready": True}), free_port(sys.argv[1], None)
handle = launch(sys.argv[1], port, guard, [plugin.ViewerPlugin()])
handle.set_model(mujoco.MjModel.from_xml_string("<mujoco><worldbody><geom size='1'/></worldbody></mujoco>"))
print(port, guard.token, flush=True)
while handle.is_running():
    handle.sync()
    time.sleep(0.02)
"""
ATTEMPTS = """
import http.client, json, socket, sys

host, port, token = sys.argv[1], int(sys.argv[2]), sys.argv[3]

def get(path, **headers):
    try:
        connection = http.client.HTTPConnection(host, port, timeout=5)
        connection.request("GET", path, headers=headers)
        return connection.getresponse().status
    except OSError as error:
        return type(error).__name__

idle = []
for _ in range(100):
    try:
        idle.append(socket.create_connection((host, port), timeout=5))
    except OSError:
        break
upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "bm8="}
garbage = "none"
if idle:
    idle[0].sendall(bytes(range(256)) * 64)
    garbage = "sent"
print(json.dumps({"nothing": get("/"), "wrong": get("/?token=" + "0" * len(token)), "stream": get("/state", **upgrade),
                  "idle": len(idle), "garbage": garbage, "right": get("/?token=" + token)}))
"""


@pytest.fixture(scope="module")
def attempts():
    """Runs ATTEMPTS on the other host; skips where no namespace can be made, as without root."""
    name, ours, theirs = f"arena{os.getpid()}", f"a{os.getpid()}", f"b{os.getpid()}"
    if shutil.which("ip") is None or _ip("netns", "add", name):
        pytest.skip("no network namespace can be made here")
    inside = ("netns", "exec", name)
    commands = (
        ("link", "add", ours, "type", "veth", "peer", "name", theirs, "netns", name),
        ("address", "add", f"{HERE}/30", "dev", ours),
        ("link", "set", ours, "up"),
        (*inside, "ip", "address", "add", f"{THERE}/30", "dev", theirs),
        (*inside, "ip", "link", "set", theirs, "up"),
    )
    try:
        if any(_ip(*command) for command in commands):
            pytest.skip("no network namespace can be made here")

        def attempt(port, token):
            command = ["ip", *inside, sys.executable, "-c", ATTEMPTS, HERE, str(port), token]
            return json.loads(subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout)

        yield attempt
    finally:
        _ip("netns", "del", name)
        _ip("link", "del", ours)


@pytest.fixture
def served(request):
    """A viewer's process, its port and its token; it listens on the host that the test names."""
    command = [sys.executable, "-c", VIEWER, request.param]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        port, token = process.stdout.readline().split()
        yield process, int(port), token
        process.kill()


@pytest.mark.parametrize("served", ["127.0.0.1"], indirect=True)
def test_by_itself_it_cannot_be_reached(attempts, served):
    process, port, token = served
    refused = dict.fromkeys(("nothing", "wrong", "stream", "right"), "ConnectionRefusedError")
    assert attempts(port, token) == refused | {"idle": 0, "garbage": "none"}
    with socket.create_connection(("127.0.0.1", port)):
        assert process.poll() is None


@pytest.mark.parametrize("served", [HERE], indirect=True)
def test_with_a_host_it_lets_in_the_token_alone(attempts, served):
    process, port, token = served
    found = attempts(port, token)
    assert found == {"nothing": 403, "wrong": 403, "stream": 403, "idle": 100, "garbage": "sent", "right": 303}
    assert attempts(port, token)["right"] == 303 and process.poll() is None


def _ip(*arguments):
    """Returns whether `ip` failed."""
    return subprocess.run(["ip", *arguments], capture_output=True).returncode != 0
