"""Text that tries to be more than a program: every piece is refused, with its place and the reason.

Each payload is the body of `attend` unless it begins with "def" or stands in WHOLE.
"""

import warnings

import pytest

from core.errors import ProgramError
from core.language import parse

# body -> part of a message
BODIES = {
    # dunder chains and introspection
    "return ().__class__.__bases__[0].__subclasses__()": "method",
    "return q.__class__": "`q.__class__` is not a token attribute",
    "return k.__dict__": "`k.__dict__` is not a token attribute",
    "return k.__init__.__globals__": "`k.__init__` is not a token attribute",
    "return 'a'.__class__": "is text and has no attributes",
    "return (1).__class__": "is a number and has no attributes",
    "return abs.__self__": "`abs` is a function",
    "return abs.__globals__['x']": "found `[...]`",
    "return attend.__code__": "`attend` is not defined",
    "return attend.__globals__": "`attend` is not defined",
    "return __builtins__": "`__builtins__` is not defined",
    "return __import__('os').system('id')": "methods do not exist",
    "return __name__ == 'x'": "`__name__` is not defined",
    "__class__ = 1\nreturn 1": "begins with two underscores",
    "__debug__ = 1\nreturn 1": "begins with two underscores",
    "return q._values": "`q._values` is not a token attribute",
    "return k.values": "`k.values` is not a token attribute",
    "return q.vector": "`q.vector` is not a token attribute",
    # names put together at run time
    "return getattr(q, '__cl' + 'ass__')": "`getattr` is not a function of the language",
    "return getattr(q, 'index')": "`getattr` is not a function of the language",
    "setattr(q, 'index', 1)\nreturn 1": "`setattr` is not a function of the language",
    "return vars(q)": "`vars` is not a function of the language",
    "return dir(q)": "`dir` is not a function of the language",
    "return type(q)": "`type` is not a function of the language",
    "return globals()": "`globals` is not a function of the language",
    "return locals()": "`locals` is not a function of the language",
    "return eval('1')": "`eval` is not a function of the language",
    "exec('import os')\nreturn 1": "`exec` is not a function of the language",
    "return compile('1', '', 'eval')": "`compile` is not a function of the language",
    "return open('/etc/passwd')": "`open` is not a function of the language",
    "return input()": "`input` is not a function of the language",
    "breakpoint()\nreturn 1": "`breakpoint` is not a function of the language",
    "return 'a' + 'b' == k.text": "`+` needs a number",
    # formatting
    "return '{0.__class__}'.format(q)": "methods do not exist",
    "return '{q.x}'.format_map({'q': q})": "methods do not exist",
    "return '%s' % q": "`%` needs a number",
    "return f'{q.__class__}' == ''": "f-string",
    "return f'{(lambda: 1)()}' == ''": "f-string",
    "return f'{q!r:{k}}' == ''": "f-string",
    "return rf'{q}' == ''": "f-string",
    "return k.text == 'a' f'{q}'": "f-string",
    "return k.text == b'a'": "found bytes",
    "return ''.join(['a'])": "methods do not exist",
    "return str(q)": "`str` is not a function of the language",
    # generators, coroutines, frames
    "return (x for x in [1]).gi_frame.f_back": "found a generator",
    "return (x for x in [1])": "found a generator",
    "yield 1": "found `yield`",
    "return (yield)": "found `yield`",
    "yield from q": "found `yield from`",
    "return await q": "found `await`",
    "async def f():\n    pass\nreturn 1": "found an async function",
    "async for x in q:\n    pass\nreturn 1": "found an `async for` loop",
    "async with q:\n    pass\nreturn 1": "found `async with`",
    "return q.gi_frame": "`q.gi_frame` is not a token attribute",
    "return attend.func_globals": "`attend` is not defined",
    # function attributes and calls of values
    "attend.x = 1\nreturn 1": "assign one local name per line",
    "abs.x = 1\nreturn 1": "assign one local name per line",
    "return abs(abs)": "`abs` is a function",
    "return (abs)(1)(2)": "only functions can be called, by their names",
    "return (abs if True else exp)(1)": "only functions can be called, by their names",
    "return attend(q, k)": "`attend` is not a function of the language",
    "return q(k)": "`q` is not a function of the language",
    "weight = 1\nreturn weight(1)": "`weight` is not a function of the language",
    "return k.text()": "methods do not exist",
    "return [abs][0](1)": "only functions can be called, by their names",
    # lambdas, nested functions, classes
    "return (lambda: 1)()": "only functions can be called, by their names",
    "weight = lambda: 1\nreturn weight": "found a lambda",
    "return (lambda x=q: x)": "found a lambda",
    "def f():\n    return 1\nreturn 1": "found a function",
    "class A:\n    pass\nreturn 1": "found a class",
    "class A(metaclass=abs):\n    x = 1\nreturn 1": "found a class",
    "@abs\nclass A:\n    pass\nreturn 1": "found a class",
    # rebinding
    "return (weight := 1)": "found `:=`",
    "return [q := k for k in [1]]": "found a comprehension",
    "return [k for k in [1]] == 1": "found a comprehension",
    "return {x for x in [1]} == 1": "found a comprehension",
    "return {x: 1 for x in [1]} == 1": "found a comprehension",
    "q = k\nreturn 1": "`q` is a token of the pair and cannot be assigned",
    "k = 1\nreturn 1": "`k` is a token of the pair and cannot be assigned",
    "k += 1\nreturn 1": "`k` is a token of the pair and cannot be assigned",
    "abs = 1\nreturn 1": "`abs` is a function and cannot be assigned",
    "last = q\nreturn 1": "`last` is a function and cannot be assigned",
    "attend = 1\nreturn 1": "`attend` is a function and cannot be assigned",
    "q.index = 1\nreturn 1": "assign one local name per line",
    "k.head.index += 1\nreturn 1": "assign one local name per line",
    "a = b = 1\nreturn 1": "assign one local name per line",
    "a, b = 1, 2\nreturn 1": "assign one local name per line",
    "[a, *b] = 1\nreturn 1": "assign one local name per line",
    "a: float = 1\nreturn a": "found an annotated assignment",
    "a: __import__('os') = 1\nreturn 1": "found an annotated assignment",
    "del q\nreturn 1": "found `del`",
    "global q\nreturn 1": "found `global`",
    "nonlocal q\nreturn 1": "found `nonlocal`",
    # modules
    "import os\nreturn 1": "found an import",
    "from os import system\nreturn 1": "found an import",
    "from os import *\nreturn 1": "found an import",
    "return os.system('id')": "methods do not exist",
    "return sys.modules": "`sys` is not defined",
    "return math.pi": "`math` is not defined",
    "return torch.load('x')": "methods do not exist",
    "return np.fromfile('x')": "methods do not exist",
    # attributes that reach files, callbacks or memory on arrays
    "return q.index.tofile('x')": "methods do not exist",
    "return q.index.data_ptr()": "methods do not exist",
    "return q.index.apply_(abs)": "methods do not exist",
    "return q.index.register_hook": "is a number and has no attributes",
    "return q.index.ctypes": "is a number and has no attributes",
    "return q.index.base": "is a number and has no attributes",
    "return q.index.T": "is a number and has no attributes",
    "return k.text.encode": "is text and has no attributes",
    "return q.tofile": "`q.tofile` is not a token attribute",
    # statements that are not there
    "for x in q:\n    pass\nreturn 1": "found a `for` loop",
    "while True:\n    pass\nreturn 1": "found a `while` loop",
    "with q as x:\n    pass\nreturn 1": "found `with`",
    "try:\n    pass\nexcept:\n    pass\nreturn 1": "found `try`",
    "try:\n    pass\nexcept* Exception:\n    pass\nreturn 1": "found",
    "raise q\nreturn 1": "found `raise`",
    "assert q\nreturn 1": "found `assert`",
    "match q:\n    case _:\n        pass\nreturn 1": "found `match`",
    "abs(1)\nreturn 1": "does nothing",
    "q\nreturn 1": "does nothing",
    "...\nreturn 1": "does nothing",
    # look-alikes: Python reads these names as ASCII ones
    "return ｑ.index": "is not plain ASCII",
    "return q.ｉndex": "is not plain ASCII",
    "return 𝐚𝐛𝐬(1)": "is not plain ASCII",
    "return __𝘪mport__('os')": "is not plain ASCII",
    "return q.__𝒸lass__": "is not plain ASCII",
    "ﬁrst = 1\nreturn 1": "is not plain ASCII",
    "аbs = 1\nreturn 1": "is not plain ASCII",
    "return 1 if q.ınde else 2": "is not plain ASCII",
    "return１": "is not plain ASCII",
    "return\u00a01": "is not plain ASCII",
    "return 1\u200b": "not shown (U+200B)",
    "return q\u202e.index": "not shown (U+202E)",
    # too much work
    "return 9**9**9": "too large; numbers go up to 1e6",
    "return 9**9**9**9**9": "too large; numbers go up to 1e6",
    "return -(10 ** 7)": "too large; numbers go up to 1e6",
    "return k.index * (1000 * 1001)": "too large; numbers go up to 1e6",
    "return 1e999": "too large; numbers go up to 1e6",
    "return 1_000_001": "too large; numbers go up to 1e6",
    "return " + "9" * 25: "too large; numbers go up to 1e6",
    "return " + "9" * 5000: "has 5000 characters; write it shorter",
    "return 0." + "1" * 4000: "has 4002 characters; write it shorter",
    "return 1e" + "9" * 100: "has 102 characters; write it shorter",
    "return 0x" + "f" * 5000: "has 5002 characters; write it shorter",
    "return 0xff": "is not a decimal number",
    "return 0b1": "is not a decimal number",
    "return 0o7": "is not a decimal number",
    "return 1j": "is a complex number",
    "return 1 << (1 << 33)": "found `<<`",
    "return 1 >> 1": "found `>>`",
    "return 1 | 2": "found `|`",
    "return 1 ^ 2": "found `^`",
    "return ~1": "found `~`",
    "return q @ k": "found `@`",
    "return 'a' * 1000000 == ''": "`*` needs a number",
    "return [0] * 1000000 == ''": "found a list",
    "return (0,) * 1000000 == ''": "found a tuple",
    "weight = 'a'\nweight *= 9\nreturn 1": "needs a number",
    "weight = [1]\nreturn 1": "found a list",
    "weight = {1}\nreturn 1": "found a set",
    "weight = {1: 2}\nreturn 1": "found a dictionary",
    "return range(10)": "there are no loops",
    # nesting of every kind
    "return " + "(" * 100 + "1" + ")" * 100: "nested deeper than 40",
    "return " + "(" * 3000 + "1" + ")" * 3000: "nested deeper than 40",
    "return " + "[" * 100 + "]" * 100: "nested deeper than 40",
    "return " + "{" * 100 + "}" * 100: "nested deeper than 40",
    "return " + "abs(" * 60 + "1" + ")" * 60: "nested deeper than 40",
    "return " + "-" * 300 + "1": "nested deeper than 40",
    "return " + "-" * 7000 + "1": "too long",
    "return " + "not " * 300 + "True": "nested deeper than 40",
    "return " + "1 if True else " * 60 + "1": "nested deeper than 40",
    "return " + "k" + ".prev" * 60 + ".index": "nested deeper than 40",
    "return " + "1 ** " * 60 + "1": "nested deeper than 40",
    "return " + "lambda: " * 800 + "1": "found a lambda",
    "return " + "q[" * 50 + "1" + "]" * 50: "nested deeper than 40",
    "".join(" " * n + "if True:\n" for n in range(60)) + " " * 60 + "return 1": "nested deeper than 40",
    # argument tricks
    "return abs(*[1])": "found `*`",
    "return max(*q, *k)": "found `*`",
    "return abs(**{'x': 1})": "takes 1 argument, found 0",
    "return count(q, **{'pos': 'X'})": "found `**`",
    "return last(q, __class__=1) == k": "`__class__` is not a token attribute",
    "return last(q, pos='A', pos='B') == k": "names an attribute twice",
    "return q[0]": "found `[...]`",
    "return q[0:1]": "found `[...]`",
    "return q[...]": "found `[...]`",
    "return k.text[::-1] == ''": "found `[...]`",
    "return k.index in q": "after `in`; write literals",
    "return k.index in {*[1]}": "write only literals",
    "return k.index in {abs(1)}": "write only literals",
    "return k.text in [k.text]": "write only literals",
    "return k.text in ('a', b'b')": "found bytes",
    "return k.index in ()": "after `in`; write literals",
    # text
    "return k.text == '\\ud800'": "lone surrogate",
    "return k.text == '\\d'": "is not an escape",
    "return k.text == '\\400'": "is not an escape",
    "return 1if True else 2": "touches a number",
    "return 'a": "Python cannot read this",
    "return '''a": "ends inside a string",
    "return (1": "ends inside a bracket",
    "return 1)": "closes nothing",
    "return (1]": "Python cannot read this",
    "return $": "Python cannot read this",
    "return 1 \\": "",
}

