"""The connection to a router: its limits, its encryption, and the detection of a router that refuses this server."""

from __future__ import annotations

import logging
from typing import Any, Optional

import zmq
from zmq.utils.monitor import recv_monitor_message

from .keys import Keys, is_local

logger = logging.getLogger("stepwise_rewards")

_MECHANISM_MISMATCH = 0x11000001  # ZMQ_PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH
_EVENTS = (
    zmq.EVENT_HANDSHAKE_FAILED_AUTH
    | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
    | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
    | zmq.EVENT_HANDSHAKE_SUCCEEDED
)


class RouterRefusal(Exception):
    """A router refuses this server. The message names the router and the reason."""


class Connection:
    """A DEALER socket that is connected to one router. ``open`` must be called on the thread that uses it.

    Args:
        endpoint: The endpoint of the router.
        keys: The keys of the connection; None for a connection without encryption.
        insecure: Whether to allow a router on another machine without keys.

    Raises:
        ValueError: If the router is on another machine, there are no keys, and ``insecure`` is false.
    """

    def __init__(self, endpoint: str, keys: Optional[Keys], insecure: bool) -> None:
        if keys is None and not insecure and not is_local(endpoint):
            raise ValueError(
                f"{endpoint}: the router is on another machine; without keys others could read and change the data. "
                "Make keys with `stepwise keys` and set keys, use a loopback address such as tcp://127.0.0.1:5804, "
                "or set insecure on a network that you trust."
            )
        self.endpoint = endpoint
        self._keys = keys
        self._aborted = 0

    def open(self, context: "zmq.Context[Any]") -> None:
        """Starts to connect."""
        self._socket = context.socket(zmq.DEALER)
        # Every limit is set: messages are not queued for an absent router, and large messages are refused.
        self._socket.set(zmq.IMMEDIATE, 1)
        self._socket.set(zmq.LINGER, 1000)
        self._socket.set(zmq.SNDHWM, 256)
        self._socket.set(zmq.RCVHWM, 256)
        self._socket.set(zmq.MAXMSGSIZE, 256 << 20)
        self._socket.set(zmq.RECONNECT_IVL, 100)
        self._socket.set(zmq.RECONNECT_IVL_MAX, 2000)
        if self._keys is not None:
            self._socket.set(zmq.CURVE_SERVERKEY, self._keys.router)
            self._socket.set(zmq.CURVE_PUBLICKEY, self._keys.public)
            self._socket.set(zmq.CURVE_SECRETKEY, self._keys.secret)
        self._monitor = self._socket.get_monitor_socket(_EVENTS)
        self._socket.connect(self.endpoint)

    def close(self) -> None:
        """Closes the sockets, if they are open."""
        if hasattr(self, "_socket"):
            self._socket.disable_monitor()
            self._monitor.close()
            self._socket.close()

    def register(self, poller: zmq.Poller) -> None:
        """Adds the sockets to a poller."""
        poller.register(self._socket, zmq.POLLIN)
        poller.register(self._monitor, zmq.POLLIN)

    def send(self, frame: bytes) -> bool:
        """Sends a frame without waiting; False if the router is not connected or the queue is full."""
        try:
            self._socket.send(frame, zmq.NOBLOCK)
            return True
        except zmq.Again:
            return False

    def receive(self) -> Optional[bytes]:
        """The next frame; None if there is none."""
        frame: Optional[bytes] = self._socket.recv_multipart()[-1] if self._socket.poll(0) else None
        return frame

    def check(self) -> None:
        """Handles the results of handshakes.

        Raises:
            RouterRefusal: If the router refuses the key of this server, or if only one side uses keys.
        """
        while self._monitor.poll(0):
            event = recv_monitor_message(self._monitor)
            kind, value = event["event"], event["value"]
            if kind == zmq.EVENT_HANDSHAKE_SUCCEEDED:
                self._aborted = 0
            elif kind == zmq.EVENT_HANDSHAKE_FAILED_AUTH:
                raise RouterRefusal(
                    f"{self.endpoint}: the router refused the key of this server ({value}): it is not on the router's "
                    "allow-list, or the endpoint does not accept its role. Add it to the list with `stepwise keys`, or "
                    "use another key file."
                )
            elif kind == zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL and value == _MECHANISM_MISMATCH:
                mismatch = (
                    "this server has no keys, and the router uses keys"
                    if self._keys is None
                    else "this server uses keys, and the router has none"
                )
                raise RouterRefusal(f"{self.endpoint}: {mismatch}. Give both sides the same keys.")
            else:
                self._aborted += 1
                if self._aborted == 3:
                    logger.warning(
                        "%s: three handshakes in a row failed. Either only one side uses keys, or the router does not "
                        "have the key that the allow-list names. Give both sides the same keys.",
                        self.endpoint,
                    )
