"""Small edits of Python code that a test should notice: a comparison, an operator, a number, a condition at a time.

Edits are of function bodies alone. What is only said is left as it is: docstrings, annotations, error messages (all
that is raised), assertions, strings. Standard library alone.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass

COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
}
MESSAGES = (ast.Raise, ast.Assert, ast.JoinedStr)
"""Nodes in which nothing is edited."""
CALLS = {"min": "max", "max": "min", "any": "all", "all": "any", "minimum": "maximum", "maximum": "minimum"}
"""Functions that are exchanged, as names or as attributes of a module."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Mutation:
    """One edit of a module."""

    line: int
    """Line of the edited node."""
    function: str
    """Qualified name of the outermost function that holds it."""
    text: str
    """What was replaced by what."""
    tree: ast.Module
    """The edited module."""

    @property
    def key(self) -> str:
        """Name of the edit, unique in its module but for two of a kind in one line."""
        return f"{self.line}: {self.text}"


def mutations(source: str) -> Iterator[Mutation]:
    """Yield every edit of the functions of a module's source, in order of lines."""
    tree = ast.parse(source)
    for function, path in _functions(tree):
        for node_path in _node_paths(function, path):
            node = _node(tree, node_path)
            for text, edit in _edits(node):
                edited = copy.deepcopy(tree)
                edit(_node(edited, node_path))
                yield Mutation(
                    line=node.lineno,  # type: ignore[attr-defined]
                    function=_qualified_name(tree, path),
                    text=text,
                    tree=ast.fix_missing_locations(edited),
                )


Path = tuple[tuple[str, int], ...]
"""Way from a module to a node: fields, with the place in a list or -1."""


def _functions(tree: ast.Module) -> Iterator[tuple[ast.FunctionDef, Path]]:
    """Yield functions and methods of a module that no other function holds, with their paths."""
    pending: list[tuple[ast.AST, Path]] = [(tree, ())]
    while pending:
        node, path = pending.pop(0)
        for number, child in enumerate(getattr(node, "body", ())):
            child_path = (*path, ("body", number))
            if isinstance(child, ast.FunctionDef):
                yield child, child_path
            elif isinstance(child, ast.ClassDef):
                pending.append((child, child_path))


def _node_paths(node: ast.AST, path: Path) -> Iterator[Path]:
    """Yield the paths of all nodes below a function that may be edited."""
    fields = ("body",) if isinstance(node, ast.FunctionDef) else node._fields
    fields = ("value",) if isinstance(node, ast.AnnAssign) else fields
    for name in fields:
        value = getattr(node, name, None)
        children = enumerate(value) if isinstance(value, list) else [(-1, value)]
        for number, child in children:
            if not isinstance(child, ast.AST) or isinstance(child, MESSAGES):
                continue
            if isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant):
                continue
            child_path = (*path, (name, number))
            yield child_path
            yield from _node_paths(child, child_path)


def _node(tree: ast.AST, path: Path) -> ast.AST:
    for name, number in path:
        value = getattr(tree, name)
        tree = value if number < 0 else value[number]
    return tree


def _qualified_name(tree: ast.Module, path: Path) -> str:
    return ".".join(_node(tree, path[: end + 1]).name for end in range(len(path)))  # type: ignore[attr-defined]


Edit = tuple[str, Callable[[ast.AST], None]]


def _edits(node: ast.AST) -> Iterator[Edit]:  # noqa: C901  # one branch for each kind of node
    """Yield the edits of one node: what they say, and the function that makes them in a copy of it."""
    if isinstance(node, ast.Compare):
        for number, operator in enumerate(node.ops):
            yield _exchange("ops", number, operator, COMPARISONS[type(operator)])
    elif isinstance(node, (ast.BinOp, ast.AugAssign)) and type(node.op) in OPERATORS:
        yield _exchange("op", -1, node.op, OPERATORS[type(node.op)])
    elif isinstance(node, ast.BoolOp):
        yield _exchange("op", -1, node.op, ast.Or if isinstance(node.op, ast.And) else ast.And)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.Not, ast.USub, ast.Invert)):
        yield _exchange("op", -1, node.op, {ast.Not: _Truth, ast.USub: ast.UAdd, ast.Invert: ast.UAdd}[type(node.op)])
    elif isinstance(node, ast.Constant):
        yield from _constant_edits(node)
    elif isinstance(node, (ast.If, ast.IfExp, ast.While)) and not isinstance(node.test, (ast.Compare, ast.UnaryOp)):
        yield "condition is negated", lambda copied: setattr(copied, "test", ast.UnaryOp(ast.Not(), copied.test))  # type: ignore[attr-defined]
    elif isinstance(node, ast.Call):
        function = node.func
        name = getattr(function, "id", getattr(function, "attr", ""))
        if name in CALLS and not (isinstance(function, ast.Attribute) and not isinstance(function.value, ast.Name)):
            field = "id" if isinstance(function, ast.Name) else "attr"
            yield f"{name} becomes {CALLS[name]}", lambda copied: setattr(copied.func, field, CALLS[name])  # type: ignore[attr-defined]
    elif isinstance(node, ast.Continue):
        yield "continue becomes break", lambda copied: setattr(copied, "__class__", ast.Break)
    elif isinstance(node, ast.Break):
        yield "break becomes continue", lambda copied: setattr(copied, "__class__", ast.Continue)


class _Truth:
    """Stands for no operator: `not x` becomes `not not x`."""


def _exchange(field: str, number: int, old: ast.AST, new: type) -> Edit:
    """Return the edit that exchanges an operator."""

    def edit(node: ast.AST) -> None:
        if new is _Truth:
            node.operand = ast.UnaryOp(ast.Not(), node.operand)  # type: ignore[attr-defined]
        elif number < 0:
            setattr(node, field, new())
        else:
            getattr(node, field)[number] = new()

    return f"{type(old).__name__} becomes {new.__name__.lstrip('_')}", edit


def _constant_edits(node: ast.Constant) -> Iterator[Edit]:
    value = node.value
    if isinstance(value, bool):
        yield f"{value} becomes {not value}", lambda copied: setattr(copied, "value", not value)
    elif isinstance(value, (int, float)):
        other = value + 1 if isinstance(value, int) else 2.0 * value if value else 1.0
        yield f"{value} becomes {other}", lambda copied: setattr(copied, "value", other)
