"""TensorZero's embedded gateway as a server: prints its address, serves until it is ended.

Runs in an environment of its own (`make bench-gateway-env`), where TensorZero is and Pointsman is not:
python tensorzero_server.py CONFIG.toml
"""

from __future__ import annotations

import signal
import sys

import tensorzero


class Client:
    """Stands in for an OpenAI client: all that is wanted of it is the address that it is given."""

    base_url = ""


def main() -> None:
    client = Client()
    tensorzero.patch_openai_client(client, config_file=sys.argv[1], async_setup=False)
    print(client.base_url, flush=True)
    signal.pause()


if __name__ == "__main__":
    main()
