"""Networks that come with the course: half-precision weights, and a description with their hashes.

A network `NAME` is one or more `.safetensors` files and `NAME.json` in `course_utils/weights/`.
Nothing of a file is believed before its sha256 has been compared with the description's.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors.torch import load, save
from torch import Tensor, nn

FOLDER = Path(__file__).parent / "weights"

Tensors = dict[str, Tensor]


def write_shipped(
    name: str, folder: Path, parts: Mapping[str, Tensors], facts: dict[str, Any]
) -> dict[str, Any]:
    """Leave each part as `NAME_PART.safetensors`, and the facts with all hashes as `NAME.json`.

    A part whose name is empty is `NAME.safetensors`. Returns the facts as written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    sums = {}
    for part, tensors in parts.items():
        data = save(tensors)
        (folder / name_file(name, part)).write_bytes(data)
        sums[part or "weights"] = hashlib.sha256(data).hexdigest()
    facts = facts | {"sha256": sums}
    text = json.dumps(facts, indent=2, sort_keys=True, ensure_ascii=False)
    (folder / f"{name}.json").write_text(text + "\n", encoding="utf-8")
    return facts


def read_facts(name: str, folder: Path = FOLDER) -> dict[str, Any]:
    """The description of a network.

    Raises:
        ValueError: the file is missing or damaged.
    """
    path = folder / f"{name}.json"
    try:
        facts = json.loads(_read(path))
        sums = {str(part): str(value) for part, value in facts["sha256"].items()}
    except (AttributeError, KeyError, TypeError, UnicodeDecodeError, json.JSONDecodeError) as fault:
        raise ValueError(
            f"{path.name}: expected a description with hashes, got a damaged one{_again(path)}"
        ) from fault
    return facts | {"sha256": sums}


def read_part(name: str, part: str, facts: dict[str, Any], folder: Path = FOLDER) -> Tensors:
    """One part's tensors, as they were written.

    Raises:
        ValueError: the file is missing, or is not the one that the description names.
    """
    path = folder / name_file(name, part)
    data = _read(path)
    expected = facts["sha256"].get(part or "weights")
    if expected is None:
        raise ValueError(f"{name}.json: expected the hash of {path.name}, got none{_again(path)}")
    if hashlib.sha256(data).hexdigest() != expected:
        raise ValueError(
            f"{path.name}: expected the file with sha256 {expected[:12]}…, got another, perhaps "
            f"damaged{_again(path)}"
        )
    return load(data)


def pack(network: nn.Module) -> Tensors:
    """The weights of a network as they are shipped, in half precision."""
    return {
        key: value.detach().cpu().half().contiguous()
        for key, value in network.state_dict().items()
        if value.is_floating_point()  # not batch norm's count of batches: nobody needs it
    }


def fill(network: nn.Module, weights: Tensors) -> nn.Module:
    """Put packed weights into a network that is built alike; ready for use, in float32."""
    wanted = {key for key, value in network.state_dict().items() if value.is_floating_point()}
    if wanted != set(weights):
        raise ValueError(
            f"weights: expected {', '.join(sorted(wanted))}; got {', '.join(sorted(weights))}"
        )
    network.load_state_dict({key: value.float() for key, value in weights.items()}, strict=False)
    return network.requires_grad_(False).eval()


def name_file(name: str, part: str) -> str:
    """The file of one part of a network."""
    return f"{name}_{part}.safetensors" if part else f"{name}.safetensors"


def _read(path: Path) -> bytes:
    if not path.is_file():
        raise ValueError(f"{path.name}: expected in {path.parent}, got no file{_again(path)}")
    return path.read_bytes()


def _again(path: Path) -> str:
    return f"; get it again: git checkout -- course_utils/{path.parent.name}"
