"""A small language of conditions over columns, for definitions in a study: parsed, never executed as code.

    age >= 18 and region in ["Savanna", "Uplands"] and not is_missing(trust)

Comparisons (`== != < <= > >= in not in`), `and or not`, numbers, texts, `True False`, lists of them,
`is_missing(column)` and `contains(column, "value")` for multi-valued columns. A column whose name is no
plain word stands in backticks. Logic is three-valued: a comparison with a blank is unknown, and stays so
unless the rest decides it.
"""

import ast
import operator
import re
from collections.abc import Callable
from typing import Any, Final

import pandas as pd

from hrtech.causal.question import EffectError

_COMPARISONS: Final[dict[type, Callable[[Any, Any], Any]]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_BACKTICKS: Final = re.compile(r"`([^`]+)`")
_STANDIN: Final = "column__"


def evaluate(expression: str, frame: pd.DataFrame, *, setting: str = "expression") -> pd.Series:
    """Evaluate a condition over a table.

    Returns:
        Dtype `boolean`, missing where unknown.

    Raises:
        EffectError: The text cannot be read, holds something not allowed, or names a column that is not there.
    """
    tree, quoted = _parsed(expression, setting)
    result = _Reader(expression, frame, quoted, setting).condition(tree)
    return result.astype("boolean")


def columns_named(expression: str, *, setting: str = "expression") -> set[str]:
    """Return the columns that a condition names, without a table to look at.

    Raises:
        EffectError: The text cannot be read.
    """
    tree, quoted = _parsed(expression, setting)
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    return {
        _name(node, quoted)
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and id(node) not in called
    }


def _parsed(expression: str, setting: str) -> tuple[ast.expr, list[str]]:
    """Return the condition as a tree, and the names in backticks that stand-ins in it are for."""
    quoted: list[str] = []

    def stand_in(found: re.Match[str]) -> str:
        quoted.append(found.group(1))
        return f"{_STANDIN}{len(quoted) - 1}"

    try:
        return ast.parse(_BACKTICKS.sub(stand_in, expression.strip()), mode="eval").body, quoted
    except (SyntaxError, ValueError):
        pass
    raise EffectError(
        f"The expression '{expression}' cannot be read. Check its quotes and brackets [setting: {setting}]"
    )


def _name(node: ast.Name, quoted: list[str]) -> str:
    if node.id.startswith(_STANDIN) and node.id.removeprefix(_STANDIN).isdigit():
        return quoted[int(node.id.removeprefix(_STANDIN))]
    return node.id


class _Reader:
    def __init__(self, text: str, frame: pd.DataFrame, quoted: list[str], setting: str) -> None:
        self.text, self.frame, self.quoted, self.setting = text, frame, quoted, setting

    def refuse(self, what: str) -> EffectError:
        return EffectError(f"The expression '{self.text}' {what} [setting: {self.setting}]")

    def condition(self, node: ast.expr) -> pd.Series:
        if isinstance(node, ast.BoolOp):
            parts = [self.condition(part) for part in node.values]
            joined = parts[0]
            for part in parts[1:]:
                joined = joined & part if isinstance(node.op, ast.And) else joined | part
            return joined
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            return ~self.condition(node.operand)
        if isinstance(node, ast.Compare):
            return self.comparison(node)
        if isinstance(node, ast.Call):
            return self.call(node)
        if isinstance(node, ast.Name):
            column = self.column(node)
            if column.dtype.kind != "b" and str(column.dtype) != "boolean":
                raise self.refuse(
                    f"uses column '{self.name(node)}' as a condition, but it holds no booleans; compare it"
                )
            return column.astype("boolean")
        raise self.refuse("holds something that is no condition")

    def comparison(self, node: ast.Compare) -> pd.Series:
        joined: pd.Series | None = None
        for left, sign, right in zip(
            [node.left, *node.comparators], node.ops, node.comparators, strict=False
        ):
            part = self.compare(left, sign, right)
            joined = part if joined is None else joined & part
        if joined is None:
            raise self.refuse("compares nothing")
        return joined

    def compare(self, left: ast.expr, sign: ast.cmpop, right: ast.expr) -> pd.Series:
        if not isinstance(left, ast.Name):
            if isinstance(right, ast.Name) and type(sign) in _COMPARISONS:
                turned = {ast.Lt: ast.Gt, ast.Gt: ast.Lt, ast.LtE: ast.GtE, ast.GtE: ast.LtE}
                return self.compare(right, turned.get(type(sign), type(sign))(), left)
            raise self.refuse("must compare a column with something")
        column = self.column(left)
        unknown = column.isna()
        if isinstance(sign, ast.In | ast.NotIn):
            values = self.constant(right)
            if not isinstance(values, list):
                raise self.refuse("needs a list after 'in'")
            found = column.isin(values).astype("boolean")
            return (found if isinstance(sign, ast.In) else ~found).mask(unknown)
        if type(sign) not in _COMPARISONS:
            raise self.refuse("holds a comparison that is not allowed")
        other = self.column(right) if isinstance(right, ast.Name) else self.constant(right)
        if isinstance(other, pd.Series):
            unknown = unknown | other.isna()
        elif isinstance(other, str) and pd.api.types.is_datetime64_any_dtype(column):
            other = pd.to_datetime(other, errors="coerce")
            if other is pd.NaT:
                raise self.refuse(f"compares the dates of '{self.name(left)}' with something that is no date")
        try:
            result = _COMPARISONS[type(sign)](column, other)
        except TypeError:
            result = None
        if result is None:
            raise self.refuse(f"compares column '{self.name(left)}' with a value of another type")
        return pd.Series(result, index=self.frame.index).astype("boolean").mask(unknown)

    def call(self, node: ast.Call) -> pd.Series:
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        if node.keywords or not node.args or not isinstance(node.args[0], ast.Name):
            raise self.refuse("calls something other than is_missing(column) or contains(column, value)")
        column = self.column(node.args[0])
        if name == "is_missing" and len(node.args) == 1:
            return column.isna().astype("boolean")
        if name == "contains" and len(node.args) == 2:
            value = self.constant(node.args[1])
            held = [
                None if each is None else value in each
                for each in column.astype(object).where(column.notna(), None)
            ]
            return pd.Series(held, index=column.index, dtype="boolean")
        raise self.refuse("calls something other than is_missing(column) or contains(column, value)")

    def name(self, node: ast.Name) -> str:
        return _name(node, self.quoted)

    def column(self, node: ast.Name) -> pd.Series:
        name = self.name(node)
        if name not in self.frame.columns:
            raise self.refuse(f"names the column '{name}', which the table does not have")
        return self.frame[name]

    def constant(self, node: ast.expr) -> Any:
        if isinstance(node, ast.Constant) and isinstance(node.value, str | int | float | bool):
            return node.value
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            inner = self.constant(node.operand)
            if isinstance(inner, int | float):
                return -inner
        if isinstance(node, ast.List | ast.Tuple | ast.Set):
            return [self.constant(part) for part in node.elts]
        raise self.refuse("holds a value that is no number, text, boolean or list of them")
