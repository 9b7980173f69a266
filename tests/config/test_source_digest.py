"""The digest of a file's source: the same under every Python, and another for whatever Python does otherwise."""

import ast
import shutil
import subprocess
from pathlib import Path

import pytest

from sentiment_rnn.config import PACKAGE, source_digest

OTHER_PYTHONS = [found for number in range(10, 15) if (found := shutil.which(f"python3.{number}", path="/usr/bin"))]
STRINGS = """
a = f"{x}" "" "c" f"{y:>{w}.2f}" 'q' f"" f"{x = }" rf"\\d{x!r:^10}{{}}" f"{x:}" "\u1c89" f"{a}{b}" "" f"a" "b"
"""


@pytest.mark.parametrize("python", OTHER_PYTHONS)
def test_the_digest_of_a_file_is_the_same_under_another_python(python: str, tmp_path: Path) -> None:
    (tmp_path / "strings.py").write_text(STRINGS)
    files = [tmp_path / "strings.py", *sorted(PACKAGE.rglob("*.py"))]
    program = (
        "import ast, runpy, sys\n"
        "digest = runpy.run_path(sys.argv[1])['source_digest']\n"
        "for name in sys.argv[2:]: print(digest(ast.parse(open(name, 'rb').read())))\n"
    )
    command = [python, "-c", program, source_digest.__file__, *map(str, files)]
    theirs = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert theirs == [source_digest.source_digest(ast.parse(path.read_bytes())) for path in files]


def test_the_text_of_an_f_string_counts_the_same_in_several_pieces() -> None:
    text, x = ast.Constant, ast.FormattedValue(ast.Name("x", ast.Load()), -1)
    whole, pieces = [text("ab"), x, text("c")], [text("a"), text("b"), x, text("c"), text("")]
    digests = {source_digest.source_digest(ast.JoinedStr(parts)) for parts in (whole, pieces)}
    assert len(digests) == 1
    assert source_digest.source_digest(ast.JoinedStr([text("a"), x, text("bc")])) not in digests


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("x = 1", "x = 2"), ("x = 1", "x = True"), ("x = 1", "x = '1'"), ("x = 1", "x = 1.0"), ("x = [y]", "x = (y,)"),
        ("f(a, b)", "f(b, a)"), ("f(a=b)", "f(b=a)"), ("x = None", "x = ()"), ("if a: b", "if a: c"),
        ("if a: b\nelse: c", "if a: b\nc"), ("x: int", "x: str"), ("f'{x}'", "f'{x!r}'"), ("f'a{x}'", "f'{x}a'"),
        ("{**a, b: c}", "{b: c, **a}"), ("a.b", "b.a"), ("-1", "1"), ("a = b = c", "a = c = b"), ("a or b", "a and b"),
        ("def f(a, *, b): 1", "def f(a, b): 1"), ("def f(a=1): 1", "def f(a): 1"), ("'a\\n'", "x = 'a'"),
        ("for a in b: c", "async def f():\n async for a in b: c"), ("global a", "nonlocal a"), ("x = b'a'", "x = 'a'"),
    ],
)  # fmt: skip
def test_whatever_python_does_otherwise_has_another_digest(one: str, other: str) -> None:
    assert source_digest.source_digest(ast.parse(one)) != source_digest.source_digest(ast.parse(other))
