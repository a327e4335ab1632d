"""A shop's chat traffic and the provider that answers it, both invented: the tutorial needs neither keys nor money.

python shop.py bill --to spend-logs.json    a month of requests to the large model, as LiteLLM's spend log has them
python shop.py serve --port 9191            a provider with three models: small, large, arbiter

Replace both by your own log and your own provider and the rest of the tutorial stays as it is. The provider is
`pointsman.testing.Upstream`, which speaks OpenAI's protocol over real sockets. How often its small model is wrong is
set below and was measured nowhere.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import random
from dataclasses import dataclass
from pathlib import Path

from pointsman.testing import Received, Reply, Upstream
from pointsman.vocabulary import Usage

N_REQUESTS = 400
SMALL_IS_RIGHT = {"faq": 0.99, "sum": 0.25}
LARGE_USD_PER_TOKEN = (5e-6, 15e-6)
_FAQ = (
    ("When are you open on {day}?", "From 9 to 18 o'clock."),
    ("Do you ship {thing} to {place}?", "Yes, within four working days."),
    (
        "How do I return {thing} that I bought on {day}?",
        "Print the label in your account; any post office takes it.",
    ),
    ("Which payment do you take in {place}?", "Card, transfer and invoice."),
    ("Is {thing} still in stock in {place}?", "Yes, it is."),
)
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
_THINGS = ("the oak table", "a desk lamp", "the blue chair", "a bookshelf", "the wool rug", "a mirror", "the bed frame")
_PLACES = ("Porto", "Graz", "Ghent", "Turku", "Lyon", "Split", "Brno", "Malmö", "Cork")


@dataclass(frozen=True)
class Question:
    """What a customer asks, its kind, and the right answer."""

    text: str
    kind: str
    answer: str


def questions() -> list[Question]:
    """The month's requests, each text once; the same at every call."""
    draw = random.Random(7)
    found: dict[str, Question] = {}
    while len(found) < N_REQUESTS:
        question = _sum(draw) if draw.random() < 0.35 else _faq(draw)
        found.setdefault(question.text, question)
    return list(found.values())


def _faq(draw: random.Random) -> Question:
    text, answer = draw.choice(_FAQ)
    filled = text.format(day=draw.choice(_DAYS), thing=draw.choice(_THINGS), place=draw.choice(_PLACES))
    number = draw.randrange(1_000, 9_999)
    return Question(f"{filled} My customer number is {number}.", "faq", answer)


def _sum(draw: random.Random) -> Question:
    n, price, off, back = (
        draw.randrange(3, 30),
        draw.randrange(8, 90),
        draw.choice((5, 10, 15, 20)),
        draw.randrange(1, 3),
    )
    refund = back * price * (100 - off) / 100
    text = (
        f"A customer ordered {n} lamps at {price} EUR each with {off} percent discount, then sent {back} of them back "
        "and kept the rest. Calculate step by step how much we refund, assuming shipping is not refunded."
    )
    return Question(text, "sum", f"We refund {refund:.2f} EUR.")


def answer(question: Question, model: str) -> str:
    """What a model says; the small one is wrong on some, always the same."""
    share = int.from_bytes(hashlib.sha256(question.text.encode()).digest()[:4]) / 2**32
    if model == "small" and share > SMALL_IS_RIGHT[question.kind]:
        return "I believe it is 12 EUR." if question.kind == "sum" else "I am not sure."
    return question.answer


def bill() -> list[dict[str, object]]:
    """The month as rows of LiteLLM's spend log, everything asked of the large model."""
    rows: list[dict[str, object]] = []
    for n, question in enumerate(questions()):
        said = answer(question, "large")
        n_in, n_out = len(question.text) // 4 + 8, len(said) // 4 + 1
        rows.append(
            {
                "request_id": f"chatcmpl-{n}",
                "call_type": "acompletion",
                "status": "success",
                "model": "large",
                "model_group": "large",
                "prompt_tokens": n_in,
                "completion_tokens": n_out,
                "spend": n_in * LARGE_USD_PER_TOKEN[0] + n_out * LARGE_USD_PER_TOKEN[1],
                "startTime": "2026-10-05T08:00:00.000Z",
                "endTime": "2026-10-05T08:00:01.200Z",
                "messages": [{"role": "user", "content": question.text}],
                "response": {"choices": [{"message": {"role": "assistant", "content": said}, "finish_reason": "stop"}]},
            }
        )
    return rows


def reply(received: Received) -> Reply:
    """The provider's answer to one request."""
    model, text = str(received.json["model"]), str(received.json["messages"][-1]["content"])
    known = {question.text: question for question in questions()}
    if model == "arbiter":
        everything = " ".join(str(message["content"]) for message in received.json["messages"])
        asked = next(question for question in known.values() if question.text in everything)
        right, wrong = everything.find(asked.answer), everything.find(answer(asked, "small"))
        said = json.dumps({"reason": "one is right", "verdict": "A" if right < wrong else "B"})
        return Reply(text=said, usage=Usage(len(everything) // 4, 12))
    said = answer(known[text], model) if text in known else "I can only answer what is in the tutorial."
    return Reply(text=said, usage=Usage(len(text) // 4 + 8, len(said) // 4 + 1))


async def serve(port: int) -> None:
    """Answers until it is stopped."""
    async with Upstream(reply, port=port) as upstream:
        print(f"a provider of small, large and arbiter: {upstream.url}/v1", flush=True)
        await asyncio.Event().wait()


def main() -> None:
    """Writes the bill, or serves."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("bill").add_argument("--to", type=Path, required=True)
    commands.add_parser("serve").add_argument("--port", type=int, required=True)
    chosen = parser.parse_args()
    if chosen.command == "serve":
        asyncio.run(serve(chosen.port))
    else:
        chosen.to.write_text(json.dumps(bill(), ensure_ascii=False, indent=1), encoding="utf-8")
        print(f"wrote {chosen.to}: {N_REQUESTS} requests, {sum(float(str(row['spend'])) for row in bill()):.2f} USD")


if __name__ == "__main__":
    main()
