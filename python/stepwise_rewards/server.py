"""The reward server: a network thread and a scoring thread.

The server answers every request once, and sends heartbeats while a score is being computed. If a scorer is stuck,
the server sends no heartbeats, so that the router passes its requests to other servers.
"""

from __future__ import annotations

import argparse
import logging
import os
import queue
import signal
import threading
import time
from dataclasses import dataclass
from typing import Any, Iterable, Optional, Sequence, Union

import zmq
from google.protobuf.message import DecodeError

from . import wire
from .connections import Connection, RouterRefusal
from .keys import Keys, Path
from .rewards import GradientFunction, Reward, ScoreFunction

logger = logging.getLogger("stepwise_rewards")


@dataclass
class _Job:
    router: int
    request: Any
    deadline: float


class RewardServer:
    """Offers rewards to one or more routers until it is stopped.

    Args:
        rewards: The rewards to offer, with different names.
        endpoint: The endpoints of the routers for reward servers: ``network.routerBackends`` of the configuration.
        keys: A folder of keys that ``stepwise keys`` made, as ``network.keys``; None disables encryption.
        key_file: The key file of this server, as ``network.keyFile``; None for ``reward-server.key`` in ``keys``.
        insecure: Whether to allow routers on other machines without keys, as ``network.insecure``.
        server_name: Name of the server in logs.
        credits: Number of requests that each router may send at a time. With two, the next request is already there
            when one is done.
        heartbeat_interval: Seconds between two heartbeats.
        stuck_limit: Seconds for one request after which the server counts as stuck and sends no more heartbeats.

    Raises:
        ValueError: If an argument is invalid, if a key file cannot be used, or if a router is on another machine and
            there are no keys.
    """

    def __init__(
        self,
        rewards: Iterable[Reward],
        endpoint: Union[str, Sequence[str]],
        *,
        keys: Optional[Path] = None,
        key_file: Optional[Path] = None,
        insecure: bool = False,
        server_name: Optional[str] = None,
        credits: int = 2,
        heartbeat_interval: float = 2.0,
        stuck_limit: float = 120.0,
    ) -> None:
        self.rewards = list(rewards)
        endpoints = [endpoint] if isinstance(endpoint, str) else list(endpoint)
        self.server_name = server_name or f"python-{os.getpid()}"
        names = [reward.name for reward in self.rewards]
        if not names or len(set(names)) != len(names):
            raise ValueError(f"expected rewards with different names, found {names}")
        if not endpoints:
            raise ValueError("expected at least one endpoint, found none")
        if credits < 1 or heartbeat_interval <= 0:
            raise ValueError(
                "expected credits of at least 1 and a heartbeat_interval above 0, "
                f"found {credits} and {heartbeat_interval}"
            )
        if keys is None and key_file is not None:
            raise ValueError("key_file requires keys, the folder with the allow-list")
        self.credits = credits
        self.heartbeat_interval = heartbeat_interval
        self.stuck_limit = stuck_limit
        self._connections = [
            Connection(endpoint, Keys.load(keys, key_file) if keys is not None else None, insecure)
            for endpoint in endpoints
        ]
        self._stopping = threading.Event()
        self._jobs: "queue.Queue[Optional[_Job]]" = queue.Queue()
        self._began: Optional[float] = None
        self._unsent: "list[tuple[int, bytes]]" = []
        self._answers: "queue.Queue[tuple[int, bytes]]" = queue.Queue()

    def stop(self) -> None:
        """Requests the end of the server, which first answers the current request.

        May be called from any thread and from a signal handler.
        """
        self._stopping.set()

    def run(self) -> None:
        """Serves until ``stop`` is called.

        Raises:
            RouterRefusal: If a router refuses this server.
            zmq.ZMQError: If an endpoint is malformed.
        """
        self._context = zmq.Context()
        # The scoring thread wakes the network thread, which polls this socket together with those of the routers.
        self._waker = self._context.socket(zmq.PULL)
        self._waker.bind("inproc://waker")
        worker = threading.Thread(target=self._work, name="scoring", daemon=True)
        worker.start()
        try:
            for connection in self._connections:
                connection.open(self._context)
            offered = ", ".join(reward.name for reward in self.rewards)
            routers = ", ".join(connection.endpoint for connection in self._connections)
            logger.info("%s: offers %s to %s", self.server_name, offered, routers)
            self._serve()
            self._finish()
        finally:
            self._jobs.put(None)
            if self._began is None:
                worker.join()
            for connection in self._connections:
                connection.close()
            self._waker.close()
            if not worker.is_alive():
                self._context.term()

    def _serve(self) -> None:
        poller = zmq.Poller()
        poller.register(self._waker, zmq.POLLIN)
        for connection in self._connections:
            connection.register(poller)
        next_offer = 0.0
        while not self._stopping.is_set():
            if time.monotonic() >= next_offer:
                next_offer = time.monotonic() + self.heartbeat_interval
                self._offer()
            # A signal handler can only set the flag of stop(), so the flag is checked at intervals.
            wait = 0.01 if self._unsent else min(0.2, max(0.0, next_offer - time.monotonic()))
            poller.poll(round(wait * 1000))
            while self._waker.poll(0):
                self._waker.recv()
            for router, connection in enumerate(self._connections):
                connection.check()
                while (frame := connection.receive()) is not None:
                    self._take(router, frame)
            self._answer()

    def _offer(self) -> None:
        if self._began is not None and time.monotonic() - self._began > self.stuck_limit:
            logger.error("%s: stuck on one request; sends no heartbeats until it is done", self.server_name)
            return
        for connection in self._connections:
            if connection.send(wire.hello(self.server_name)):
                connection.send(wire.ready(self.server_name, self.rewards, self.credits))

    def _take(self, router: int, frame: bytes) -> None:
        endpoint = self._connections[router].endpoint
        try:
            envelope = wire.parse(frame)
        except DecodeError as error:
            logger.warning("%s: ignored an invalid message from %s: %s", self.server_name, endpoint, error)
            return
        kind = envelope.WhichOneof("kind")
        if kind == "score_request":
            request = envelope.score_request
            # A router may lose count of the credits, for example after a silence. Small excesses are tolerated, larger
            # ones are answered without scores.
            most = 4 * self.credits * len(self._connections)
            if self._jobs.qsize() >= most:
                self._answers.put((router, wire.refuse(request, f"expected at most {most} waiting requests")))
                return
            self._jobs.put(_Job(router, request, time.monotonic() + request.deadline_milliseconds / 1000))
        elif kind == "refusal":
            raise RouterRefusal(f"{endpoint}: the router refused {self.server_name}: {envelope.refusal.reason}")
        elif kind != "heartbeat":
            logger.warning("%s: ignored the message %s from %s", self.server_name, kind, endpoint)

    def _answer(self) -> None:
        while not self._answers.empty():
            self._unsent.append(self._answers.get())
        self._unsent = [(router, frame) for router, frame in self._unsent if not self._connections[router].send(frame)]

    def _finish(self) -> None:
        """Answers the current request, within a time limit. The router passes the waiting requests to other servers."""
        end = time.monotonic() + min(self.stuck_limit, 10.0)
        while self._began is not None and time.monotonic() < end:
            self._waker.poll(100)
        self._answer()
        for connection in self._connections:
            connection.send(wire.goodbye("stopped"))

    def _work(self) -> None:
        waker = self._context.socket(zmq.PUSH)
        waker.set(zmq.LINGER, 0)
        waker.connect("inproc://waker")
        while True:
            job = self._jobs.get()
            if job is None or self._stopping.is_set():
                break
            # The client no longer waits for a request past its deadline. An answer without results returns the credit.
            if time.monotonic() >= job.deadline:
                del job.request.rewards[:]
            self._began = time.monotonic()
            try:
                self._answers.put((job.router, wire.reply(job.request, self.rewards)))
            finally:
                self._began = None
            try:
                waker.send(b"", zmq.NOBLOCK)
            except zmq.Again:
                pass  # the queue is full, so the network thread will wake up anyway
        waker.close()


