"""Tests of encrypted connections and of the key files that `stepwise keys` writes."""

import logging
import os
import tempfile
import threading
import unittest

import zmq
from zmq.auth.thread import ThreadAuthenticator

from stepwise_rewards import KeyFileError, Reward, RewardServer, RouterRefusal
from stepwise_rewards import stepwise_pb2 as messages


def score(images, prompts):
    return [1.0] * len(prompts)


class Allowed:
    """Accepts connections with the listed keys."""

    def __init__(self, keys):
        self.keys = keys

    def callback(self, domain, key):
        return key in self.keys


class Keys(unittest.TestCase):
    def setUp(self):
        logging.getLogger("stepwise_rewards").setLevel(logging.CRITICAL)
        self.temporary = tempfile.TemporaryDirectory()
        self.folder = self.temporary.name
        self.pairs = {}
        for name in ("router", "reward-server"):
            self.add(name, name)

    def tearDown(self):
        self.temporary.cleanup()

    def path(self, name):
        return os.path.join(self.folder, name)

    def add(self, role, name):
        public, secret = zmq.curve_keypair()
        self.pairs[name] = (public, secret)
        with open(os.open(self.path(f"{name}.key"), os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
            file.write(f"# A comment.\npublic {public.decode()}\nsecret {secret.decode()}\n")
        with open(self.path("allowed-keys"), "a") as file:
            file.write(f"{role} {public.decode()} {name}\n")

    def run_with_router(self, allowed, **options):
        """Runs a server with a router that accepts the listed keys, until it has offered its reward or has failed."""
        context = zmq.Context()
        authenticator = ThreadAuthenticator(context)
        authenticator.start()
        authenticator.configure_curve_callback(domain="*", credentials_provider=Allowed(allowed))
        router = context.socket(zmq.ROUTER)
        router.set(zmq.LINGER, 0)
        router.set(zmq.CURVE_SERVER, 1)
        router.set(zmq.CURVE_SECRETKEY, self.pairs["router"][1])
        endpoint = f"tcp://127.0.0.1:{router.bind_to_random_port('tcp://127.0.0.1')}"
        server = RewardServer([Reward("one", score)], endpoint, heartbeat_interval=0.05, **options)
        failures = []

        def run():
            try:
                server.run()
            except Exception as error:
                failures.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        kinds = set()
        try:
            while thread.is_alive() and "server_ready" not in kinds:
                if router.poll(100):
                    kinds.add(messages.Envelope.FromString(router.recv_multipart()[-1]).WhichOneof("kind"))
        finally:
            server.stop()
            thread.join(20)
            router.close()
            authenticator.stop()
            context.term()
        return kinds, failures

    def test_a_server_with_keys_joins_a_router_with_keys(self):
        kinds, failures = self.run_with_router([self.pairs["reward-server"][0]], keys=self.folder)
        self.assertIn("server_ready", kinds)
        self.assertEqual(failures, [])

    def test_a_server_whose_key_the_router_does_not_accept_is_refused(self):
        kinds, failures = self.run_with_router([], keys=self.folder)
        self.assertEqual(kinds, set())
        self.assertIsInstance(failures[0], RouterRefusal)
        self.assertIn("the router refused the key of this server (400)", str(failures[0]))

    def test_a_server_may_have_a_key_file_of_its_own(self):
        self.add("reward-server", "gpu-7")
        kinds, failures = self.run_with_router(
            [self.pairs["gpu-7"][0]], keys=self.folder, key_file=self.path("gpu-7.key")
        )
        self.assertIn("server_ready", kinds)
        self.assertEqual(failures, [])

    def test_a_router_on_another_machine_needs_keys_or_insecure(self):
        for endpoint in ("tcp://10.1.2.3:5804", "tcp://0.0.0.0:5804", "tcp://a.org:5804", "tcp://127.0.0.1.org:1"):
            with self.assertRaises(ValueError) as caught:
                RewardServer([Reward("one", score)], endpoint)
            self.assertIn(endpoint, str(caught.exception))
            self.assertIn("stepwise keys", str(caught.exception))
            RewardServer([Reward("one", score)], endpoint, insecure=True)
            RewardServer([Reward("one", score)], endpoint, keys=self.folder)
        for endpoint in ("tcp://127.0.0.1:5804", "tcp://localhost:5804", "tcp://[::1]:5804", "ipc:///tmp/router"):
            RewardServer([Reward("one", score)], endpoint)

    def test_unusable_key_files_are_refused_with_the_path_and_the_problem(self):
        def error(**options):
            with self.assertRaises(KeyFileError) as caught:
                RewardServer([Reward("one", score)], "tcp://127.0.0.1:5804", keys=self.folder, **options)
            return str(caught.exception)

        self.assertIn("absent.key: could not read the key file", error(key_file=self.path("absent.key")))
        self.assertIn("found one of the role router", error(key_file=self.path("router.key")))
        os.chmod(self.path("reward-server.key"), 0o644)
        self.assertIn("found mode 0644", error())
        os.chmod(self.path("reward-server.key"), 0o600)
        with open(self.path("allowed-keys"), "a") as file:
            file.write("router\n")
        self.assertIn("allowed-keys: expected lines `ROLE PUBLIC-KEY NAME`, found `router`", error())
        with open(self.path("allowed-keys"), "w") as file:
            file.write(f"reward-server {self.pairs['reward-server'][0].decode()} reward-server\n")
        self.assertIn("no public key of the role router", error())
        with open(self.path("reward-server.key"), "w") as file:
            file.write("public a\nsecret b\n")
        self.assertIn("of one CURVE pair, found others", error())


if __name__ == "__main__":
    unittest.main()
