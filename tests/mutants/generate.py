"""Mutants of a function or class, made from its source: one small change each."""

from __future__ import annotations

import ast
import difflib
import inspect
import itertools
import re
import textwrap
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from course_utils.exercises import EXERCISES

Change = tuple[str, ast.AST]  # the kind, and what stands there instead


@dataclass(frozen=True)
class Mutant:
    """One wrong (or equivalent) answer.

    Attributes:
        exercise: its number, such as "01.3".
        kind: what was changed, such as "operator".
        text: the whole answer.
    """

    exercise: str
    kind: str
    text: str

    @property
    def diff(self) -> str:
        """The lines that differ, without their indentation: "- old" and "+ new"."""
        lines = difflib.ndiff(_source(self.exercise).splitlines(), self.text.splitlines())
        return "\n".join(f"{line[0]} {line[2:].strip()}" for line in lines if line[0] in "-+")


def define(exercise: str, text: str) -> Any:
    """What a cell with this text defines, after all that the reference sees."""
    reference = EXERCISES[exercise].reference
    names = vars(inspect.getmodule(reference)) | {"torch": torch, "nn": nn}
    exec(compile(text, f"<mutant of {exercise}>", "exec"), names)
    return names[reference.__name__]


def make_mutants(
    exercise: str,
    asked: Sequence[tuple[Any, ...]] = (),
    choose: Callable[[], bool] = lambda: True,
) -> list[Mutant]:
    """Mutants of the exercise's reference, each once.

    Args:
        exercise: its number.
        asked: arguments that its check gives: some mutants are fixed to these.
        choose: asked for each change whether to make it; all are made.
    """
    tree = ast.parse(_source(exercise))
    seen = {ast.dump(tree)}
    mutants = []
    for kind in _changes(tree, asked):  # the tree holds the change until the next is asked for
        if not choose():
            continue
        ast.fix_missing_locations(tree)
        try:
            text = ast.unparse(tree)
            dump = ast.dump(ast.parse(text))
            compile(text, "mutant", "exec")
        except (SyntaxError, ValueError, TypeError, AttributeError):
            continue
        if dump not in seen:
            seen.add(dump)
            mutants.append(Mutant(exercise, kind, text))
    return mutants


def _source(exercise: str) -> str:
    """The reference in the spelling of `ast.unparse`."""
    source = inspect.getsource(EXERCISES[exercise].reference)
    return ast.unparse(ast.parse(textwrap.dedent(source)))


def _changes(tree: ast.Module, asked: Sequence[tuple[Any, ...]]) -> Iterator[str]:
    """Makes each change in the tree itself, says its kind, and undoes it."""
    for parent in list(ast.walk(tree)):
        for field, value in ast.iter_fields(parent):
            if isinstance(value, list):
                if value and isinstance(value[0], ast.stmt):
                    for kind, statements in _block_changes(parent, field, value):
                        setattr(parent, field, statements)
                        yield kind
                    setattr(parent, field, value)
                for place, node in enumerate(value):
                    for kind, instead in _node_changes(tree, parent, field, node):
                        value[place] = instead
                        yield kind
                        value[place] = node
            elif isinstance(value, ast.AST):
                for kind, instead in _node_changes(tree, parent, field, value):
                    setattr(parent, field, instead)
                    yield kind
                    setattr(parent, field, value)
        yield from _own_changes(parent)
        if isinstance(parent, ast.FunctionDef):
            yield from _function_changes(parent, asked if parent in tree.body else [])


def _expression(text: str, **parts: ast.AST) -> ast.expr:
    """The expression `text`; names in it that are parts stand for those."""

    class Fill(ast.NodeTransformer):
        def visit_Name(self, node: ast.Name) -> ast.AST:
            return parts.get(node.id, node)

    return Fill().visit(ast.parse(text, mode="eval").body)


def _statements(text: str) -> list[ast.stmt]:
    return ast.parse(textwrap.dedent(text)).body


# One expression -------------------------------------------------------------------------------

ARITHMETIC = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.Pow, ast.MatMult, ast.FloorDiv, ast.Mod)
COMPARISONS = (ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Eq, ast.NotEq)