def serve(
    function: ScoreFunction,
    *,
    name: str,
    endpoint: Union[str, Sequence[str]],
    version: str = "1",
    gradient: Optional[GradientFunction] = None,
    batch_size: int = 32,
    **options: Any,
) -> None:
    """Serves one reward until SIGTERM or SIGINT arrives.

    Call it on the main thread. On other threads, use ``RewardServer`` and its ``stop``.

    Args:
        function: Maps images uint8 ``[n, height, width, 3]`` and n prompts to n scores; larger is better.
        name: Name of the reward, as in ``reward.weights`` of the configuration.
        endpoint: ``network.routerBackends`` of the configuration.
        version: Stored with every score; change it with the scorer.
        gradient: See ``GradientFunction``; ``torch_gradient`` creates one from a function in PyTorch.
        batch_size: Largest number of images per call.
        options: Keyword arguments of ``RewardServer``, such as ``keys``.

    Raises:
        RouterRefusal: If a router refuses this server.
        ValueError: See ``RewardServer``.
    """
    reward = Reward(name, function, version=version, gradient=gradient, batch_size=batch_size)
    server = RewardServer([reward], endpoint, **options)
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: server.stop())
        # The parent process may have blocked the signals, which its children inherit.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM, signal.SIGINT})
    server.run()


def add_arguments(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """Adds the arguments ``endpoint``, ``keys``, ``key_file`` and ``insecure`` of ``serve`` to a parser."""
    parser.add_argument("endpoint", nargs="+", help="network.routerBackends of the configuration")
    parser.add_argument("--keys", help="folder of keys, as network.keys")
    parser.add_argument("--key-file", help="key file of this server, as network.keyFile")
    parser.add_argument("--insecure", action="store_true", help="allow routers on other machines without keys")
    return parser
