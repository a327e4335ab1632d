"""The HTTP edge: OpenAI and Anthropic endpoints in front of a router.

`create_app` makes an aiohttp application around a router; `GatewayServer` runs one; `serve` is `pointsman serve`.
"""

from .app import create_app
from .auth import Keys
from .server import GatewayServer, serve
from .state import GatewayLimits

__all__ = ["GatewayLimits", "GatewayServer", "Keys", "create_app", "serve"]
