"""Measures items per second into and out of a Reverb table; server, writers and samplers are separate processes.

usage: reverb_replay.py [--seconds 5] [--bytes 65536 1048576] [--load 1x1 1x25 2x25]

Requires dm-reverb with TensorFlow (Python up to 3.11; see the top of Benchmarks/replay.sh). Prints one JSON line per
measurement, with the keys of `stepwise-bench replay --json`. Every item has one of 16 arrays of random numbers, which,
like latents, cannot be compressed. An inserted item counts when the table has completed the insertion, a sampled one
when its size and its first and last element are those of one of the arrays.
"""

import argparse
import json
import multiprocessing
import os
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("GRPC_VERBOSITY", "ERROR")

import numpy as np

TABLE = "groups"
CONTENTS = 16


def contents(size: int) -> list[np.ndarray]:
    generator = np.random.default_rng(1)
    return [generator.standard_normal(size // 4).astype(np.float32) for _ in range(CONTENTS)]


def serve(ports: multiprocessing.Queue, capacity: int) -> None:
    import reverb

    table = reverb.Table(
        name=TABLE, sampler=reverb.selectors.Uniform(), remover=reverb.selectors.Fifo(), max_size=capacity,
        rate_limiter=reverb.rate_limiters.MinSize(1))
    server = reverb.Server([table])
    ports.put(server.port)
    server.wait()


def write(port: int, size: int, in_flight: int, seconds: float, results: multiprocessing.Queue) -> None:
    """Inserts items that the server acknowledges, with at most `in_flight` not acknowledged."""
    import reverb

    arrays = contents(size)
    count = 0
    with reverb.Client(f"localhost:{port}").trajectory_writer(num_keep_alive_refs=1) as writer:
        began = time.perf_counter()
        while time.perf_counter() - began < seconds:
            writer.append({"states": arrays[count % CONTENTS]})
            writer.create_item(TABLE, priority=1.0, trajectory={"states": writer.history["states"][-1:]})
            writer.flush(block_until_num_items=in_flight)
            count += 1
        writer.flush()
        results.put((count, time.perf_counter() - began))


def sample(port: int, size: int, seconds: float, results: multiprocessing.Queue) -> None:
    import reverb

    ends = {(float(array[0]), float(array[-1]), array.size) for array in contents(size)}

    def is_right(part: object) -> bool:
        if not isinstance(part, np.ndarray) or part.dtype != np.float32 or part.size < 2:
            return False
        flat = part.reshape(-1)
        return (float(flat[0]), float(flat[-1]), flat.size) in ends

    # The sampler inside the data sets of Reverb, without TensorFlow.
    sampler = reverb.Client(f"localhost:{port}")._client.NewSampler(TABLE, -1, 16)
    sampler.GetNextTrajectory()
    count = 0
    began = time.perf_counter()
    while time.perf_counter() - began < seconds:
        if not any(is_right(part) for part in sampler.GetNextTrajectory()):
            raise SystemExit("a sampled item differs from all inserted items")
        count += 1
    results.put((count, time.perf_counter() - began))
    results.close()
    results.join_thread()
    # An endless sampler keeps its process from exiting.
    os._exit(0)


def run(target, workers: int, *arguments) -> tuple[int, float]:
    """The items of all workers, and items per second."""
    results = multiprocessing.Queue()
    processes = [multiprocessing.Process(target=target, args=(*arguments, results)) for _ in range(workers)]
    for process in processes:
        process.start()
    found = [results.get(timeout=300) for _ in processes]
    for process in processes:
        process.join(10)
    return sum(count for count, _ in found), sum(count / taken for count, taken in found)


def completed(port: int) -> int:
    import reverb

    return reverb.Client(f"localhost:{port}").server_info()[TABLE].rate_limiter_info.insert_stats.completed


def report(operation: str, size: int, rate: float, verified: int, **facts: int) -> None:
    facts = {"peer": "dm-reverb", "operation": operation, "bytes": size, **facts}
    print(json.dumps({**facts, "items_per_second": round(rate, 1), "mb_per_second": round(rate * size / 1e6, 1),
                      "verified": verified}), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--bytes", type=int, nargs="+", default=[65536, 1048576])
    parser.add_argument("--load", nargs="+", default=["1x1", "1x25", "2x25"], help="writers x items in flight of each")
    options = parser.parse_args()
    multiprocessing.set_start_method("spawn")
    for size in options.bytes:
        ports = multiprocessing.Queue()
        server = multiprocessing.Process(target=serve, args=(ports, (1 << 30) // size), daemon=True)
        server.start()
        port = ports.get(timeout=60)
        stored = 0
        for load in options.load:
            writers, in_flight = (int(part) for part in load.split("x"))
            count, rate = run(write, writers, port, size, in_flight, options.seconds)
            now = completed(port)
            if now - stored != count:
                raise SystemExit(f"expected {count} new items in the table, found {now - stored}")
            stored = now
            report("insert", size, rate, count, writers=writers, in_flight=in_flight)
        for samplers in (1, 2):
            count, rate = run(sample, samplers, port, size, options.seconds)
            report("sample", size, rate, count, samplers=samplers)
        server.kill()
        server.join()


if __name__ == "__main__":
    main()
