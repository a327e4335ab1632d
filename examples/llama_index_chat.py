"""LlamaIndex through the gateway: one URL and the model `auto`.

pip install llama-index-llms-openai-like
python llama_index_chat.py http://127.0.0.1:8484 "What is the capital of Portugal?"
"""

from __future__ import annotations

import os
import sys

from llama_index.core.llms import ChatMessage
from llama_index.llms.openai_like import OpenAILike


def main(url: str, question: str) -> None:
    """Prints the answer and the model that gave it."""
    model = OpenAILike(
        model="auto", api_base=f"{url}/v1", api_key=os.environ.get("POINTSMAN_KEY", "unused"), is_chat_model=True
    )
    answer = model.chat([ChatMessage(role="user", content=question)])
    print(answer.message.content)
    print("served by", answer.raw.model)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
