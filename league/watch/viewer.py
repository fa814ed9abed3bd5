"""MuJoCo Studio's web viewer on one address, behind a guard."""

import contextlib
import errno
import logging
import os
import socket
import sys
import threading
import time

from mujoco.studio import launch_thread, messages, plugin, viewer_protocol, web_viewer
from mujoco.studio.endpoints import ViewerEndpoint
from mujoco.studio.viewer_handle import ViewerHandle

from league.watch.guard import Guard, OwnSocket
from mjx_arena.validation import SettingError

_POLL = 0.02  # s
_NICE = 10  # of what draws the panel: a training beside it comes first, and the match itself
_IDLE = 0.1  # s between two looks for a browser; the viewer's own pace takes a seventh of a core

# Its banner says that it listens everywhere, and its log tells of every connection.
web_viewer._print_url_banner = lambda host, port: None
logging.getLogger("WebServer").setLevel(logging.ERROR)


class _GuardedViewer(web_viewer.WebViewer):
    """A `WebViewer` that listens on an address of our own instead of all of the machine's."""

    def __init__(self, address: str, guard: Guard, endpoint: ViewerEndpoint, port: int, plugins: list):
        self._address, self._guard = address, guard
        config = viewer_protocol.ViewerConfig(title="mjx-arena", gfx="web", http_port=port)
        super().__init__(config, endpoint, plugins=plugins)

    @property
    def _host(self) -> str:
        return self._address

    @_host.setter
    def _host(self, every_interface: str) -> None:
        """Ignores what `WebViewer` chooses."""

    def prepare_next_frame(self) -> bool:
        """Advances to the next frame, seldom while nobody looks on; returns whether there is one to be drawn."""
        if self._guard.watchers == 0:
            time.sleep(_IDLE)
        return super().prepare_next_frame()

    def _start_server(self) -> None:
        self._guard.bind(self._http_sock)
        self._tcp_sock = OwnSocket(fileno=self._tcp_sock.detach())
        super()._start_server()

    @messages.handler(priority=messages.Priority.INTERNAL)
    def _on_post_model(self, event: messages.PostModelEvent) -> None:
        """Serves a new model; without the line that `WebViewer` prints."""
        del event
        self._update_model()


def launch(address: str, port: int, guard: Guard, plugins: list[plugin.Plugin]) -> ViewerHandle:
    """Starts the viewer in a thread of its own, and returns once it listens. `port` must be free, see `free_port`."""
    viewer_plugins, sim_plugins = plugin.split_plugins(plugins)

    def run(endpoint: ViewerEndpoint) -> None:
        if sys.platform == "linux":  # where priorities are those of a thread, and of the ones that it starts
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
        viewer_protocol.run_viewer_loop(_GuardedViewer(address, guard, endpoint, port, viewer_plugins))

    handle = launch_thread.launch_thread(run, sim_plugins=sim_plugins)
    local = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address, address)
    while handle.is_running():  # raises what ended the viewer's thread
        with contextlib.suppress(OSError), socket.create_connection((local, port), 1):
            break
        time.sleep(_POLL)
    return handle


def free_port(address: str, port: int | None) -> int:
    """Returns `port`, or for None the first free one from 8080 on.

    Raises SettingError for an address or a port that cannot be had.
    """
    tried = range(8080, 8180) if port is None else [port]
    for each in tried:
        try:
            with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((address, each))
                return probe.getsockname()[1]
        except socket.gaierror as error:
            raise SettingError("host", address, f"is no address ({error.strerror})") from error
        except PermissionError as error:
            raise SettingError("port", each, "needs more rights; take one above 1023, or null") from error
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise SettingError("host", address, f"cannot be listened on ({error.strerror or error})") from error
    raise SettingError("port", port, "is taken; another one, or null for a free one, would do")
