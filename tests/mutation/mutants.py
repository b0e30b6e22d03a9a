"""Single-token mutants of a C++ header."""

import re
from dataclasses import dataclass

TOKEN = re.compile(
    r"""
    (?P<skip>0[bB][01']+|//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|^[ \t]*\#[^\n]*|\[\[.*?\]\])
  | (?P<number>0[xX][0-9a-fA-F']+(?:\.[0-9a-fA-F]*)?(?:[pP][+-]?\d+)?[a-zA-Z]*|\d[\d']*(?:\.\d*)?(?:[eE][+-]?\d+)?[a-zA-Z]*)
  | (?P<name>[A-Za-z_]\w*)
  | (?P<operator><=>|<<=|>>=|->|::|\+\+|--|<<|>>|<=|>=|==|!=|&&|\|\||\+=|-=|\*=|/=|\.\.\.|.)
    """,
    re.VERBOSE | re.MULTILINE | re.DOTALL,
)

OPERATORS = {
    "+": "-", "-": "+", "*": "/", "/": "*", "<": "<=", ">": ">=", "<=": "<", ">=": ">", "==": "!=", "!=": "==",
    "&&": "||", "||": "&&", "&": "|", "|": "&", "!": "", "+=": "-=", "-=": "+=", "*=": "/=", "<<": ">>", ">>": "<<",
    "++": "--", "--": "++",
}  # fmt: skip

NAMES = {
    "true": "false", "min": "max", "first": "last", "chosen": "rejected", "one": "zero", "softplus": "softplus_negated",
    "sigmoid": "sigmoid_negated", "value": "slope", "fma": "fms", "log": "log1p", "exp": "expm1", "d_chosen": "d_rejected",
    "ref_chosen": "ref_rejected", "chosen_length": "rejected_length", "plus": "minus", "low": "high", "begin": "end",
}  # fmt: skip
NAMES |= {new: old for old, new in NAMES.items()}
# What is left out, with the parentheses of its argument kept.
UNARY = {"abs", "sqrt"}

# Declarations: what is behind these up to the end of the statement is no number.
DECLARATIVE = {"template", "using", "static_assert", "concept", "requires", "namespace", "operator"}
# A hint to the processor, which changes no result.
HINTS = {"__builtin_prefetch"}
# What is before a requires-expression, in the body of which nothing is computed; before a clause is something else.
BEFORE_EXPRESSION = {"=", "&&", "||", "(", "!", ","}


@dataclass(frozen=True)
class Mutant:
    line: int
    column: int
    begin: int
    end: int
    old: str
    new: str
    text: str  # the line

    def key(self):
        """What stays the same when other lines move."""
        return f"{self.text} | {self.column}: {self.old} -> {self.new or 'nothing'}"


def changed_number(text):
    """Whole numbers become the next one; others are made larger by a hundredth."""
    is_hex = text.lower().startswith("0x")
    digits = text.rstrip("uUlL" if is_hex and "p" not in text.lower() else "uUlLfF")
    suffix = text[len(digits) :]
    plain = digits.replace("'", "")
    if re.fullmatch(r"\d+", plain):
        return str(int(plain) + 1) + suffix
    if re.fullmatch(r"0[xX][0-9a-fA-F]+", plain):
        return hex(int(plain, 16) + 1) + suffix
    value = float.fromhex(plain) if is_hex else float(plain)
    return repr(value * 1.01 if value else 0.01) + suffix


def mutants_of(source):
    found = []
    statement_is_declarative = False
    line_starts = [0]
    for match in re.finditer("\n", source):
        line_starts.append(match.end())
    lines = source.split("\n")
    line = 0
    last, before, requires_is_open, braces = "", "", False, 0
    for match in TOKEN.finditer(source):
        if not match.group().isspace():
            last, before = before, match.group()
        while line + 1 < len(line_starts) and line_starts[line + 1] <= match.start():
            line += 1
        kind, token = match.lastgroup, match.group()
        if kind == "skip" or token.isspace():
            continue
        requires_is_open = requires_is_open or (token == "requires" and last in BEFORE_EXPRESSION)
        if braces > 0 or (requires_is_open and token == "{"):
            braces += (token == "{") - (token == "}")
            requires_is_open = statement_is_declarative = False
            continue
        if token in (";", "{", "}"):
            requires_is_open = False
            statement_is_declarative = False
            continue
        if kind == "name" and token in DECLARATIVE | HINTS:
            statement_is_declarative = True
        if statement_is_declarative:
            # A template's function begins where its parameters end.
            if token == ">" and source[match.end() : match.end() + 1] == "\n":
                statement_is_declarative = False
            continue
        if kind == "number":
            new = changed_number(token)
        elif kind == "operator":
            # Brackets of templates, references and pointers stand close to a name, by the format of all files.
            is_apart = source[match.start() - 1] == source[match.end()] == " "
            new = OPERATORS.get(token) if is_apart or token not in ("<", ">", "&", "|", "*") else None
            # No texts are subtracted.
            if token in ("+", "+=") and (last.endswith(('"', "'")) or source[match.end() :].lstrip()[:1] in ('"', "'")):
                new = None
        else:
            new = "" if token in UNARY else NAMES.get(token)
        if new is None:
            continue
        column = match.start() - line_starts[line]
        found.append(Mutant(line + 1, column, match.start(), match.end(), token, new, lines[line].strip()))
    return found
