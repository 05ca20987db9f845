"""Any text at all gives a table or one of the announced errors, and never anything else."""

from __future__ import annotations

import pickle

from hypothesis import example, given, settings
from hypothesis import strategies as st

from trustsem.errors import ModelError, ModelSyntaxError, NotAvailableError
from trustsem.spec import ParameterTable, build_table, defaults_for
from trustsem.spec.export import to_dagitty, to_lavaan, to_mplus, to_openmx

VALID = (
    "f =~ x1 + a*x2 + NA*x3\ng =~ start(0.5)*y1 + y2 + y3 # indicators\ng ~ b*f + 0.5*z\nx1 ~~ y1\nab := a*b\na == b^2; a > -1",
    "group: 1\ny ~ a*x + 1\ngroup: 2\ny ~ c*x + 1\n",
    'y1 + y2 ~ c(a, b)*x + lower(0)*z + upper(1)*z ! note\ny1 ~~ label("r")*y2\nd := exp(a) - log(1 + b**2)/2',
    "h =~ 0\nh ~ f + 1\nf =~ equal('f=~x2')*x1 + x2\nx ~ 0.5?w",
    "efa('b')*f1 =~ x\ny | t1\nlevel: 1\ny ~ x:z\nrv('s')*x",
)
PIECES = ["f", "x1", "ü.n_1", "名", "=~", "~", "~~", "<~", ":=", "==", "<", ">", "|", "~*~", "|~", ":~", "+", "-", "*", "/", "^", "**", "(", ")", ","]
PIECES += [
    "c(",
    "start(",
    "equal(",
    "'f=~x1'",
    '"q"',
    "'",
    '"',
    "NA",
    "Inf",
    "NULL",
    "0",
    "1",
    "2.5e-3",
    "1e999",
    ".5",
    ".",
    ":",
    "?",
    "group:",
    "level:",
    "level: 2",
    ";",
]
PIECES += [
    "\n",
    " ",
    "\t",
    "#",
    "!",
    "\\",
    "\x00",
    "\u2028",
    "\U0001f600",
    "efa('b')*",
    "exp(",
    "log(0)",
    "0*",
    "a*",
    "c(1,NA)*",
    "f=~f",
    "y~1",
    "=",
    "<=",
    "%",
    "{",
]


def outcome(text: str, n_groups: int = 1) -> ParameterTable | None:
    """Build a table; whatever is raised must be announced and must print and pickle."""
    refusal: ModelError | NotAvailableError
    try:
        return build_table(text, defaults_for("sem"), n_groups=n_groups)
    except (ModelError, NotAvailableError) as error:
        refusal = error
    message = str(refusal)
    assert message
    assert str(pickle.loads(pickle.dumps(refusal))) == message
    if isinstance(refusal, ModelSyntaxError):
        assert 0 <= refusal.position <= len(text)
        assert refusal.line >= 1
        assert refusal.column >= 1
    return None


@given(st.text())
@settings(max_examples=300, deadline=None)
def test_random_unicode(text: str) -> None:
    outcome(text)


@given(st.lists(st.sampled_from(PIECES), max_size=25).map("".join), st.integers(1, 3))
@settings(max_examples=600, deadline=None)
@example("(" * 5000, 1)
@example("d := " + "(" * 5000 + "a" + ")" * 5000, 1)
@example("d := " + "-" * 5000 + "a", 1)
@example("y ~ a*x\nd := " + "+".join(["a"] * 5000), 1)
@example("y ~ " + "(" * 300 + "1" + ")" * 300 + "*x", 1)
def test_random_tokens(text: str, n_groups: int) -> None:
    outcome(text, n_groups)


@given(st.sampled_from(VALID), st.data())
@settings(max_examples=600, deadline=None)
def test_mutated_and_truncated_models(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 6)))
    piece = data.draw(st.sampled_from([*PIECES, ""]))
    mutated = text[:start] + piece + text[end:]
    if data.draw(st.booleans()):
        mutated = mutated[: data.draw(st.integers(0, len(mutated)))]
    table = outcome(mutated, data.draw(st.integers(1, 2)))
    if table is not None:
        for export in (to_lavaan, to_mplus, to_openmx, to_dagitty):
            assert export(table).endswith("\n")


NAMES = st.sampled_from(["x1", "x2", "x3", "y1", "y2", "z.1", "ä_b"])
TERMS = st.tuples(st.sampled_from(["", "", "a*", "b*", "0.5*", "-1e-3*", "NA*", "start(0.25)*", "lower(0)*"]), NAMES)


@st.composite
def models(draw: st.DrawFn) -> str:
    """Draw models whose every formula is well formed."""
    lines = []
    for latent in draw(st.sampled_from([(), ("f",), ("f", "g"), ("g", "f")])):
        terms = draw(st.lists(TERMS, min_size=1, max_size=4, unique_by=lambda term: term[1]))
        lines.append(f"{latent} =~ " + " + ".join("".join(term) for term in terms))
    outcomes = draw(st.lists(NAMES, max_size=2, unique=True))
    for outcome_name in outcomes:
        terms = draw(st.lists(TERMS.filter(lambda term, own=outcome_name: term[1] != own), min_size=1, max_size=3, unique_by=lambda term: term[1]))
        lines.append(f"{outcome_name} ~ " + " + ".join("".join(term) for term in terms))
    pair = draw(st.tuples(NAMES, NAMES))
    lines.append(f"{pair[0]} ~~ {draw(st.sampled_from(['', '0.3*', 'r*']))}{pair[1]}")
    if draw(st.booleans()):
        lines.append("x1 ~ 1")
    return "\n".join(lines)


def described(table: ParameterTable) -> set[tuple[object, ...]]:
    """Rows without order, orientation of covariances, or names of internal labels; a shared label is the set of its rows."""

    def key(row: object) -> tuple[object, ...]:
        lhs, op, rhs = row.lhs, row.op, row.rhs  # type: ignore[attr-defined]
        return (op, frozenset((lhs, rhs)), row.group) if op == "~~" else (op, lhs, rhs, row.group)  # type: ignore[attr-defined]

    sharing: dict[str, frozenset[object]] = {}
    for row in table.rows:
        if row.label:
            sharing[row.label] = sharing.get(row.label, frozenset()) | {key(row)}
    return {
        (*key(row), row.free, row.exo, None if row.ustart != row.ustart else row.ustart, sharing.get(row.label), row.lower, row.upper)
        for row in table.rows
    }


@given(models(), st.sampled_from(["sem", "growth"]), st.integers(1, 2), st.booleans())
@settings(max_examples=300, deadline=None)
def test_lavaan_export_round_trips(text: str, kind: str, n_groups: int, equal: bool) -> None:
    try:
        table = build_table(text, defaults_for(kind), n_groups=n_groups, group_equal=("loadings", "intercepts") if equal else ())
    except ModelError:
        return
    again = build_table(to_lavaan(table), defaults_for("lavaan"), n_groups=n_groups)
    assert described(again) == described(table)