# Names of functions and methods, and what stands in their place.
OTHER_NAMES = {
    "mean": "sum median amax", "sum": "mean prod amax", "amin": "amax mean median",
    "amax": "amin", "max": "min", "min": "max", "any": "all", "all": "any",
    "argmin": "argmax", "argmax": "argmin", "std": "var", "var": "std",
    "square": "abs sqrt exp", "abs": "square relu neg", "sqrt": "square abs",
    "log": "log2 log10 log1p exp", "log1p": "log", "exp": "expm1 exp2 log",
    "cos": "sin", "sin": "cos tan", "acos": "asin cos atan", "deg2rad": "rad2deg",
    "tanh": "sigmoid atan sin", "atanh": "tanh atan asin", "sigmoid": "tanh softplus logsigmoid",
    "softplus": "relu sigmoid logsigmoid", "hypot": "maximum add",
    "ones_like": "zeros_like rand_like full_like", "zeros_like": "ones_like rand_like empty_like",
    "ones": "zeros rand", "zeros": "ones rand", "rand": "randn",
    "cat": "stack", "stack": "cat hstack",
    "repeat": "repeat_interleave tile", "repeat_interleave": "repeat", "norm": "sum std",
    "eigvalsh": "eigvals svdvals", "eigh": "eig", "trace": "sum mean", "ceil": "floor round",
    "floor": "ceil", "binary_cross_entropy_with_logits": "binary_cross_entropy mse_loss",
    "xavier_uniform_":
        "xavier_normal_ kaiming_uniform_ kaiming_normal_ uniform_ orthogonal_ zeros_",
    "zeros_": "ones_ normal_ uniform_", "normalize": "softmax", "flatten": "squeeze ravel",
    "flip": "roll rot90", "Adam": "SGD AdamW RMSprop Adagrad NAdam", "SGD": "Adam",
    "mul_": "div_", "add_": "sub_", "train": "eval", "eval": "train", "xlogy": "mul",
    "float": "double half int", "topk": "sort", "argsort": "sort", "sort": "argsort",
    "no_grad": "enable_grad inference_mode", "where": "maximum", "dot": "mul", "arange": "ones",
    "parameters": "buffers children", "zero_grad": "step", "step": "zero_grad",
    "Linear": "LazyLinear Bilinear", "ReLU": "LeakyReLU GELU ELU ReLU6 Identity Softplus Tanh SiLU",
    "LeakyReLU": "ReLU ELU Identity Tanh CELU", "Tanh": "Sigmoid Hardtanh Softsign Identity ReLU",
    "Sigmoid": "Tanh Hardsigmoid LogSigmoid Identity Softplus",
    "BatchNorm1d": "InstanceNorm1d LayerNorm Identity", "Flatten": "Identity",
    "BatchNorm2d": "InstanceNorm2d Identity",
    "Dropout2d": "Dropout Dropout3d AlphaDropout Identity",
    "MaxPool2d": "AvgPool2d LPPool2d AdaptiveMaxPool2d", "Conv2d": "ConvTranspose2d",
    "ConvTranspose2d": "Conv2d",
}  # fmt: skip

