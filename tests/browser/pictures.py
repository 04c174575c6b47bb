"""A picture that follows a slider: how soon after a key it comes, and what is in it."""

from __future__ import annotations

import base64
import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Locator

# In the page: from each key on a slider's handle to the next picture that is another one.
# `load` does not bubble, so both are watched on their way down. A press without a picture
# is left behind by the next one.
RECORDER = """
(selector) => {
    if (window.ganRecorder) return;
    const recorder = window.ganRecorder = {pressed: null, latency: null};
    document.addEventListener('keydown', event => {
        if (!event.target.matches('.noUi-handle')) return;
        const picture = document.querySelector(selector);
        Object.assign(recorder, {pressed: performance.now(), src: picture.src, latency: null});
    }, true);
    document.addEventListener('load', event => {
        if (recorder.pressed === null || !event.target.matches?.(selector)) return;
        if (event.target.src === recorder.src) return;
        recorder.latency = performance.now() - recorder.pressed;
        recorder.pressed = null;
    }, true);
}
"""

WAIT_FOR_LATENCY = """
(limit) => new Promise(resolve => {
    const end = performance.now() + limit;
    const look = () => {
        const {latency} = window.ganRecorder;
        if (latency !== null || performance.now() > end) resolve(latency);
        else setTimeout(look, 5);
    };
    look();
})
"""

READ = """
async (picture) => {
    const bytes = new Uint8Array(await (await fetch(picture.src)).arrayBuffer());
    return btoa(Array.from(bytes, byte => String.fromCharCode(byte)).join(''));
}
"""


def press_and_time(
    handle: Locator,
    key: str,
    times: int,
    picture: str = ".gan-picture",
    limit_ms: float = 2000,
) -> list[float]:
    """Press `key` on a slider's handle; the ms until a new `picture` came, once a press.

    The next press waits for the picture. `inf` stands where none came within `limit_ms`.
    """
    handle.page.evaluate(RECORDER, picture)
    latencies = []
    for _ in range(times):
        handle.press(key)
        latency = handle.page.evaluate(WAIT_FOR_LATENCY, limit_ms)
        latencies.append(math.inf if latency is None else latency)
    return latencies


def read_picture(picture: Locator) -> bytes:
    """The bytes of an `<img>`, a PNG for example."""
    return base64.b64decode(picture.evaluate(READ))
