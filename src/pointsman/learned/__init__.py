"""The arithmetic of what training learned, shared by training and serving so that they cannot drift apart.

numpy only; reads no files. `Skill` gives, for prompts, P(each model's answer is good) and what each pair gains.
"""

from .answer_skill import Ahead, AnswerSkill
from .ngrams import MAX_BYTES, N_BUCKETS, NGRAM_VERSION, ngram_buckets
from .plan import (
    Known,
    Plan,
    PlanKind,
    Prospects,
    State,
    Step,
    Walked,
    Weighed,
    served_place,
    state_columns,
    states_of,
    walk,
    walk_all,
)
from .precedents import LearnedAnswers, Precedents
from .question import QUESTION_NAMES, QUESTION_SHARES, QUESTION_VERSION, divided, question_shape, question_shapes
from .serving import Added, Serving
from .skill import Pair, Predicted, Skill
from .views import VIEW_NAMES, Likeness, Rarity, Standard, Views

__all__ = [
    "MAX_BYTES",
    "NGRAM_VERSION",
    "N_BUCKETS",
    "QUESTION_NAMES",
    "QUESTION_SHARES",
    "QUESTION_VERSION",
    "VIEW_NAMES",
    "Added",
    "Ahead",
    "AnswerSkill",
    "Known",
    "LearnedAnswers",
    "Likeness",
    "Pair",
    "Plan",
    "PlanKind",
    "Precedents",
    "Predicted",
    "Prospects",
    "Rarity",
    "Serving",
    "Skill",
    "Standard",
    "State",
    "Step",
    "Views",
    "Walked",
    "Weighed",
    "divided",
    "ngram_buckets",
    "question_shape",
    "question_shapes",
    "served_place",
    "state_columns",
    "states_of",
    "walk",
    "walk_all",
]
