"""The list of hand-crafted features: name, range, meaning, and the words that explain a decision.

The order is the order of the columns of `handcrafted.extract`. A router artifact names the version it was trained
with and is refused under another, so every change of the list, of a cue or of a computation raises
`FEATURE_VERSION`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

FEATURE_VERSION: Final = 2

MAX_LOG: Final = 20.0
"""Logarithms are cut here: 485 million characters."""
MAX_COUNT_LOG: Final = 11.1
"""ln(1 + 65,535), the most that a cue's 16 bits can count."""


@dataclass(frozen=True, slots=True)
class Feature:
    """One column of the features."""

    name: str
    meaning: str
    """One line for the documentation."""
    phrase: str
    """What a prompt is or does when the value is above the usual, such as "asks for a proof"."""
    absent: str
    """The same when it is below, such as "asks for no proof"."""
    low: float = 0.0
    high: float = 1.0
    unit: str = "share"
    """"share", "flag", "bits", "letters", "digits", or "ln(1 + n)" of what the meaning counts."""
    group: str = ""

    def words(self, value: float, usual: float) -> str:
        """`phrase` when the value is above the usual one, else `absent`."""
        return self.phrase if value > usual else self.absent


def _group(group: str, *features: Feature) -> tuple[Feature, ...]:
    return tuple(
        Feature(f.name, f.meaning, f.phrase, f.absent, low=f.low, high=f.high, unit=f.unit, group=group)
        for f in features
    )


def _share(name: str, meaning: str, phrase: str, absent: str) -> Feature:
    return Feature(name, meaning, phrase, absent)


def _flag(name: str, meaning: str, phrase: str, absent: str) -> Feature:
    return Feature(name, meaning, phrase, absent, unit="flag")


def _log(name: str, meaning: str, phrase: str, absent: str, high: float = MAX_LOG) -> Feature:
    return Feature(name, meaning, phrase, absent, high=high, unit="ln(1 + n)")


def _cue(name: str, meaning: str, phrase: str, absent: str) -> Feature:
    return _log(name, meaning, phrase, absent, MAX_COUNT_LOG)


LENGTH: Final = _group(
    "Length",
    _log("chars", "characters of the whole text", "is long", "is short"),
    _log("tokens", "estimated tokens of the whole text", "has many tokens", "has few tokens"),
    _log("words", "words read", "has many words", "has few words"),
    _log("sentences", "sentence ends and line ends read", "has many sentences", "has few sentences"),
    _log("lines", "lines read", "has many lines", "has few lines"),
    Feature(
        "word_length", "mean letters per word, cut at 20", "uses long words", "uses short words",
        high=20.0, unit="letters",
    ),
    _log("sentence_words", "mean words per sentence", "has long sentences", "has short sentences"),
    _log("line_chars", "mean characters per line", "has long lines", "has short lines"),
)  # fmt: skip

STRUCTURE: Final = _group(
    "Structure",
    _cue("bullets", "lines that begin with a bullet", "has a bulleted list", "has no bulleted list"),
    _cue("numbered", "lines that begin with a number", "has a numbered list", "has no numbered list"),
    _cue("choices", "lines or brackets that open an answer option (A., B), (c))", "offers answer options",
         "offers no answer options"),
    _cue("headings", "lines that begin as a heading", "has headings", "has no headings"),
    _cue("quoted_lines", "lines that begin with >", "quotes lines", "quotes no lines"),
    _cue("table_lines", "lines that begin as a table row", "has a table", "has no table"),
    _cue("paragraphs", "blank lines", "has many paragraphs", "is one paragraph"),
    _cue("quotation_marks", "straight and curly double quotes", "quotes text", "quotes no text"),
    _cue("links", "URLs", "has links", "has no links"),
    _cue("placeholders", "template markers: {{…}}, <<…>>, [your …], ___", "has placeholders", "has no placeholders"),
    _cue("json_pairs", "keys of JSON objects", "holds JSON", "holds no JSON"),
    _share("commas", "commas, colons and semicolons per word, cut at 1", "has many clauses", "has few clauses"),
)  # fmt: skip

QUESTION: Final = _group(
    "Question form",
    _cue("question_marks", "question marks of any script", "asks several questions", "asks few questions"),
    _cue("exclamations", "exclamation marks", "exclaims", "does not exclaim"),
    _flag("opens_with_wh", "begins with a word of the section `wh_words`",
          "opens with a question word", "does not open with a question word"),
    _flag("opens_yes_no", "begins with a word of `auxiliaries` and is no request", "opens as a yes-or-no question",
          "does not open as a yes-or-no question"),
    _flag("opens_imperative", "begins with a word of `imperatives`, polite words aside", "opens with an instruction",
          "does not open with an instruction"),
    _flag("ends_with_question", "ends with a question mark", "ends with a question", "does not end with a question"),
    _flag("ends_with_colon", "ends with a colon", "ends with a colon, to be completed", "does not end with a colon"),
    _log("asked_words", "number before “words”, when a length is asked for, at most 100,000", "asks for many words",
         "asks for no number of words", 11.6),
)  # fmt: skip

