"""The settings of `make lab`: Jupyter takes them, and messages are sent at once."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from jupyter_server.serverapp import ServerApp
from jupyter_server.services.kernels.connection.channels import ZMQChannelsWebsocketConnection
from traitlets.config import PyFileConfigLoader

ROOT = Path(__file__).parent.parent


@pytest.fixture
def connection() -> type:
    """What Jupyter would use as its connection, with these settings."""
    config = PyFileConfigLoader("jupyter_server_config.py", str(ROOT)).load_config()
    return ServerApp(config=config).kernel_websocket_connection_class


def test_each_message_is_sent_at_once(connection, monkeypatch) -> None:
    done = []
    monkeypatch.setattr(ZMQChannelsWebsocketConnection, "connect", lambda self: done.append("on"))
    handler = SimpleNamespace(set_nodelay=done.append)
    connection.connect(
        type("Bare", (connection,), {"__init__": lambda self: None, "websocket_handler": handler})()
    )
    assert done == [True, "on"]


def test_make_lab_uses_them() -> None:
    recipe = (ROOT / "Makefile").read_text().split("\nlab:")[1].split("\n\n")[0]
    assert "JUPYTER_CONFIG_PATH=$(CURDIR)" in recipe