# Keyword arguments that may be added to a call, by the name that is called.
ADDED = {
    "mean": ["dim=0", "dim=-1", "dim=1, keepdim=True", "dim=0, keepdim=True"],
    "sum": ["dim=0", "dim=-1", "keepdim=True"],
    "std": ["correction=0", "dim=0"],
    "var": ["correction=0"],
    "any": ["dim=0"],
    "amin": ["keepdim=True"],
    "argmin": ["keepdim=True"],
    "argmax": ["keepdim=True"],
    "topk": ["largest=False", "sorted=False"],
    "sort": ["descending=True"],
    "argsort": ["descending=True"],
    "Adam": ["betas=(0.5, 0.999)", "betas=(0.0, 0.9)", "weight_decay=0.01", "maximize=True"],
    "make_grid": ["padding=0", "pad_value=1", "scale_each=True"],
    "rand": ["requires_grad=True", "dtype=torch.float64"],
    "ones": ["requires_grad=True", "dtype=torch.float64", "dtype=torch.long"],
    "zeros": ["requires_grad=True", "dtype=torch.float64", "dtype=torch.long"],
    "normalize": ["p=1", "eps=0.1"],
    "cdist": ["p=1"],
    "norm": ["p=1"],
    "meshgrid": [],
    "criterion": [],
    "binary_cross_entropy_with_logits": ["reduction='sum'", "reduction='none'"],
    "xavier_uniform_": ["gain=2 ** 0.5", "gain=0.5"],
    "ReLU": ["inplace=True"],
    "LeakyReLU": ["inplace=True"],
    "Linear": ["bias=False"],
    "Conv2d": ["bias=False", "bias=True", "padding_mode='reflect'", "dilation=2"],
    "ConvTranspose2d": ["bias=False", "bias=True", "output_padding=1"],
    "BatchNorm1d": ["affine=False", "momentum=0.2", "momentum=None", "eps=0.001", "eps=0.1"],
    "BatchNorm2d": [
        *("affine=False", "momentum=0.2", "momentum=None", "eps=0.001", "eps=0.1"),
        "track_running_stats=False",
    ],
    "MaxPool2d": ["ceil_mode=True", "stride=1"],
    "Flatten": ["start_dim=0"],
    "zero_grad": ["set_to_none=False"],
    "backward": ["retain_graph=True"],
}

# What may be done to a value on its way: `x` stands for it.
WRAPS = (
    *("-x", "x.detach()", "x + 1", "x - 1", "2 * x", "x.abs()", "x.double()", "x.item()"),
    *("x.clamp(min=0)", "x.clamp(-1, 1)", "x.clamp(0, 1)", "x.flip(0)", "x.squeeze()"),
    *("x.unsqueeze(0)", "x[:1]", "x[1:]", "x.T", "x.sort().values", "x.mean()", "int(x)"),
)


def _node_changes(tree: ast.Module, parent: ast.AST, field: str, node: ast.AST) -> Iterator[Change]:
    """What may stand in place of one expression."""
    if not isinstance(node, ast.expr) or not isinstance(getattr(node, "ctx", ast.Load()), ast.Load):
        return
    if isinstance(parent, (ast.arguments, ast.ClassDef)) or field == "decorator_list":
        return
    if field == "func":  # only another function
        return
    if isinstance(node, ast.BinOp):
        yield from _operator_changes(node)
    elif isinstance(node, ast.Compare):
        yield from _comparison_changes(node)
    elif isinstance(node, ast.UnaryOp):
        yield "sign", node.operand
    elif isinstance(node, ast.Constant):
        yield from _constant_changes(tree, node)
    elif isinstance(node, ast.IfExp):
        yield "branch", node.body
        yield "branch", node.orelse
        yield "branch", ast.IfExp(node.test, node.orelse, node.body)
    elif isinstance(node, ast.Call):
        yield from _call_changes(node)
    elif isinstance(node, ast.Subscript):
        yield "subscript", node.value
    elif isinstance(node, ast.Slice):
        yield from _slice_changes(node)
    elif isinstance(node, (ast.Tuple, ast.List)):
        yield from _sequence_changes(node)
    elif isinstance(node, ast.Name):
        for name in _names(tree):
            yield "name", ast.Name(name, ast.Load())
    if field == "test":
        yield "branch", _expression("not x", x=node)
        yield "branch", ast.Constant(True)
        yield "branch", ast.Constant(False)
    if _is_value(parent, field, node):
        for text in WRAPS:
            yield f"wrap {text}", _expression(text, x=node)


def _is_value(parent: ast.AST, field: str, node: ast.expr) -> bool:
    """Whether it may be a tensor: no module, no slice, no constant."""
    if isinstance(node, (ast.Constant, ast.Tuple, ast.List, ast.Slice, ast.Dict, ast.Starred)):
        return False
    if isinstance(parent, ast.Expr):
        return False
    return not (
        isinstance(node, ast.Name) and node.id in ("torch", "nn", "F", "math", "torchvision")
    )


