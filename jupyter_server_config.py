"""Settings of the Jupyter server that `make lab` starts; they come on top of your own.

Jupyter's server leaves it to the system when small messages are sent. That waits up to 40 ms for
more of them (Nagle's algorithm, RFC 896), which is most of the time between a slider and its
picture. Here they are sent at once.
"""

from asyncio import Future

from jupyter_server.services.kernels.connection.channels import ZMQChannelsWebsocketConnection


class PromptConnection(ZMQChannelsWebsocketConnection):
    """Between a kernel and a browser."""

    def connect(self) -> Future[None] | None:
        self.websocket_handler.set_nodelay(True)
        return super().connect()


c = get_config()  # noqa: F821 - Jupyter defines it
c.ServerApp.kernel_websocket_connection_class = PromptConnection
