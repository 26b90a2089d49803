"""Compares the items that a Reverb server has after a restart with the items that it had acknowledged.

usage: reverb_account.py [--rounds 10] [--end kill|stop] [--seed 1]

Requires dm-reverb with TensorFlow. In each round, one writer inserts numbered items of one kilobyte, with at most 25
not acknowledged, and requests one checkpoint per second. At a random time the server is killed (SIGKILL), or is told to
stop (SIGTERM), in which case it writes a checkpoint first. A new server then loads the newest checkpoint. Prints one
JSON line with sums over all rounds: `acknowledged` items, items `stored` in the new servers, and `lost` items.
"""

import argparse
import json
import multiprocessing
import os
import random
import shutil
import signal
import tempfile
import threading
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("GRPC_VERBOSITY", "ERROR")

import numpy as np

TABLE = "groups"
IN_FLIGHT = 25


def serve(folder: str, port: int | None, ports: multiprocessing.Queue) -> None:
    import reverb

    table = reverb.Table(
        name=TABLE, sampler=reverb.selectors.Uniform(), remover=reverb.selectors.Fifo(), max_size=1 << 20,
        rate_limiter=reverb.rate_limiters.MinSize(1))
    server = reverb.Server([table], port=port, checkpointer=reverb.checkpointers.DefaultCheckpointer(path=folder))
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    ports.put(server.port)
    ended.wait()
    reverb.Client(f"localhost:{server.port}").checkpoint()
    server.stop()
    os._exit(0)


def write(port: int, acknowledged, stop) -> None:
    """Inserts items and counts acknowledged ones until the server is gone or `stop` is set."""
    import reverb

    client = reverb.Client(f"localhost:{port}")

    def keep() -> None:
        while not stop.wait(1):
            try:
                client.checkpoint()
            except Exception:  # the server is gone, as planned
                return

    threading.Thread(target=keep, daemon=True).start()
    item = np.zeros(256, np.float32)
    written = 0
    writer = client.trajectory_writer(num_keep_alive_refs=1)
    try:
        while not stop.is_set():
            item[0] = written
            writer.append({"states": item})
            writer.create_item(TABLE, priority=1.0, trajectory={"states": writer.history["states"][-1:]})
            written += 1
            # When it returns, all but IN_FLIGHT items are acknowledged. Without a timeout it would never return after
            # the server was killed.
            writer.flush(block_until_num_items=IN_FLIGHT, timeout_ms=2000)
            acknowledged.value = max(acknowledged.value, written - IN_FLIGHT)
    except Exception:  # the server is gone, as planned
        pass
    os._exit(0)


def stored(port: int) -> int:
    import reverb

    return reverb.Client(f"localhost:{port}").server_info()[TABLE].current_size


def play(end: str, chance: random.Random) -> tuple[int, int]:
    folder = tempfile.mkdtemp(prefix="reverb-account-")
    try:
        ports = multiprocessing.Queue()
        server = multiprocessing.Process(target=serve, args=(folder, None, ports), daemon=True)
        server.start()
        port = ports.get(timeout=60)
        acknowledged, stop = multiprocessing.Value("q", 0), multiprocessing.Event()
        writer = multiprocessing.Process(target=write, args=(port, acknowledged, stop), daemon=True)
        writer.start()
        while acknowledged.value == 0:
            time.sleep(0.01)
        time.sleep(1.2 + 2 * chance.random())
        os.kill(server.pid, signal.SIGKILL if end == "kill" else signal.SIGTERM)
        server.join(30)
        time.sleep(0.5)
        stop.set()
        writer.join(10)
        writer.kill()
        again = multiprocessing.Process(target=serve, args=(folder, None, ports), daemon=True)
        again.start()
        found = stored(ports.get(timeout=60))
        again.kill()
        again.join()
        return acknowledged.value, found
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--end", choices=["kill", "stop"], default="kill")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    multiprocessing.set_start_method("spawn")
    chance = random.Random(options.seed)
    rounds = [play(options.end, chance) for _ in range(options.rounds)]
    lost = [max(0, acknowledged - found) for acknowledged, found in rounds]
    print(json.dumps({
        "peer": "dm-reverb", "end": options.end, "rounds": len(rounds),
        "acknowledged": sum(acknowledged for acknowledged, _ in rounds), "stored": sum(found for _, found in rounds),
        "lost": sum(lost), "rounds_with_loss": sum(one > 0 for one in lost)}), flush=True)


if __name__ == "__main__":
    main()