def _names(tree: ast.Module) -> list[str]:
    """The arguments and the names that are assigned, in order."""
    names = [node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)]
    names += [
        node.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    ]
    return [name for name in dict.fromkeys(names) if name not in ("self", "_")]


def _operator_changes(node: ast.BinOp) -> Iterator[Change]:
    for operator in ARITHMETIC:
        yield "operator", ast.BinOp(node.left, operator(), node.right)
    yield "operand", node.left
    yield "operand", node.right
    yield "order", ast.BinOp(node.right, node.op, node.left)
    left, right = node.left, node.right
    if isinstance(left, ast.BinOp):
        inner = ast.BinOp(left.right, node.op, right)
        yield "brackets", ast.BinOp(left.left, left.op, inner)
    if isinstance(right, ast.BinOp):
        inner = ast.BinOp(left, node.op, right.left)
        yield "brackets", ast.BinOp(inner, right.op, right.right)


def _comparison_changes(node: ast.Compare) -> Iterator[Change]:
    for operator in COMPARISONS:
        yield "comparison", ast.Compare(node.left, [operator()], node.comparators)
    yield "comparison", ast.Constant(True)
    yield "comparison", ast.Constant(False)


def _constant_changes(tree: ast.Module, node: ast.Constant) -> Iterator[Change]:
    value = node.value
    if isinstance(value, bool):
        others: list[Any] = [not value]
    elif isinstance(value, int):
        others = [value + 1, value - 1, 0, 2 * value, -value, 1.01 * value]
    elif isinstance(value, float):
        others = [value * 1.01, value * 0.99, 0.0, 2 * value, -value, 10 * value, 1 - value, 1.0]
    elif isinstance(value, str):
        texts = [n.value for n in ast.walk(tree) if isinstance(n, ast.Constant)]
        others = [t for t in texts if isinstance(t, str)] + ["xy" if value == "ij" else value + "x"]
    else:
        others = []
    for other in others:
        negative = not isinstance(other, str) and other < 0
        plain = ast.Constant(-other if negative else other)
        yield "constant", ast.UnaryOp(ast.USub(), plain) if negative else plain


def _call_changes(node: ast.Call) -> Iterator[Change]:
    name = _called(node)
    for other in OTHER_NAMES.get(name, "").split():
        yield f"{name} to {other}", ast.Call(_rename(node.func, other), node.args, node.keywords)
        if other in ("LeakyReLU", "ELU"):
            yield f"{name} to {other}", ast.Call(_rename(node.func, other), [ast.Constant(0.2)], [])
        if node.args:
            yield f"{name} to {other}", ast.Call(_rename(node.func, other), [], [])
    if isinstance(node.func, ast.Attribute):
        yield f"no {name}", node.func.value
    for argument in node.args:
        yield f"no {name}", argument
    yield from _argument_changes(node, name)
    for text in ADDED.get(name, ()):
        added = _expression(f"f({text})").keywords
        names = {keyword.arg for keyword in added}
        kept = [keyword for keyword in node.keywords if keyword.arg not in names]
        yield f"{name} with {text}", ast.Call(node.func, node.args, kept + added)


def _argument_changes(node: ast.Call, name: str) -> Iterator[Change]:
    args, keywords = node.args, node.keywords
    for i in range(len(args)):
        yield (
            f"argument of {name} left out",
            ast.Call(node.func, args[:i] + args[i + 1 :], keywords),
        )
        if name == "Sequential":
            twice = args[: i + 1] + args[i:]
            yield "layer twice", ast.Call(node.func, twice, keywords)
            for kind in ("ReLU()", "Dropout(0.1)", "Identity()"):
                more = [*args[: i + 1], _expression(f"nn.{kind}"), *args[i + 1 :]]
                yield "layer more", ast.Call(node.func, more, keywords)
    for i in range(len(args) - 1):
        swapped = [*args[:i], args[i + 1], args[i], *args[i + 2 :]]
        yield f"arguments of {name} swapped", ast.Call(node.func, swapped, keywords)
    for i, keyword in enumerate(keywords):
        rest = keywords[:i] + keywords[i + 1 :]
        yield f"{keyword.arg} left out", ast.Call(node.func, args, rest)
        others: list[str] = []
        if keyword.arg == "dim":
            others = ["0", "1", "2", "-1", "-2", "(0, 1)", "None"]
        if keyword.arg == "device":
            others = ["'cpu'", "None"]
        for other in others:
            new = ast.keyword(keyword.arg, _expression(other))
            changed = [*keywords[:i], new, *keywords[i + 1 :]]
            yield keyword.arg, ast.Call(node.func, args, changed)


