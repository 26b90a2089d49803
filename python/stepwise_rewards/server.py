"""A reward server: one thread for the network, one for the scores.

It promises that a request is answered once, that signs of life come while a score is being computed, and that a scorer
which hangs falls silent, so that the router gives its work to another server.
"""

from __future__ import annotations

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
from .rewards import GradientFunction, Reward, ScoreFunction

logger = logging.getLogger("stepwise_rewards")


class RouterRefusal(Exception):
    """A router does not take this server; the message says who said so and why."""


@dataclass
class _Job:
    router: int
    request: Any
    deadline: float


class RewardServer:
    """Offers rewards to one or more routers until it is stopped.

    Args:
        rewards: What it scores; names must differ.
        endpoint: Where routers take reward servers in: ``network.routerBackends`` of the run's configuration.
        server_name: Names it in logs.
        credits: Requests it takes at once from each router; the next one waits here while one is scored.
        beat: Seconds between two signs of life.
        patience: Seconds on one request after which it counts as stuck and falls silent.
    """

    def __init__(
        self,
        rewards: Iterable[Reward],
        endpoint: Union[str, Sequence[str]],
        *,
        server_name: Optional[str] = None,
        credits: int = 2,
        beat: float = 2.0,
        patience: float = 120.0,
    ) -> None:
        self.rewards = list(rewards)
        self.endpoints = [endpoint] if isinstance(endpoint, str) else list(endpoint)
        self.server_name = server_name or f"python-{os.getpid()}"
        names = [reward.name for reward in self.rewards]
        if not names or len(set(names)) != len(names):
            raise ValueError(f"expected rewards with different names, found {names}")
        if not self.endpoints or credits < 1 or beat <= 0:
            raise ValueError(
                f"expected an endpoint, credits of at least 1 and a beat above 0, found {self.endpoints}, {credits}, {beat}"
            )
        self.credits = credits
        self.beat = beat
        self.patience = patience
        self._context = zmq.Context()
        self._stopping = threading.Event()
        self._jobs: "queue.Queue[Optional[_Job]]" = queue.Queue()
        self._begun: Optional[float] = None
        self._unsent: "list[tuple[int, bytes]]" = []
        # Rung by the worker and by stop(); the network thread waits on it together with the routers' sockets.
        self._bell_address = f"inproc://bell-{id(self)}"
        self._answers: "queue.Queue[tuple[int, bytes]]" = queue.Queue()
        self._bell = self._context.socket(zmq.PULL)
        self._bell.bind(self._bell_address)

    def stop(self) -> None:
        """Asks the server to end: it answers what it has begun and says goodbye. Safe in any thread and in a signal handler."""
        self._stopping.set()

    def run(self) -> None:
        """Serves until ``stop``.

        Raises:
            RouterRefusal: When a router refuses this server.
            zmq.ZMQError: When an endpoint is malformed.
        """
        sockets = [self._connect(endpoint) for endpoint in self.endpoints]
        worker = threading.Thread(target=self._work, name="scoring", daemon=True)
        worker.start()
        offered = ", ".join(reward.name for reward in self.rewards)
        logger.info("%s: %s for %s", self.server_name, offered, ", ".join(self.endpoints))
        try:
            self._serve(sockets)
            self._finish(sockets)
        finally:
            self._jobs.put(None)
            if self._begun is None:
                worker.join()
            for socket in [*sockets, self._bell]:
                socket.close()
            if not worker.is_alive():
                self._context.term()

    def _connect(self, endpoint: str) -> "zmq.Socket[bytes]":
        socket = self._context.socket(zmq.DEALER)
        # Every limit is set: nothing is queued for a router that is not there, and nothing too large is taken in.
        socket.set(zmq.IMMEDIATE, 1)
        socket.set(zmq.LINGER, 1000)
        socket.set(zmq.SNDHWM, 256)
        socket.set(zmq.RCVHWM, 256)
        socket.set(zmq.MAXMSGSIZE, 256 << 20)
        socket.set(zmq.RECONNECT_IVL, 100)
        socket.set(zmq.RECONNECT_IVL_MAX, 2000)
        socket.connect(endpoint)
        return socket

    def _serve(self, sockets: "list[zmq.Socket[bytes]]") -> None:
        poller = zmq.Poller()
        for socket in [*sockets, self._bell]:
            poller.register(socket, zmq.POLLIN)
        greeted = [False] * len(sockets)
        next_beat = 0.0
        while not self._stopping.is_set():
            if time.monotonic() >= next_beat:
                next_beat = time.monotonic() + self.beat
                self._offer(sockets, greeted)
            # stop() may come from a signal handler, which can do no more than set a flag.
            wait = min(0.2, max(0.0, next_beat - time.monotonic())) if not self._unsent else 0.01
            poller.poll(round(wait * 1000))
            while self._bell.poll(0):
                self._bell.recv()
            for router, socket in enumerate(sockets):
                while socket.poll(0):
                    self._take(router, socket.recv_multipart()[-1])
            self._answer(sockets)

    def _offer(self, sockets: "list[zmq.Socket[bytes]]", greeted: "list[bool]") -> None:
        if self._begun is not None and time.monotonic() - self._begun > self.patience:
            logger.error("%s: stuck on one request; silent until it ends", self.server_name)
            return
        batch_size = max(reward.batch_size for reward in self.rewards)
        for router, socket in enumerate(sockets):
            if not greeted[router]:
                greeted[router] = _send(socket, wire.hello(self.server_name))
            _send(socket, wire.ready(self.server_name, self.rewards, self.credits, batch_size))

    def _take(self, router: int, frame: bytes) -> None:
        try:
            envelope = wire.parse(frame)
        except DecodeError as error:
            logger.warning("%s: ignored a broken message of %s: %s", self.server_name, self.endpoints[router], error)
            return
        kind = envelope.WhichOneof("kind")
        if kind == "score_request":
            request = envelope.score_request
            # A router that lost count, as after a silence, is borne with; one without measure is not.
            most = 4 * self.credits * len(self.endpoints)
            if self._jobs.qsize() >= most:
                self._answers.put((router, wire.refuse(request, f"expected at most {most} waiting requests")))
                return
            self._jobs.put(_Job(router, request, time.monotonic() + request.deadline_milliseconds / 1000))
        elif kind == "refusal":
            raise RouterRefusal(f"{self.endpoints[router]} refused {self.server_name}: {envelope.refusal.reason}")
        elif kind != "heartbeat":
            logger.warning("%s: %s sent %s, which is ignored", self.server_name, self.endpoints[router], kind)

    def _answer(self, sockets: "list[zmq.Socket[bytes]]") -> None:
        while not self._answers.empty():
            self._unsent.append(self._answers.get())
        self._unsent = [(router, frame) for router, frame in self._unsent if not _send(sockets[router], frame)]

    def _finish(self, sockets: "list[zmq.Socket[bytes]]") -> None:
        """Answers the request that is being scored, within reason; the router gives the waiting ones to others."""
        end = time.monotonic() + min(self.patience, 10.0)
        while self._begun is not None and time.monotonic() < end:
            self._bell.poll(100)
        self._answer(sockets)
        for socket in sockets:
            _send(socket, wire.goodbye("stopped"))

    def _work(self) -> None:
        bell = self._context.socket(zmq.PUSH)
        bell.set(zmq.LINGER, 0)
        bell.connect(self._bell_address)
        while True:
            job = self._jobs.get()
            if job is None or self._stopping.is_set():
                break
            # Nobody waits for a request past its deadline; an answer without results gives the credit back.
            rewards = self.rewards if time.monotonic() < job.deadline else []
            if not rewards:
                del job.request.rewards[:]
            self._begun = time.monotonic()
            try:
                self._answers.put((job.router, wire.reply(job.request, rewards)))
            finally:
                self._begun = None
            try:
                bell.send(b"", zmq.NOBLOCK)
            except zmq.Again:
                pass  # the bell has rung often enough to be heard
        bell.close()


