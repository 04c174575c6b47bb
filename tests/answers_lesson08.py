"""What students write for the exercises of lesson 8: right in many ways, and wrong in many.

An answer is the text below the exercise's first line (`HEADS`), or a whole cell where it begins
with its `def` or its name. With each wrong answer stand words that its verdict must hold.
"""

from __future__ import annotations

from typing import Any

from helpers import define_answer, swap

from course_utils.exercises import lesson08

NAMES = {
    "08.1": "centres",
    "08.2": "grid",
    "08.3": "features",
    "08.4": "pointwise",
    "08.5": "products",
    "08.6": "nearest",
    "08.7": "steepen",
    "08.8": "edge_width",
    "08.9": "contrast",
    "08.10": "surest",
}

HEADS = {
    "08.1": "def centres(side):",
    "08.2": "def grid(side):",
    "08.3": "def features(numbers, points):",
    "08.4": "def pointwise(values, weight, bias):",
    "08.5": "def products(side, widths):",
    "08.6": "def nearest(images, factor):",
    "08.7": "def steepen(images, factor):",
    "08.8": "def edge_width(image):",
    "08.9": "def contrast(one, other):",
    "08.10": "def surest(digits, certainty, wanted):",
}


def define(exercise_id: str, answer: str) -> Any:
    """The function that a notebook cell with this answer defines, after the cells before it."""
    name = NAMES[exercise_id]
    before = {} if name == "centres" else {"centres": lesson08.centres}
    return define_answer(answer, name, HEADS[exercise_id], (f"def {name}(", name), **before)


CENTRES = "return (torch.arange(side) + 0.5) * (2 / side) - 1\n"

GRID = """\
line = centres(side)
y, x = torch.meshgrid(line, line, indexing="ij")
return torch.stack([x, y, torch.hypot(x, y), torch.ones_like(x)], dim=2)
"""

FEATURES = "return numbers @ points.T\n"

POINTWISE = "return weight @ values + bias[:, None]\n"

PRODUCTS = """\
each = sum(widths[n] * widths[n + 1] for n in range(len(widths) - 1))
return side * side * each
"""

NEAREST = """\
tall = images.repeat_interleave(factor, dim=2)
return tall.repeat_interleave(factor, dim=3)
"""

STEEPEN = "return torch.tanh(factor * torch.atanh(images))\n"

WIDTH = """\
down = image[1:, :-1] - image[:-1, :-1]
right = image[:-1, 1:] - image[:-1, :-1]
length = torch.hypot(down, right).sum() / 2
grey = (image.abs() < 0.8).sum()
return grey / length / len(image)
"""

CONTRAST = """\
light, dark = max(one, other), min(one, other)
return (light + 0.05) / (dark + 0.05)
"""

SUREST = """\
right = (digits == wanted) & (certainty >= 0.99)
if not right.any():
    return None
return int(torch.where(right, certainty, 0).argmax())
"""