def _called(node: ast.Call) -> str:
    func = node.func
    return func.attr if isinstance(func, ast.Attribute) else getattr(func, "id", "")


def _rename(func: ast.expr, name: str) -> ast.expr:
    if isinstance(func, ast.Attribute):
        return ast.Attribute(func.value, name, ast.Load())
    return ast.Name(name, ast.Load())


def _slice_changes(node: ast.Slice) -> Iterator[Change]:
    lower, upper, step = node.lower, node.upper, node.step
    yield "slice", ast.Slice(None, upper, step)
    yield "slice", ast.Slice(lower, None, step)
    yield "slice", ast.Slice(upper, lower, step)
    yield "slice", ast.Slice(lower, upper, ast.Constant(2))
    for end, bound in (("lower", lower), ("upper", upper)):
        if bound is not None:
            for text in ("x + 1", "x - 1", "-x", "2 * x"):
                changed = _expression(text, x=bound)
                pair = (changed, upper) if end == "lower" else (lower, changed)
                yield "slice", ast.Slice(*pair, step)


def _sequence_changes(node: ast.Tuple | ast.List) -> Iterator[Change]:
    items, kind = node.elts, type(node)
    for i in range(len(items)):
        yield "item left out", kind(items[:i] + items[i + 1 :], ast.Load())
        yield "item twice", kind(items[: i + 1] + items[i:], ast.Load())
    for i, j in itertools.combinations(range(len(items)), 2):
        swapped = list(items)
        swapped[i], swapped[j] = items[j], items[i]
        yield "items swapped", kind(swapped, ast.Load())
    if isinstance(node, ast.Tuple):
        yield "list", ast.List(items, ast.Load())


def _own_changes(node: ast.AST) -> Iterator[str]:
    """Changes of a node that is itself no expression."""
    if isinstance(node, ast.Dict):
        for i, j in itertools.combinations(range(len(node.values)), 2):
            values = node.values
            values[i], values[j] = values[j], values[i]
            yield "items swapped"
            values[i], values[j] = values[j], values[i]
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and node.decorator_list:
        decorators, node.decorator_list = node.decorator_list, []
        yield "decorator"
        node.decorator_list = decorators
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Tuple):
        items = node.targets[0].elts
        for i, j in itertools.combinations(range(len(items)), 2):
            items[i], items[j] = items[j], items[i]
            yield "targets swapped"
            items[i], items[j] = items[j], items[i]


# Whole statements -----------------------------------------------------------------------------


def _block_changes(
    parent: ast.AST, field: str, block: list[ast.stmt]
) -> Iterator[tuple[str, list[ast.stmt]]]:
    for i, statement in enumerate(block):
        if isinstance(parent, ast.Module):
            continue
        yield "statement left out", block[:i] + block[i + 1 :] or [ast.Pass()]
        if not isinstance(statement, ast.Return):
            yield "statement twice", block[: i + 1] + block[i:]
        wrapped = _statements("with torch.no_grad():\n    pass")
        wrapped[0].body = [statement]
        yield "no_grad around a statement", block[:i] + wrapped + block[i + 1 :]
        if isinstance(statement, (ast.With, ast.If)):
            yield "statement unwrapped", block[:i] + statement.body + block[i + 1 :]
        if isinstance(statement, ast.For):
            yield "loop left out", block[:i] + statement.body + block[i + 1 :]
            yield "loop ends early", [*block[:i], _ending(statement), *block[i + 1 :]]
            if i:
                inside = ast.For(
                    statement.target, statement.iter, [block[i - 1], *statement.body], []
                )
                yield "moved into the loop", [*block[: i - 1], inside, *block[i + 1 :]]
                both = [*block[:i], inside, *block[i + 1 :]]
                yield "again in the loop", both
    for i in range(len(block) - 1):
        swapped = [*block[:i], block[i + 1], block[i], *block[i + 2 :]]
        yield "statements swapped", swapped
    for i, statement in enumerate(block):
        if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
            for j in range(len(block) + 1):  # anywhere else
                rest = block[:i] + block[i + 1 :]
                yield "statement moved", [*rest[:j], statement, *rest[j:]]