CHARACTERS: Final = _group(
    "Characters, code and formulas",
    _share("upper_share", "capitals among ASCII letters", "has many capitals", "has few capitals"),
    _share("digit_share", "digits among characters", "has many digits", "has few digits"),
    _share("space_share", "ASCII white space among characters", "has much white space", "has little white space"),
    _share("punctuation_share", "ASCII punctuation among characters", "has much punctuation",
           "has little punctuation"),
    _share("code_share", "brackets, semicolons, underscores and the like among characters", "reads like code",
           "does not read like code"),
    _share("operator_share", "+ - * / = ^ < > among characters", "has many operators", "has few operators"),
    Feature("entropy_bits", "entropy of the text's UTF-8 bytes", "has varied characters",
            "has repetitive characters", high=8.0, unit="bits"),
    _cue("numbers", "words of digits only", "has many numbers", "has few numbers"),
    Feature("longest_number", "digits of the longest number, cut at 20", "has a long number", "has no long number",
            high=20.0, unit="digits"),
    _cue("equals_signs", "equals signs", "has equations", "has no equations"),
    _cue("backslashes", "backslashes, as LaTeX has them", "has LaTeX", "has no LaTeX"),
    _cue("dollars", "dollar signs", "has dollar signs", "has no dollar signs"),
    _cue("percents", "percent signs", "has percentages", "has no percentages"),
    _cue("maths_signs", "Unicode mathematical operators (U+2200 to U+227F)", "has mathematical signs",
         "has no mathematical signs"),
    _cue("code_fences", "``` marks", "has code blocks", "has no code blocks"),
    _cue("calls", "calls and statement ends: () and ;⏎", "has code statements", "has no code statements"),
    _cue("underscores", "underscores", "has identifiers", "has no identifiers"),
    _share("indented_share", "lines that begin with two spaces or a tab", "has indented lines",
           "has no indented lines"),
    _cue("control_characters", "control characters other than white space", "has control characters",
         "has no control characters"),
)  # fmt: skip

SCRIPT: Final = _group(
    "Script",
    _share("non_ascii_share", "characters beyond ASCII", "is far from plain English script",
           "is in plain English script"),
    _share("accented_share", "accented Latin letters", "has accented letters", "has no accented letters"),
    _share("greek_share", "Greek letters", "has Greek letters", "has no Greek letters"),
    _share("cyrillic_share", "Cyrillic letters", "is in Cyrillic", "is not in Cyrillic"),
    _share("arabic_share", "Arabic letters", "is in Arabic script", "is not in Arabic script"),
    _share("cjk_share", "Chinese, Japanese and Korean characters", "is in Chinese, Japanese or Korean",
           "is not in Chinese, Japanese or Korean"),
    _share("emoji_share", "emoji and other characters beyond U+FFFF", "has emoji", "has no emoji"),
)  # fmt: skip

