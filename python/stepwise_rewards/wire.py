"""Conversion of the messages of proto/stepwise.proto to and from the values of this package. See docs/wire.md."""

from __future__ import annotations

from typing import Any, Iterable, Sequence

import numpy as np
import numpy.typing as npt

from . import stepwise_pb2
from .rewards import Result, Reward

messages: Any = stepwise_pb2  # generated code has no types

#: Peers of another version are refused.
PROTOCOL_VERSION = 2


def hello(name: str) -> bytes:
    """The first message to a router. It also serves as a heartbeat."""
    return _bytes(
        hello=messages.Hello(protocol_version=PROTOCOL_VERSION, role=messages.REWARD_SERVER, name=name)
    )


def ready(name: str, rewards: Iterable[Reward], credits: int) -> bytes:
    """Offers rewards."""
    offers = [
        messages.RewardVersion(name=reward.name, version=reward.version, has_gradient=reward.gradient is not None)
        for reward in rewards
    ]
    return _bytes(server_ready=messages.ServerReady(name=name, rewards=offers, credits=credits))


def goodbye(reason: str) -> bytes:
    """Leaves on purpose, so that the router passes unanswered requests to other servers at once."""
    return _bytes(goodbye=messages.Goodbye(reason=reason))


def parse(frame: bytes) -> Any:
    """Decodes a received frame to an ``Envelope``.

    Raises:
        google.protobuf.message.DecodeError: If the bytes are not a message.
    """
    return messages.Envelope.FromString(frame)


def images(request: Any) -> npt.NDArray[Any]:
    """The images of a ``ScoreRequest``: uint8, or float32 if a gradient is requested, ``[n, height, width, 3]``.

    Raises:
        ValueError: If type, shape and bytes do not match, or if there is not one prompt per image.
    """
    tensor = request.images
    wanted = messages.FLOAT32 if request.want_gradient else messages.UINT8
    shape = tuple(tensor.shape)
    if tensor.data_type != wanted or len(shape) != 4 or shape[3] != 3:
        kind = "float32" if request.want_gradient else "uint8"
        raise ValueError(f"expected {kind} images [n, height, width, 3], found type {tensor.data_type}, shape {shape}")
    dtype = np.dtype("<f4") if request.want_gradient else np.dtype(np.uint8)
    if len(tensor.values) != int(np.prod(shape, dtype=object)) * dtype.itemsize:
        raise ValueError(f"expected the bytes of shape {shape}, found {len(tensor.values)} bytes")
    if len(request.prompts) != shape[0]:
        raise ValueError(f"expected {shape[0]} prompts, one per image, found {len(request.prompts)}")
    return np.frombuffer(tensor.values, dtype).reshape(shape)


def reply(request: Any, rewards: Sequence[Reward]) -> bytes:
    """Scores a ``ScoreRequest``. Every problem becomes missing scores with the reason."""
    try:
        pictures = images(request)
        problem = ""
    except ValueError as misfit:
        problem = str(misfit)
    results = []
    for name in request.rewards:
        reward = next((reward for reward in rewards if reward.name == name), None)
        if problem or reward is None:
            offered = ", ".join(reward.name for reward in rewards)
            reason = problem or f"expected one of {offered}, found {name}"
            result = Result([None] * len(request.prompts), error=reason)
        elif request.want_gradient:
            result = reward.scores_and_gradient(pictures, list(request.prompts))
        else:
            result = reward.scores(pictures, list(request.prompts))
        results.append(_score_result(name, reward, result))
    return _bytes(score_reply=messages.ScoreReply(id=request.id, results=results))


def refuse(request: Any, reason: str) -> bytes:
    """Answers a ``ScoreRequest`` without scoring it."""
    result = Result([None] * len(request.prompts), error=reason)
    results = [_score_result(name, None, result) for name in request.rewards]
    return _bytes(score_reply=messages.ScoreReply(id=request.id, results=results))


def _score_result(name: str, reward: Reward | None, result: Result) -> Any:
    message = messages.ScoreResult(
        reward=name,
        version=reward.version if reward else "",
        values=[0.0 if score is None else score for score in result.scores],
        missing=[index for index, score in enumerate(result.scores) if score is None],
        error=result.error[:60_000],
    )
    if result.gradient is not None:
        message.gradient.data_type = messages.FLOAT32
        message.gradient.shape.extend(result.gradient.shape)
        message.gradient.values = result.gradient.astype("<f4", copy=False).tobytes()
    return message


def _bytes(**kind: Any) -> bytes:
    encoded: bytes = messages.Envelope(**kind).SerializeToString()
    return encoded
