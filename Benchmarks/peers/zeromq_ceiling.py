"""Measures ZeroMQ alone: messages from DEALER sockets to a ROUTER socket that answers each with eight bytes.

usage: zeromq_ceiling.py [--seconds 5] [--bytes 65536 1048576] [--load 1x25 2x25] [--connection plain curve]
                         [--disk FILE]

Requires pyzmq. With --disk the ROUTER writes all waiting messages to FILE, syncs it once, and then answers. Prints one
JSON line per measurement, with the keys of `stepwise-bench replay --json`.
"""

import argparse
import json
import multiprocessing
import os
import time

import zmq

COMMIT_BYTES, COMMIT_MESSAGES = 4 << 20, 64


def take(keys, connection, file, ports, stop):
    context = zmq.Context(io_threads=2 if connection == "curve" else 1)
    socket = context.socket(zmq.ROUTER)
    if connection == "curve":
        from zmq.auth.thread import ThreadAuthenticator

        authenticator = ThreadAuthenticator(context)
        authenticator.start()
        authenticator.configure_curve(domain="*", location=zmq.auth.CURVE_ALLOW_ANY)
        socket.curve_publickey, socket.curve_secretkey = keys
        socket.curve_server = True
    ports.put(socket.bind_to_random_port("tcp://127.0.0.1"))
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_TRUNC) if file else None
    place = 0
    while not stop.is_set():
        if not socket.poll(100):
            continue
        waiting, size = [], 0
        while True:
            try:
                identity, payload = socket.recv_multipart(zmq.DONTWAIT, copy=False)
            except zmq.Again:
                break
            if descriptor is None:
                socket.send_multipart([identity, b"12345678"])
                continue
            place += os.pwrite(descriptor, payload.buffer, place)
            waiting.append(identity)
            size += len(payload.buffer)
            if size >= COMMIT_BYTES or len(waiting) >= COMMIT_MESSAGES:
                break
        if waiting:
            os.fdatasync(descriptor)
            for identity in waiting:
                socket.send_multipart([identity, b"12345678"])
    if descriptor is not None:
        os.close(descriptor)
        os.unlink(file)


def send(port, keys, connection, size, in_flight, seconds, results):
    context = zmq.Context()
    socket = context.socket(zmq.DEALER)
    if connection == "curve":
        socket.curve_publickey, socket.curve_secretkey = zmq.curve_keypair()
        socket.curve_serverkey = keys[0]
    socket.connect(f"tcp://127.0.0.1:{port}")
    payload = bytes(size)
    socket.send(payload)
    socket.recv()
    count = 0
    began = time.perf_counter()
    for _ in range(in_flight):
        socket.send(payload, copy=False)
    while time.perf_counter() - began < seconds:
        socket.recv()
        socket.send(payload, copy=False)
        count += 1
    results.put(count / (time.perf_counter() - began))
    for _ in range(in_flight):
        socket.recv()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--bytes", type=int, nargs="+", default=[65536, 1048576])
    parser.add_argument("--load", nargs="+", default=["1x25", "2x25"], help="senders x messages in flight per sender")
    parser.add_argument("--connection", nargs="+", default=["plain", "curve"])
    parser.add_argument("--disk")
    options = parser.parse_args()
    multiprocessing.set_start_method("spawn")
    for size in options.bytes:
        for connection in options.connection:
            for load in options.load:
                senders, in_flight = (int(part) for part in load.split("x"))
                ports, results, stop = multiprocessing.Queue(), multiprocessing.Queue(), multiprocessing.Event()
                keys = zmq.curve_keypair()
                router = multiprocessing.Process(
                    target=take, args=(keys, connection, options.disk, ports, stop), daemon=True)
                router.start()
                port = ports.get(timeout=60)
                arguments = (port, keys, connection, size, in_flight, options.seconds, results)
                workers = [multiprocessing.Process(target=send, args=arguments) for _ in range(senders)]
                for worker in workers:
                    worker.start()
                rate = sum(results.get(timeout=120) for _ in workers)
                for worker in workers:
                    worker.join(10)
                stop.set()
                router.join(10)
                print(json.dumps({
                    "peer": f"zeromq {zmq.zmq_version()}", "operation": "insert", "bytes": size, "writers": senders,
                    "in_flight": in_flight, "connection": connection,
                    "acknowledged": "disk" if options.disk else "memory", "items_per_second": round(rate, 1),
                    "mb_per_second": round(rate * size / 1e6, 1)}), flush=True)


if __name__ == "__main__":
    main()
