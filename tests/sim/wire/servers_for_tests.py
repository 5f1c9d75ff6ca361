"""Policy servers in other processes, after the protocols' descriptions: openpi's, RoboArena's, slow and wrong ones.

    servers_for_tests.py KIND

It shares no code with the project: arrays are packed here by hand. The first line on standard output is the address;
each request and answer is appended to `requests.jsonl` in the working folder.
"""

import json
import random
import sys
import time
from pathlib import Path

import msgpack
import numpy as np
from websockets.sync.server import serve

KIND = sys.argv[1]
ROBOARENA = {
    "image_resolution": [224, 224],
    "needs_wrist_camera": False,
    "n_external_cameras": 0,
    "needs_stereo_camera": False,
    "needs_session_id": True,
    "action_space": "joint_position",
}
METADATA = {"roboarena": ROBOARENA, "not_a_map": [1]}.get(KIND, {"model": "pi0"})
rng = random.Random(1)


def array(value):
    value = np.asarray(value, dtype=np.float32)
    return {b"__ndarray__": True, b"data": value.tobytes(), b"dtype": "<f4", b"shape": list(value.shape)}


def state_of(request):
    record = request.get("observation/state")
    return None if record is None else np.frombuffer(record[b"data"], dtype=record[b"dtype"]).reshape(record[b"shape"])


def answer(connection, request):
    state = state_of(request)
    if KIND == "text":
        connection.send("Traceback (most recent call last):\n  File ...\nKeyError: 'observation/image'")
        connection.close(1011, "internal error")
    elif KIND == "pickle":
        connection.send(
            msgpack.packb({"actions": {b"__ndarray__": True, b"data": b"x" * 8, b"dtype": "|O", b"shape": [1]}})
        )
    elif KIND == "nan":
        connection.send(msgpack.packb({"actions": array([[np.nan, 0.0]])}))
    elif KIND == "huge":
        connection.send(b"\xc6" + (500_000_000).to_bytes(4, "big") + bytes(100_000_000))
    elif request.get("endpoint") == "reset":
        connection.send("reset successful")
    elif KIND in ("slow", "echo"):
        time.sleep(rng.uniform(0.0, 0.03) if KIND == "slow" else 0.0)
        connection.send(msgpack.packb({"actions": array([[state[0], 0.01 * number] for number in range(4)])}))
    else:
        connection.send(msgpack.packb({"actions": array([[0.5, -0.5]] * 10)}))


def handle(connection):
    connection.send(msgpack.packb(METADATA))
    with Path("requests.jsonl").open("a") as log:
        for data in connection:
            request = msgpack.unpackb(data, strict_map_key=False)
            log.write(json.dumps({"keys": sorted(request), "endpoint": request.get("endpoint")}) + "\n")
            log.flush()
            answer(connection, request)


with serve(handle, "127.0.0.1", 0, compression=None, max_size=None) as server:
    sys.stdout.write(f"ws://127.0.0.1:{server.socket.getsockname()[1]}\n")
    sys.stdout.flush()
    server.serve_forever()