BODY = "    return 1\n"
WHOLE = {
    "": "there is no `attend`",
    "# nothing": "there is no `attend`",
    "1": "found code outside `attend`",
    "import os": "found an import",
    "def attend(q, k): return 1\nimport os": "found an import",
    "def attend(q, k): return 1\nattend.x = 1": "found code outside `attend`",
    "def attend(q, k): return 1\nprint(1)": "found code outside `attend`",
    "def attend(q, k): return 1\ndef attend(q, k): return 2": "exactly one",
    "def attend(q, k): return 1\ndef other(q, k): return 2": "exactly one",
    "def other(q, k): return 1": "exactly one",
    "class attend: pass": "found a class",
    "attend = lambda q, k: 1": "found code outside `attend`",
    "async def attend(q, k):\n" + BODY: "found an async function",
    "@abs\ndef attend(q, k):\n" + BODY: "found a decorator",
    "@(lambda f: f)\ndef attend(q, k):\n" + BODY: "found a decorator",
    "def attend(q, k=1):\n" + BODY: "found a default",
    "def attend(q, k=__import__('os')):\n" + BODY: "found a default",
    "def attend(q, *, k=[].append(1)):\n" + BODY: "found a default",
    "def attend(q: int, k):\n" + BODY: "found an annotation",
    "def attend(q, k) -> __import__('os'):\n" + BODY: "found a return annotation",
    "def attend(*q, **k):\n" + BODY: "takes exactly the two tokens",
    "def attend(q, k, /):\n" + BODY: "takes exactly the two tokens",
    "def attend(q, *, k):\n" + BODY: "takes exactly the two tokens",
    "def attend(k, q):\n" + BODY: "takes exactly the two tokens",
    "def attend(q, k, x):\n" + BODY: "takes exactly the two tokens",
    "def attend():\n" + BODY: "takes exactly the two tokens",
    "def attend[T](q, k):\n" + BODY: "",
    "def аttend(q, k):\n" + BODY: "is not plain ASCII",
    "def attend(q, k):\n    'é' 'only a docstring'": "add `return 0.0`",
    "def attend(q, k):": "Python cannot read this",
    "def attend(q, k):\nreturn 1": "Python cannot read this",
    " def attend(q, k):\n" + BODY: "Python cannot read this",
    "def attend(q, k):\n    return 1\n  return 2": "indent a block",
    "\0def attend(q, k):\n" + BODY: "found a NUL character",
    "def attend(q, k):\n    return 1\0": "found a NUL character",
    "\ufeffdef attend(q, k):\n" + BODY: "found a byte order mark",
    "def attend(q, k):\n    return '\ud800' == k.text": "found a lone surrogate (U+D800)",
    "# \udfff\ndef attend(q, k):\n" + BODY: "found a lone surrogate (U+DFFF)",
    "# coding: utf-7\ndef attend(q, k):\n" + BODY: "found a coding cookie",
    "\n# vim: set fileencoding=latin-1 :\ndef attend(q, k):\n" + BODY: "found a coding cookie",
    "\fdef attend(q, k):\n" + BODY: "found a form feed",
    "def attend(q, k):\n    return 1\x1b[2J": "found a control character (U+001B)",
    "def attend(q, k):\n    return 1\x7f": "found a control character (U+007F)",
    "def attend(q, k):\n    return 1 + \x0b 1": "found a control character (U+000B)",
    "def attend(q, k):\n    return 1 # \u202e0 nruter": "in a text write `\\u202e`",
    "def attend(q, k):\n    '\u2066two\u2069 words'\n    return 1": "not shown (U+2066)",
    "def attend(q, k):\n    return k.lower == 'a\u200bb'": "not shown (U+200B)",
    "def attend(q, k):\n    return k.lower == 'a\u00adb'": "not shown (U+00AD)",
    "def attend(q, k):\n    return k.lower == 'a\ufe0f'": "not shown (U+FE0F)",
    "def attend(q, k):\n    return k.lower == '\u3164'": "not shown (U+3164)",
    "def attend(q, k):\n    return 1 # \U000e0041\U000e0042": "in a text write `\\U000e0041`",
    "def attend(q, k):\n    return 1 # \u2028    return 2": "not shown (U+2028)",
    "def attend(q, k):\n    return 1 # \x85    return 2": "not shown (U+0085)",
    "def attend(q, k):\n" + BODY + "#" * 9000: "a program has at most 8192",
    "def attend(q, k):\n    return " + "+".join(["1"] * 50_000): "a program has at most 8192",
    "def attend(q, k):\n    return " + "+".join(["1"] * 3900): "too long",
    "def attend(q, k):\n    return " + " + ".join(["k.index"] * 300): "more than 600 nodes",
    "(" * 8000: "nested deeper than 40",
    "[" * 4000 + "]" * 4000: "nested deeper than 40",
}