CUE: Final = _group(
    "Cue words, counted by the sections of `cues.txt`",
    _cue("wh_words", "question words", "asks with question words", "has few question words"),
    _cue("why_how", "why, how, reasons", "asks why or how", "does not ask why or how"),
    _cue("summarise", "words for summarising", "asks for a summary", "asks for no summary"),
    _cue("translate", "words for translating", "asks for a translation", "asks for no translation"),
    _cue("classify", "words for classifying", "asks for a classification", "asks for no classification"),
    _cue("extract", "words for extracting", "asks for an extraction", "asks for no extraction"),
    _cue("rewrite", "words for rewriting", "asks for rewriting", "asks for no rewriting"),
    _cue("compose", "words for writing something new", "asks to write something", "asks to write nothing new"),
    _cue("enumerate", "words for listing", "asks for a list", "asks for no list"),
    _cue("define", "words for describing and defining", "asks for a description", "asks for no description"),
    _cue("compute", "words for calculating", "asks for a calculation", "asks for no calculation"),
    _cue("build_code", "words for programming", "asks for code", "asks for no code"),
    _cue("prove", "words for proving and deriving", "asks for a proof", "asks for no proof"),
    _cue("stepwise", "steps, logic, puzzles", "asks for steps of reasoning", "asks for no steps of reasoning"),
    _cue("compare", "words for comparing and weighing", "asks for a comparison", "asks for no comparison"),
    _cue("optimise", "superlatives and words for optimising", "asks for the best or most", "has few superlatives"),
    _cue("conditionals", "if, then, because, suppose", "has conditions", "has few conditions"),
    _cue("plan", "words for planning and designing", "asks for a plan or design", "asks for no plan or design"),
    _cue("word_problem", "words of arithmetic stories", "reads like a word problem",
         "does not read like a word problem"),
    _cue("law", "words of law", "is about law", "is not about law"),
    _cue("medicine", "words of medicine", "is about medicine", "is not about medicine"),
    _cue("finance", "words of economics and business", "is about finance", "is not about finance"),
    _cue("physics", "words of physics and engineering", "is about physics", "is not about physics"),
    _cue("chemistry", "words of chemistry", "is about chemistry", "is not about chemistry"),
    _cue("biology", "words of biology", "is about biology", "is not about biology"),
    _cue("history_politics", "words of history and politics", "is about history or politics",
         "is not about history or politics"),
    _cue("humanities", "words of philosophy, religion, psychology and the arts", "is about the humanities",
         "is not about the humanities"),
    _cue("computing", "words of computing", "is about computing", "is not about computing"),
    _cue("maths_words", "words of mathematics", "is about mathematics", "is not about mathematics"),
    _cue("units", "units of measure", "has units of measure", "has no units of measure"),
    _cue("latex", "LaTeX commands", "has formulas", "has no formulas"),
    _cue("code_keywords", "keywords of programming languages", "has program text", "has no program text"),
    _cue("error_reports", "words of stack traces and errors", "reports an error", "reports no error"),
    _cue("constraints", "exactly, at most, at least, must, without", "sets many constraints",
         "sets few constraints"),
    _cue("negations", "words that negate", "has negations", "has few negations"),
    _cue("output_format", "words for the form of the answer", "demands a form of answer",
         "demands no form of answer"),
    _cue("brevity", "words for short answers", "asks to be brief", "does not ask to be brief"),
    _cue("depth", "words for long answers", "asks for detail", "does not ask for detail"),
    _cue("statements", "words of multiple-choice questions", "reads like a multiple-choice question",
         "does not read like a multiple-choice question"),
    _cue("examples", "words that announce examples or test cases", "gives examples", "gives no examples"),
    _cue("persona", "words that assign a role", "assigns a role", "assigns no role"),
    _cue("number_words", "numbers in words", "has numbers in words", "has few numbers in words"),
    _cue("pronouns", "words that point elsewhere (it, that, they)", "points elsewhere", "stands by itself"),
    _cue("acknowledgements", "yes, ok, continue, thanks", "acknowledges or continues",
         "neither acknowledges nor continues"),
    _cue("politeness", "please, hello, could you", "is polite", "is terse"),
    _cue("first_person", "I, my, we", "speaks in the first person", "does not speak in the first person"),
    _share("single_letters", "words of one letter, a, i, o, s and y aside", "has many variables", "has few variables"),
    _share("english_words", "English function words", "reads like English", "does not read like English"),
    _share("other_latin_words", "function words of other languages in Latin script",
           "reads like another language than English", "does not read like another language"),
    _cue("imperatives", "verbs of command", "gives many instructions", "gives few instructions"),
    _cue("auxiliaries", "is, does, can and the like", "has many auxiliaries", "has few auxiliaries"),
)  # fmt: skip

VOCABULARY: Final = _group(
    "Vocabulary",
    _share("common_share", "words among the 1,000 commonest of English", "uses everyday words",
           "uses few everyday words"),
    _share("usual_share", "words ranked 1,001 to 4,000", "uses usual words", "uses few usual words"),
    _share("uncommon_share", "words ranked 4,001 to 12,000", "uses uncommon words", "uses few uncommon words"),
    _share("rare_share", "words beyond, numbers and single letters aside", "uses rare words", "uses no rare words"),
    _share("lexical_diversity", "ln(distinct words) / ln(words)", "hardly repeats words", "repeats words"),
)  # fmt: skip

CONVERSATION: Final = _group(
    "Conversation and request",
    _log("user_turns", "turns of the user", "comes late in a conversation", "comes early in a conversation"),
    _log("history_chars", "characters of all turns but the last user turn and the system's",
         "follows a long conversation", "follows no long conversation"),
    _log("system_chars", "characters of the system prompt", "has a long system prompt", "has no long system prompt"),
    _share("follow_up", "share of acknowledgements and pronouns in a short later turn, else 0",
           "leans on the turn before it", "does not lean on the turn before it"),
    _log("tools_offered", "tools offered", "offers tools", "offers no tools"),
    _flag("tools_in_use", "a tool has been called", "is within a tool loop", "is not within a tool loop"),
    _flag("forces_tool", "a tool call is demanded", "demands a tool call", "demands no tool call"),
    _log("images", "images and files", "has images", "has no images"),
    _flag("json_output", "JSON is demanded as output", "demands JSON", "does not demand JSON"),
    _flag("json_schema", "a JSON Schema is demanded", "demands a JSON Schema", "demands no JSON Schema"),
    _log("max_output_tokens", "output tokens allowed, 0 when not given", "allows a long answer",
         "sets no high limit for the answer"),
)  # fmt: skip

FEATURES: Final[tuple[Feature, ...]] = (
    *LENGTH, *STRUCTURE, *QUESTION, *CHARACTERS, *SCRIPT, *CUE, *VOCABULARY, *CONVERSATION,
)  # fmt: skip
"""Every feature, in the order of the columns."""