def _ending(loop: ast.For) -> ast.For:
    return ast.For(loop.target, loop.iter, [*loop.body, ast.Break()], [])


AT_THE_START = (
    "torch.manual_seed(0)", "torch.rand(1)", "torch.set_grad_enabled(False)",
    "import random; random.random()",
)  # fmt: skip
# Done to each argument at the start, or just before the answer is returned.
AT_FIRST = (
    *("p.train()", "p.eval()", "p.requires_grad_(False)", "p.requires_grad_()", "p.zero_grad()"),
    *("p = p.detach()", "p = p.double()", "p = p.flip(0)", "p = p[:2]", "p.manual_seed(0)"),
    "p = torch.Generator()",
)
AT_LAST = (
    *("p.train()", "p.eval()", "p.requires_grad_(False)", "p.requires_grad_()", "p.zero_grad()"),
    *("p.data.add_(1)", "p.zero_()", "p.append(0)", "p.sort()", "p.clear()", "p.manual_seed(0)"),
    *("p.step()", "for w in p.parameters(): w.data.add_(1)", "for w in p.buffers(): w.zero_()"),
)


def _function_changes(function: ast.FunctionDef, asked: Sequence[tuple[Any, ...]]) -> Iterator[str]:
    """Changes of a whole function; the arguments `asked` of the check tempt to fix some."""
    body = function.body
    names = [argument.arg for argument in function.args.args]
    names = [name for name in names if name != "self"]
    for statements in (*AT_THE_START, *_to_each(names, AT_FIRST)):
        function.body = _statements(statements) + body
        yield "at the start"
    if function.name == "__init__":
        function.body = body
        return
    for statement in _to_each(names, AT_LAST):
        changed = _before_return(body, _statements(statement))
        if changed is not None:
            function.body = changed
            yield "change before return"
    function.body = _statements("with torch.no_grad():\n    pass")
    function.body[0].body = body
    yield "no_grad around the whole body"
    for text in _fixed(names, asked):
        function.body = _statements(text) + body
        yield "fixed to what the check asks"
    function.body = body
    yield from _remembered(function)


def _to_each(names: list[str], statements: tuple[str, ...]) -> Iterator[str]:
    for name in names:
        for statement in statements:
            yield re.sub(r"\bp\b", name, statement)


def _before_return(body: list[ast.stmt], statements: list[ast.stmt]) -> list[ast.stmt] | None:
    """The body with the last return's value worked out first, then the statements."""
    if not isinstance(body[-1], ast.Return):
        return body + statements
    if body[-1].value is None:
        return None
    result = ast.Assign([ast.Name("result", ast.Store())], body[-1].value)
    return [*body[:-1], result, *statements, ast.Return(ast.Name("result", ast.Load()))]


def _fixed(names: list[str], asked: Sequence[tuple[Any, ...]]) -> Iterator[str]:
    """Each plain argument replaced by what the check gives for it, if that is always the same."""
    for place, name in enumerate(names):
        values = {repr(args[place]) for args in asked if len(args) > place}
        plain = all(isinstance(args[place], (int, float, str)) for args in asked)
        if asked and plain:
            for value in sorted(values):
                yield f"{name} = {value}"


def _remembered(function: ast.FunctionDef) -> Iterator[str]:
    """The first result is the answer for ever."""
    decorators = function.decorator_list
    keep = "lambda f, kept=[]: lambda *args: (kept or kept.append(f(*args)), kept[0])[1]"
    function.decorator_list = [*decorators, _expression(keep)]
    if not any(argument.arg == "self" for argument in function.args.args):
        yield "first result for ever"
    function.decorator_list = decorators