def attend(body: str) -> str:
    """The source of a program with this body."""
    return "def attend(q, k):\n" + "".join(f"    {line}\n" for line in body.split("\n"))


PAYLOADS = {attend(body): reason for body, reason in BODIES.items()} | WHOLE


def title(source: str) -> str:
    """The part of a payload that fits in a test's name."""
    return source.removeprefix("def attend(q, k):\n").strip()[:40].encode("ascii", "replace").decode()


@pytest.mark.parametrize(("source", "reason"), PAYLOADS.items(), ids=[title(source) for source in PAYLOADS])
def test_is_refused_with_place_and_reason(source: str, reason: str) -> None:
    with pytest.raises(ProgramError) as caught:
        parse(source)
    assert any(reason in problem.message for problem in caught.value.problems), str(caught.value)
    for problem in caught.value.problems:
        assert 1 <= problem.line <= source.count("\n") + 1
        assert problem.column >= 1
        assert str(problem).startswith(f"line {problem.line}, column {problem.column}: ")


def test_every_payload_is_its_own() -> None:
    assert len(PAYLOADS) == len(BODIES) + len(WHOLE)


@pytest.mark.parametrize("body", ["return 1 if k.text == '\\d' else 0", "return 1if True else 2"])
def test_python_warnings_become_problems_whatever_the_filters(body: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(ProgramError):
            parse(attend(body))


def test_coding_cookie_below_the_second_line_is_a_comment() -> None:
    parse(attend("# coding: utf-7\nreturn 1").replace("def", "# one\n# two\ndef"))


def test_text_and_comments_may_hold_any_character_that_is_shown() -> None:
    parse(attend('return k.text == "ｑ😀é\\u202e"  # 好'))
