"""LangChain through the gateway: one URL and the model `auto`.

pip install langchain-openai
python langchain_chat.py http://127.0.0.1:8484 "What is the capital of Portugal?"
"""

from __future__ import annotations

import os
import sys

from langchain_openai import ChatOpenAI


def main(url: str, question: str) -> None:
    """Prints the answer, the model that gave it, and the tokens it took."""
    model = ChatOpenAI(model="auto", base_url=f"{url}/v1", api_key=os.environ.get("POINTSMAN_KEY", "unused"))
    answer = model.invoke(question)
    print(answer.content)
    print("served by", answer.response_metadata["model_name"], answer.usage_metadata)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