RIGHT: dict[str, list[str]] = {
    "08.1": [
        CENTRES,
        "return (2 * torch.arange(side) + 1) / side - 1",
        "return torch.linspace(-1 + 1 / side, 1 - 1 / side, side)",
        "return torch.tensor([(n + 0.5) * 2 / side - 1 for n in range(side)])",
        """
        ends = torch.linspace(-1, 1, side + 1)
        return (ends[1:] + ends[:-1]) / 2
        """,
    ],
    "08.2": [
        GRID,
        """
        line = centres(side)
        x, y = torch.meshgrid(line, line, indexing="xy")
        return torch.stack([x, y, (x**2 + y**2).sqrt(), torch.ones(side, side)], dim=-1)
        """,
        """
        line = centres(side)
        x = line.repeat(side, 1)
        y = x.T
        return torch.stack((x, y, torch.hypot(x, y), x * 0 + 1), 2)
        """,
        """
        points = torch.ones(side, side, 4)
        for i, y in enumerate(centres(side)):
            for j, x in enumerate(centres(side)):
                points[i, j, :3] = torch.stack([x, y, torch.hypot(x, y)])
        return points
        """,
    ],
    "08.3": [
        FEATURES,
        "return torch.einsum('nfk,pk->nfp', numbers, points)",
        "return torch.matmul(numbers, points.transpose(0, 1))",
        "return (numbers[:, :, None] * points).sum(dim=3)",
        "return torch.nn.functional.linear(numbers, points)",
        "return torch.stack([one @ points.T for one in numbers])",
    ],
    "08.4": [
        POINTWISE,
        "return torch.einsum('gf,nfp->ngp', weight, values) + bias.reshape(-1, 1)",
        "return torch.nn.functional.conv1d(values, weight[:, :, None], bias)",
        "return (values.transpose(1, 2) @ weight.T + bias).transpose(1, 2)",
        "return torch.nn.functional.linear(values.mT, weight, bias).mT",
    ],
    "08.5": [
        PRODUCTS,
        """
        total = 0
        for a, b in zip(widths[:-1], widths[1:]):
            total += side**2 * a * b
        return total
        """,
        "return side**2 * sum(a * b for a, b in zip(widths, widths[1:]))",
        "w = torch.tensor(widths)\nreturn side * side * (w[1:] * w[:-1]).sum()",
        "w = torch.tensor(widths)\nreturn int(side * side * w[1:].dot(w[:-1]))",
    ],
    "08.6": [
        NEAREST,
        "return torch.nn.functional.interpolate(images, scale_factor=factor, mode='nearest')",
        "return images.repeat_interleave(factor, 3).repeat_interleave(factor, 2)",
        "return torch.kron(images, torch.ones(1, 1, factor, factor))",
        """
        rows = torch.arange(images.shape[2] * factor) // factor
        columns = torch.arange(images.shape[3] * factor) // factor
        return images[:, :, rows][:, :, :, columns]
        """,
    ],
    "08.7": [
        STEEPEN,
        "return (factor * images.atanh()).tanh()",
        "inside = 0.5 * torch.log((1 + images) / (1 - images))\nreturn torch.tanh(factor * inside)",
        """
        up, down = (1 + images) ** factor, (1 - images) ** factor
        return (up - down) / (up + down)
        """,
        "return 2 * torch.sigmoid(2 * factor * torch.atanh(images)) - 1",
    ],
    "08.8": [
        WIDTH,
        """
        down = (image[1:] - image[:-1])[:, :-1]
        right = (image[:, 1:] - image[:, :-1])[:-1]
        climb = (down**2 + right**2).sqrt().sum()
        return 2 * ((image > -0.8) & (image < 0.8)).sum() / climb / image.shape[0]
        """,
        """
        down = image.diff(dim=0)[:, :-1]
        right = image.diff(dim=1)[:-1]
        length = torch.hypot(down, right).sum() / 2
        return ((image.abs() < 0.8).sum() / (length * len(image))).item()
        """,
        """
        slopes = torch.stack([image.diff(dim=0)[:, :-1], image.diff(dim=1)[:-1]]).norm(dim=0)
        grey = (image.abs() < 0.8).float().mean() * len(image) ** 2
        return grey / (slopes.sum() / 2) / len(image)
        """,
    ],
    "08.9": [
        CONTRAST,
        "a, b = sorted([one, other])\nreturn (b + 0.05) / (a + 0.05)",
        "ratio = (one + 0.05) / (other + 0.05)\nreturn max(ratio, 1 / ratio)",
        """
        if one < other:
            one, other = other, one
        return (one + 0.05) / (other + 0.05)
        """,
        "return (20 * max(one, other) + 1) / (20 * min(one, other) + 1)",
    ],
    "08.10": [
        SUREST,
        """
        best, place = 0.99, None
        for n in range(len(digits)):
            if digits[n] == wanted and certainty[n] >= best - 1e-9:
                best, place = certainty[n], n
        return place
        """,
        """
        places = ((digits == wanted) & (certainty >= 0.99)).nonzero().flatten()
        if len(places) == 0:
            return None
        return places[certainty[places].argmax()]
        """,
        """
        for place in certainty.argsort(descending=True):
            if digits[place] == wanted:
                return place.item() if certainty[place] >= 0.99 else None
        return None
        """,
        """
        own = certainty * (digits == wanted)
        place = own.argmax().item()
        return place if own[place] >= 0.99 else None
        """,
    ],
}