def _send(socket: "zmq.Socket[bytes]", frame: bytes) -> bool:
    """Hands a frame over without waiting; False when nobody is connected, or the queue is full."""
    try:
        socket.send(frame, zmq.NOBLOCK)
        return True
    except zmq.Again:
        return False


def serve(
    function: ScoreFunction,
    *,
    name: str,
    endpoint: Union[str, Sequence[str]],
    version: str = "1",
    gradient: Optional[GradientFunction] = None,
    batch_size: int = 32,
    server_name: Optional[str] = None,
    credits: int = 2,
    beat: float = 2.0,
    patience: float = 120.0,
) -> None:
    """Serves one reward until SIGTERM or SIGINT (in the main thread; elsewhere, use ``RewardServer`` and its ``stop``).

    Args:
        function: Images uint8 ``[n, height, width, 3]`` and n prompts to n scores; larger is better.
        name: The reward's, as in ``reward.weights`` of the run's configuration.
        endpoint: ``network.routerBackends`` of the run's configuration, one or several.
        version: Stored with every score; change it with the scorer.
        gradient: See ``GradientFunction``; ``torch_gradient`` makes one of a function in PyTorch.
        batch_size: Most images to a call.
        server_name, credits, beat, patience: See ``RewardServer``.

    Raises:
        RouterRefusal: When a router refuses this server.
    """
    reward = Reward(name, function, version=version, gradient=gradient, batch_size=batch_size)
    server = RewardServer(
        [reward], endpoint, server_name=server_name, credits=credits, beat=beat, patience=patience
    )
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: server.stop())
        # Whoever started this process may have blocked them, and a process inherits that.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM, signal.SIGINT})
    server.run()
