"""Tests of a reward server with the socket of a router, over TCP on this machine."""

import logging
import threading
import time
import unittest

import numpy as np
import zmq

from stepwise_rewards import Reward, RewardServer, RouterRefusal
from stepwise_rewards import stepwise_pb2 as messages


def brightness(images, prompts):
    return images.mean(axis=(1, 2, 3)) / 255


class Server(unittest.TestCase):
    def setUp(self):
        logging.getLogger("stepwise_rewards").setLevel(logging.CRITICAL)
        self.context = zmq.Context()
        self.router = self.context.socket(zmq.ROUTER)
        self.router.set(zmq.LINGER, 0)
        port = self.router.bind_to_random_port("tcp://127.0.0.1")
        self.endpoint = f"tcp://127.0.0.1:{port}"
        self.failure = None
        self.thread = None

    def tearDown(self):
        if self.thread:
            self.server.stop()
            self.thread.join(20)
            self.assertFalse(self.thread.is_alive())
        self.router.close()
        self.context.term()

    def start(self, *rewards, **options):
        options = {"heartbeat_interval": 0.05, "server_name": "tester", **options}
        self.server = RewardServer(rewards or [Reward("brightness", brightness, version="7")], self.endpoint, **options)

        def run():
            try:
                self.server.run()
            except Exception as error:
                self.failure = error

        self.thread = threading.Thread(target=run)
        self.thread.start()

    def receive(self, kind, seconds=20.0):
        """The next message of a kind. Messages of other kinds are skipped."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.router.poll(100):
                self.peer, frame = self.router.recv_multipart()
                envelope = messages.Envelope.FromString(frame)
                if envelope.WhichOneof("kind") == kind:
                    return getattr(envelope, kind)
        return None

    def send(self, **kind):
        self.router.send_multipart([self.peer, messages.Envelope(**kind).SerializeToString()])

    def request(self, identity, images, rewards=("brightness",), gradient=False, prompts=None):
        data_type = messages.FLOAT32 if gradient else messages.UINT8
        tensor = messages.Tensor(data_type=data_type, shape=images.shape, values=images.tobytes())
        self.send(
            score_request=messages.ScoreRequest(
                id=identity,
                rewards=rewards,
                prompts=["a cat"] * len(images) if prompts is None else prompts,
                images=tensor,
                deadline_milliseconds=20_000,
                want_gradient=gradient,
            )
        )

    def test_a_server_says_hello_and_offers_its_rewards(self):
        self.start(
            Reward("a", brightness, version="1"),
            Reward("b", brightness, version="2", gradient=lambda pixels, prompts: ([0.0] * len(prompts), pixels)),
            credits=5,
        )
        hello = self.receive("hello")
        self.assertEqual((hello.protocol_version, hello.role, hello.name), (2, messages.REWARD_SERVER, "tester"))
        ready = self.receive("server_ready")
        offers = [(reward.name, reward.version, reward.has_gradient) for reward in ready.rewards]
        self.assertEqual(offers, [("a", "1", False), ("b", "2", True)])
        self.assertEqual(ready.credits, 5)
        self.assertIsNotNone(self.receive("server_ready"))

    def test_scores_are_returned(self):
        self.start()
        self.receive("server_ready")
        images = np.arange(3 * 4 * 4 * 3, dtype=np.uint8).reshape(3, 4, 4, 3)
        self.request(9, images)
        reply = self.receive("score_reply")
        self.assertEqual(reply.id, 9)
        self.assertEqual((reply.results[0].reward, reply.results[0].version), ("brightness", "7"))
        np.testing.assert_allclose(reply.results[0].values, brightness(images, []), rtol=1e-6)

    def test_gradients_are_returned(self):
        def gradient(pixels, prompts):
            return (pixels**2).sum((1, 2, 3)), 2 * pixels

        self.start(Reward("square", brightness, gradient=gradient))
        self.receive("server_ready")
        pixels = np.linspace(0, 1, 2 * 3 * 3 * 3, dtype=np.float32).reshape(2, 3, 3, 3)
        self.request(1, pixels, rewards=["square"], gradient=True)
        result = self.receive("score_reply").results[0]
        self.assertEqual(list(result.gradient.shape), [2, 3, 3, 3])
        found = np.frombuffer(result.gradient.values, "<f4").reshape(pixels.shape)
        np.testing.assert_allclose(found, 2 * pixels)

    def test_an_invalid_request_has_missing_scores_with_the_reason(self):
        self.start()
        self.receive("server_ready")
        images = np.zeros((2, 4, 4, 3), np.uint8)
        self.request(1, images, prompts=["only one"])
        self.assertIn("expected 2 prompts", self.receive("score_reply").results[0].error)
        self.request(2, images, rewards=["beauty"])
        self.assertIn("expected one of brightness, found beauty", self.receive("score_reply").results[0].error)
        self.request(3, images.astype(np.float32), gradient=True)
        result = self.receive("score_reply").results[0]
        self.assertIn("brightness has no gradient", result.error)
        self.assertEqual(list(result.missing), [0, 1])

    def test_invalid_messages_are_ignored(self):
        self.start()
        self.receive("server_ready")
        self.router.send_multipart([self.peer, b"\xff\xff\xff"])
        self.request(1, np.zeros((1, 2, 2, 3), np.uint8))
        self.assertEqual(self.receive("score_reply").id, 1)

    def test_signs_of_life_are_sent_during_scoring_and_stop_when_the_scorer_is_stuck(self):
        release = threading.Event()

        def slow(images, prompts):
            release.wait(20)
            return brightness(images, prompts)

        self.start(Reward("brightness", slow), stuck_limit=0.5)
        self.receive("server_ready")
        self.request(1, np.zeros((1, 2, 2, 3), np.uint8))
        self.assertIsNotNone(self.receive("server_ready"))
        end = time.monotonic() + 20
        while self.receive("server_ready", seconds=0.5) is not None:
            self.assertLess(time.monotonic(), end, "a stuck server still sends heartbeats")
        release.set()
        self.assertEqual(self.receive("score_reply").id, 1)
        self.assertIsNotNone(self.receive("server_ready"))

    def test_a_stopped_server_says_goodbye(self):
        self.start()
        self.receive("server_ready")
        self.server.stop()
        self.assertEqual(self.receive("goodbye").reason, "stopped")
        self.thread.join(20)
        self.assertIsNone(self.failure)

    def test_a_refused_server_ends_with_the_reason(self):
        self.start()
        self.receive("server_ready")
        self.send(refusal=messages.Refusal(reason="expected protocol version 3"))
        self.thread.join(20)
        self.assertIsInstance(self.failure, RouterRefusal)
        self.assertIn("expected protocol version 3", str(self.failure))

    def test_invalid_arguments_are_refused(self):
        reward = Reward("a", brightness)
        for rewards, endpoint, options in (([], "tcp://127.0.0.1:1", {}), ([reward, reward], "tcp://127.0.0.1:1", {}),
                                           ([reward], [], {}), ([reward], "tcp://127.0.0.1:1", {"credits": 0})):
            with self.assertRaises(ValueError):
                RewardServer(rewards, endpoint, **options)


if __name__ == "__main__":
    unittest.main()