WRONG: dict[str, list[tuple[str, str]]] = {
    "08.1": [
        ("linspace puts", "return torch.linspace(-1, 1, side)"),
        ("half a part", swap(CENTRES, (" + 0.5", ""))),
        ("half a part", swap(CENTRES, ("0.5", "1"))),
        ("times 2, minus 1", "return (torch.arange(side) + 0.5) / side"),
        ("minus 1", swap(CENTRES, (" - 1", ""))),
        ("each part is 2 / side", swap(CENTRES, ("(2 / side)", "(1 / side)"))),
        ("twice as wide", "return (torch.arange(side) + 0.5) / side - 0.5"),
        ("left to right", "return 1 - (torch.arange(side) + 0.5) * (2 / side)"),
        ("minus 1", "return torch.arange(side) + 0.5"),
        ("not their ends", "return torch.linspace(-1, 1, side + 1)"),
        ("one row", swap(CENTRES, ("- 1", "- torch.ones(side, side)"))),
        ("one tensor", "return [(n + 0.5) * 2 / side - 1 for n in range(side)]"),
        ("half a part", "return torch.arange(side) * 2 / (side - 1) - 1"),
    ],
    "08.2": [
        ("x first", swap(GRID, ("y, x =", "x, y ="))),
        ("x first", swap(GRID, ('"ij"', '"xy"'))),
        ("top to bottom", swap(GRID, ("[x, y,", "[x, -y,"))),
        ("not its square", swap(GRID, ("torch.hypot(x, y)", "x**2 + y**2"))),
        ("torch.hypot", swap(GRID, ("torch.hypot(x, y)", "x.abs() + y.abs()"))),
        ("torch.hypot", swap(GRID, ("torch.hypot(x, y)", "x + y"))),
        ("carries the bias", swap(GRID, ("ones_like", "zeros_like"))),
        (
            "in this order",
            swap(GRID, ("torch.hypot(x, y), torch.ones_like(x)", "x * 0 + 1, x.hypot(y)")),
        ),
        ("come last", swap(GRID, ("dim=2", "dim=0"))),
        ("come last", swap(GRID, ("dim=2", "dim=1"))),
        ("four numbers a point", swap(GRID, (", torch.ones_like(x)", ""))),
        ("no flatten", swap(GRID, ("dim=2)", "dim=2).flatten(0, 1)"))),
        ("from row to row", swap(GRID, ("[x, y,", "[x, x,"))),
    ],
    "08.3": [
        ("turn the points over", "return numbers @ points"),
        ("gradients must get through", "return (numbers @ points.T).detach()"),
        ("features first", "return points @ numbers.mT"),
        ("a picture each", "return numbers[0] @ points.T"),
        ("add up", "return numbers[:, :, None] * points"),
        ("N, then F, then P", "return (numbers @ points.T).permute(2, 0, 1)"),
        ("d times 1", "return numbers[..., :3] @ points[:, :3].T"),
        ("no abs", "return (numbers @ points.T).abs()"),
        ("no activation", "return (numbers @ points.T).relu()"),
        ("no activation", "return (numbers @ points.T).tanh()"),
        ("not their mean", "return (numbers[:, :, None] * points).mean(dim=3)"),
        ("d to 1", "return numbers.flip(2) @ points.T"),
        ("all with plus", "return -numbers @ points.T"),
    ],
    "08.4": [
        ("bias is missing", "return weight @ values"),
        ("plus the bias", "return weight @ values - bias[:, None]"),
        ("no activation", "return (weight @ values + bias[:, None]).relu()"),
        ("no activation", "return F.leaky_relu(weight @ values + bias[:, None], 0.2)"),
        ("bias[:, None]", "return weight @ values + bias"),
        ("bias[:, None]", "return weight @ values + bias.sum()"),
        ("bias[:, None]", "return weight @ values + bias.mean()"),
        ("not times", "return weight @ values * bias[:, None]"),
        ("weight @ values", "return values @ weight + bias[:, None]"),
        ("features before points", "return values.mT @ weight.T + bias"),
        ("a picture each", "return weight @ values[0] + bias[:, None]"),
        (
            "not the mean",
            "return weight @ values / values.shape[1] + bias[:, None] / values.shape[1]",
        ),
        ("make a new tensor", "values *= 2\nreturn weight @ values / 2 + bias[:, None]"),
    ],
    "08.5": [
        ("times side * side", swap(PRODUCTS, ("side * side * each", "each"))),
        ("side * side points", swap(PRODUCTS, ("side * side * each", "side * each"))),
        ("takes a * b", "return side * side * sum(widths)"),
        (
            "add their products",
            "total = side * side\nfor width in widths:\n    total *= width\nreturn total",
        ),
        ("from one width to the next", "return side * side * sum(w * w for w in widths)"),
        (
            "without the biases",
            "return side**2 * sum(a * b + b for a, b in zip(widths, widths[1:]))",
        ),
        ("not additions", swap(PRODUCTS, ("return side", "return 2 * side"))),
        ("takes a * b", "return side**2 * sum(a + b for a, b in zip(widths, widths[1:]))"),
        ("not the first alone", "return side * side * widths[0] * widths[1]"),
        ("not the last alone", "return side * side * widths[-2] * widths[-1]"),
        ("times side * side", swap(PRODUCTS, ("side * side * each", "side * side + each"))),
        ("return a number", swap(PRODUCTS, ("side * side * each", "str(side * side * each)"))),
        (
            "no pop",
            "each = 0\nwhile len(widths) > 1:\n    each += widths.pop() * widths[-1]\n"
            "return side * side * each",
        ),
    ],
    "08.6": [
        (
            "dim=2 and dim=3",
            swap(NEAREST, ("return tall.repeat_interleave(factor, dim=3)", "return tall")),
        ),
        ("dim=2 and dim=3", swap(NEAREST, ("dim=3", "dim=2"))),
        ("dim=2 and dim=3", swap(NEAREST, ("tall.repeat", "images.repeat"))),
        ("repeat_interleave", "return images.repeat(1, 1, factor, factor)"),
        ("repeat_interleave", "return images.repeat(1, 1, factor, 1).repeat_interleave(factor, 3)"),
        ("repeat_interleave", "return images.repeat_interleave(factor, 2).repeat(1, 1, 1, factor)"),
        ("no lines", "return F.interpolate(images, scale_factor=factor, mode='bilinear')"),
        ("no curves", "return F.interpolate(images, scale_factor=factor, mode='bicubic')"),
        ("as they are", swap(NEAREST, ("dim=3)", "dim=3) / factor**2"))),
        ("left stays left", swap(NEAREST, ("dim=3)", "dim=3).flip(3)"))),
        ("top stays top", swap(NEAREST, ("dim=3)", "dim=3).flip(2)"))),
        ("dim=2 and dim=3", "return images.repeat_interleave(factor, dim=0)"),
    ],
    "08.7": [
        ("first undo", "return torch.tanh(factor * images)"),
        ("between -1 and 1", "return factor * images"),
        ("torch.tanh(factor", "return (factor * images).clamp(-1, 1)"),
        ("not hard", "return images.sign()"),
        ("back again", "return factor * torch.atanh(images)"),
        ("flatter", "return torch.tanh(torch.atanh(images) / factor)"),
        ("not plus", "return torch.tanh(torch.atanh(images) + factor)"),
        ("no power", "return torch.tanh(torch.atanh(images) ** factor)"),
        ("torch.tanh(factor", "return images"),
        ("atanh first", "return torch.atanh(torch.tanh(images) * factor)"),
        ("not torch.tan", "return torch.tanh(torch.tan(images) * factor)"),
        ("light stays light", "return -torch.tanh(factor * torch.atanh(images))"),
        ("make a new tensor", "return images.atanh_().mul_(factor).tanh_()"),
    ],
    "08.8": [
        ("halve the sum", swap(WIDTH, (".sum() / 2", ".sum()"))),
        ("share of the height", swap(WIDTH, (" / len(image)", ""))),
        ("height once", swap(WIDTH, (" / len(image)", " / image.numel()"))),
        ("grey lies between", swap(WIDTH, ("< 0.8", "> 0.8"))),
        ("above -0.8", swap(WIDTH, ("image.abs() < 0.8", "image < 0.8"))),
        ("torch.hypot", swap(WIDTH, ("torch.hypot(down, right)", "(down.abs() + right.abs())"))),
        ("the root", swap(WIDTH, ("torch.hypot(down, right)", "(down**2 + right**2)"))),
        ("grey area divided", swap(WIDTH, ("grey / length", "length"))),
        ("not the other way", swap(WIDTH, ("grey / length", "length / grey"))),
        ("length of the edges", "return (image.abs() < 0.8).float().mean()"),
        ("down counts", swap(WIDTH, ("torch.hypot(down, right)", "right.abs()"))),
        ("right counts", swap(WIDTH, ("torch.hypot(down, right)", "down.abs()"))),
        ("no mean", swap(WIDTH, (".sum() / 2", ".mean() / 2"))),
    ],
    "08.9": [
        ("in whatever order", "return (one + 0.05) / (other + 0.05)"),
        ("in whatever order", "return (other + 0.05) / (one + 0.05)"),
        (
            "the lighter by the darker",
            swap(CONTRAST, ("max(one, other), min", "min(one, other), max")),
        ),
        ("no difference", "return abs(one - other)"),
        ("WCAG", "return abs(one - other) / (one + other)"),
        ("to both", swap(CONTRAST, ("light + 0.05", "light"))),
        ("to both", swap(CONTRAST, ("dark + 0.05", "dark"))),
        ("to both", "return max(one, other) / min(one, other)"),
        ("not 0.5", CONTRAST.replace("0.05", "0.5")),
        ("is 1", swap(CONTRAST, ("(dark + 0.05)", "(dark + 0.05) - 1"))),
        ("divide", swap(CONTRAST, (") / (", ") * ("))),
        ("plus 0.05", CONTRAST.replace("+ 0.05", "- 0.05")),
    ],
    "08.10": [
        ("read as `wanted`", "return int(certainty.argmax())"),
        (
            "not its certainty",
            "return certainty[digits == wanted].max() if wanted in digits else None",
        ),
        (
            "not the first",
            "right = (digits == wanted) & (certainty >= 0.99)\n"
            "return int(right.nonzero()[0]) if right.any() else None",
        ),
        (
            "not the first",
            "return int((digits == wanted).nonzero()[0]) if wanted in digits else None",
        ),
        (
            "among all pictures",
            "own = certainty[digits == wanted]\nreturn int(own.argmax()) if len(own) else None",
        ),
        ("not the digit", "return wanted"),
        ("return None below", "return int(torch.where(digits == wanted, certainty, 0).argmax())"),
        ("0.99 itself", swap(SUREST, (">= 0.99", "> 0.99"))),
        ("begin at 0", "return len(digits)"),
        ("==", swap(SUREST, ("digits == wanted", "digits != wanted"))),
        ("the surest: argmax", swap(SUREST, ("certainty, 0).argmax", "certainty, 9).argmin"))),
        ("make a new tensor", "certainty[digits != wanted] = 0\nreturn int(certainty.argmax())"),
        ("return None below", swap(SUREST, ("return None", "return -1"))),
    ],
}
