"""What students write for the exercises of lesson 6: right in many ways, and wrong in many.

An answer is the text below the exercise's first line (`HEADS`), or a whole cell where it begins
with its `def` or its name. With each wrong answer stand words that its verdict must hold.
"""

from __future__ import annotations

import math
from typing import Any

from helpers import define_answer, swap

NAMES = {
    "06.1": "sweep",
    "06.2": "typical_length",
    "06.3": "lerp",
    "06.4": "slerp",
    "06.5": "principal_directions",
    "06.6": "attribute_direction",
    "06.7": "find_latent",
    "06.8": "belief_along",
    "06.9": "base64_size",
}

HEADS = {
    "06.1": "def sweep(z, index, values):",
    "06.2": "def typical_length(dim, kind):",
    "06.3": "def lerp(a, b, t):",
    "06.4": "def slerp(a, b, t):",
    "06.5": "def principal_directions(latents, activations, count):",
    "06.6": "def attribute_direction(latents, scores):",
    "06.7": "def find_latent(G, target, z, steps, lr):",
    "06.8": "def belief_along(G, D, path):",
    "06.9": "def base64_size(count):",
}


def define(exercise_id: str, answer: str) -> Any:
    """The function that a notebook cell with this answer defines, after the cells before it."""
    name = NAMES[exercise_id]
    whole = (f"def {name}(", name)
    return define_answer(answer, name, HEADS[exercise_id], whole, math=math)


QUESTIONS: dict[str, list[tuple[Any, ...]]] = {  # what each check asks
    "06.1": [
        ([0.5, -1.0, 2.0, 0.25], 2, [-2.0, -0.5, 0.75, 3.0]),
        ([1.0, 0.5, -1.5, 0.0, 2.0], 4, [1.5, -2.5]),
    ],
    "06.3": [
        ([1.0, -2.0, 0.5, 3.0], [-1.0, 1.0, 2.0, 0.5], [0.0, 0.25, 0.7, 1.0]),
        ([2.0, 0.0, -1.0], [0.5, 1.5, 1.0], [0.4, 0.9]),
    ],
    "06.9": [(100,), (101,), (300,), (238529,)],
}

SWEEP = """\
path = z.repeat(len(values), 1)
path[:, index] = values
return path
"""

LENGTH = """\
mean_square = {"normal": 1, "uniform": 1 / 3}[kind]
return math.sqrt(dim * mean_square)
"""

LERP = """\
t = t[:, None]
return (1 - t) * a + t * b
"""

SLERP = """\
cosine = torch.dot(a / a.norm(), b / b.norm())
angle = torch.acos(cosine.clamp(-1, 1))
t = t[:, None]
return (torch.sin((1 - t) * angle) * a + torch.sin(t * angle) * b) / torch.sin(angle)
"""

DIRECTIONS = """\
centred = activations - activations.mean(dim=0)
_, _, axes = torch.linalg.svd(centred, full_matrices=False)
coordinates = centred @ axes[:count].T
directions = coordinates.T @ latents
return directions / directions.norm(dim=1, keepdim=True)
"""

ATTRIBUTE = """\
order = scores.argsort()
tenth = len(scores) // 10
return latents[order[-tenth:]].mean(dim=0) - latents[order[:tenth]].mean(dim=0)
"""

FIND = """\
z = z.clone().requires_grad_()
solver = torch.optim.Adam([z], lr=lr)
for _ in range(steps):
    loss = (G(z) - target).square().mean()
    solver.zero_grad()
    loss.backward()
    solver.step()
return z.detach()
"""

BELIEF = """\
with torch.no_grad():
    return torch.sigmoid(D(G(path))).flatten()
"""

RIGHT: dict[str, list[str]] = {
    "06.1": [
        SWEEP,
        """
        rows = []
        for value in values:
            row = z.clone()
            row[index] = value
            rows.append(row)
        return torch.stack(rows)
        """,
        """
        path = z.expand(len(values), -1).clone()
        path[:, index] = values
        return path
        """,
        """
        keep = F.one_hot(torch.tensor(index), len(z)).float()
        return z * (1 - keep) + values[:, None] * keep
        """,
        """
        same = z[None].repeat_interleave(len(values), dim=0)
        return same.index_copy(1, torch.tensor([index]), values[:, None])
        """,
    ],
    "06.2": [
        LENGTH,
        'return dim ** 0.5 if kind == "normal" else (dim / 3) ** 0.5',
        """
        if kind == "normal":
            return torch.tensor(float(dim)).sqrt()
        return torch.tensor(dim / 3).sqrt()
        """,
        """
        variance = {"normal": 1.0, "uniform": 2 ** 2 / 12}
        return math.hypot(*[math.sqrt(variance[kind])] * dim)
        """,
    ],
    "06.3": [
        LERP,
        "return a + t[:, None] * (b - a)",
        "return torch.lerp(a.expand(len(t), -1), b.expand(len(t), -1), t.unsqueeze(1))",
        "return torch.stack([(1 - s) * a + s * b for s in t])",
        "return torch.outer(1 - t, a) + torch.outer(t, b)",
    ],
    "06.4": [
        SLERP,
        """
        angle = torch.acos(F.cosine_similarity(a, b, dim=0))
        rows = [torch.sin((1 - s) * angle) * a + torch.sin(s * angle) * b for s in t]
        return torch.stack(rows) / torch.sin(angle)
        """,
        """
        angle = math.acos(float(a @ b / (a.norm() * b.norm())))
        first, second = ((1 - t) * angle).sin(), (t * angle).sin()
        return (torch.outer(first, a) + torch.outer(second, b)) / math.sin(angle)
        """,
        """
        alpha = ((a * b).sum() / (a.square().sum() * b.square().sum()).sqrt()).arccos()
        weights = torch.stack([torch.sin((1 - t) * alpha), torch.sin(t * alpha)], dim=1)
        return weights @ torch.stack([a, b]) / torch.sin(alpha)
        """,
    ],
    "06.5": [
        DIRECTIONS,
        """
        centred = activations - activations.mean(0, keepdim=True)
        values, vectors = torch.linalg.eigh(centred.T @ centred)
        axes = vectors.flip(1)[:, :count]
        return F.normalize((centred @ axes).T @ latents, dim=1)
        """,
        """
        centred = activations - activations.mean(dim=0)
        U, S, V = torch.linalg.svd(centred, full_matrices=False)
        return F.normalize((U[:, :count] * S[:count]).T @ latents, dim=1)
        """,
        """
        centred = activations - activations.mean(dim=0)
        axes = torch.linalg.svd(centred, full_matrices=False).Vh
        rows = []
        for axis in axes[:count]:
            coordinate = centred @ axis
            direction = (coordinate[:, None] * latents).sum(dim=0)
            rows.append(-direction / direction.norm())
        return torch.stack(rows)
        """,
        """
        centred = activations - activations.mean(dim=0)
        axes = torch.linalg.svd(centred, full_matrices=False).Vh[:count]
        directions = (centred @ axes.T).T @ (latents - latents.mean(dim=0))
        return directions / directions.norm(dim=1)[:, None]
        """,
    ],
    "06.6": [
        ATTRIBUTE,
        """
        tenth = len(scores) // 10
        high = scores.topk(tenth).indices
        low = scores.topk(tenth, largest=False).indices
        return latents[high].mean(dim=0) - latents[low].mean(dim=0)
        """,
        """
        tenth = scores.numel() // 10
        ordered = latents[scores.argsort(descending=True)]
        return ordered[:tenth].mean(0) - ordered[-tenth:].mean(0)
        """,
        """
        pairs = sorted(zip(scores.tolist(), latents), key=lambda pair: pair[0])
        tenth = int(len(pairs) / 10)
        rows = [latent for _, latent in pairs]
        return torch.stack(rows[-tenth:]).mean(0) - torch.stack(rows[:tenth]).mean(0)
        """,
    ],
    "06.7": [
        FIND,
        """
        found = z.detach().clone()
        found.requires_grad = True
        adam = torch.optim.Adam([found], lr)
        for step in range(steps):
            adam.zero_grad()
            F.mse_loss(G(found), target).backward()
            adam.step()
        return found.detach()
        """,
        """
        z = torch.nn.Parameter(z.clone())
        solver = torch.optim.Adam([z], lr=lr)
        for _ in range(steps):
            solver.zero_grad(set_to_none=True)
            ((G(z) - target) ** 2).mean().backward()
            solver.step()
        return z.data
        """,
        """
        z = z.clone().requires_grad_()
        solver = torch.optim.Adam([z], lr=lr)
        for _ in range(steps):
            loss = ((target - G(z)) ** 2).mean()
            (z.grad,) = torch.autograd.grad(loss, z)
            solver.step()
        return z.detach().clone()
        """,
    ],
    "06.8": [
        BELIEF,
        """
        with torch.no_grad():
            return D(G(path)).sigmoid().squeeze(1)
        """,
        """
        logits = D(G(path)).detach().view(-1)
        return 1 / (1 + torch.exp(-logits))
        """,
        """
        with torch.inference_mode():
            return torch.stack([torch.sigmoid(D(G(z[None])))[0, 0] for z in path])
        """,
    ],
    "06.9": [
        "return 4 * math.ceil(2 * count / 3)",
        "return (2 * count + 2) // 3 * 4",
        "return -(-2 * count // 3) * 4",
        """
        import base64
        return len(base64.b64encode(bytes(2 * count)))
        """,
        """
        groups, left = divmod(2 * count, 3)
        if left:
            groups += 1
        return 4 * groups
        """,
    ],
}

WRONG: dict[str, list[tuple[str, str]]] = {
    "06.1": [
        ("path[:, index] = values is missing", "return z.repeat(len(values), 1)"),
        ("=, not +=", swap(SWEEP, ("index] = values", "index] += values"))),
        ("=, not *=", swap(SWEEP, ("index] = values", "index] *= values"))),
        ("fills a row", swap(SWEEP, ("path[:, index]", "path[index]"))),
        ("counted from 0", swap(SWEEP, ("path[:, index]", "path[:, index - 1]"))),
        ("not always the first", swap(SWEEP, ("path[:, index]", "path[:, 0]"))),
        (
            "the other coordinates are those of z",
            "path = torch.zeros(len(values), len(z))\npath[:, index] = values\nreturn path",
        ),
        ("alone runs", "return z + values[:, None]"),
        (
            "the values that are given",
            swap(SWEEP, ("= values", "= torch.linspace(-3, 3, len(values))")),
        ),
        ("in the order", swap(SWEEP, ("= values", "= values.flip(0)"))),
        ("a value of its own", swap(SWEEP, ("= values", "= values[-1]"))),
        ("z.clone()", "z[index] = values[0]\nreturn z.repeat(len(values), 1)"),
        (
            "expand makes no copies",
            "path = z.expand(len(values), -1)\npath[:, index] = values\nreturn path",
        ),
        (
            "one copy of z for each value",
            swap(SWEEP, ("repeat(len(values), 1)", "repeat(len(z), 1)")),
        ),
        ("make room", "z = z.clone()\nz[index] = values\nreturn z"),
    ],
    "06.2": [
        ("take its root", 'return dim if kind == "normal" else dim / 3'),
        ("1/3, not 1", "return math.sqrt(dim)"),
        ("the uniform noise", "return math.sqrt(dim / 3)"),
        ("stands under the root", 'return math.sqrt(dim) / (1 if kind == "normal" else 3)'),
        ("a width of 1", 'return math.sqrt(dim if kind == "normal" else dim / 12)'),
        ("divide by 3", 'return math.sqrt(dim if kind == "normal" else 3 * dim)'),
        ("not its square", 'return dim ** 2 if kind == "normal" else dim ** 2 / 9'),
        ("divide it by the width", 'return math.sqrt(dim if kind == "normal" else 2 * dim / 3)'),
        ("1/2 is that of |z|", 'return math.sqrt(dim if kind == "normal" else dim / 2)'),
        ("their squares are not", "return 0"),
        (
            "no sampling",
            'return float(torch.randn(1000, dim).norm(dim=1).mean()) if kind == "normal" '
            "else math.sqrt(dim / 3)",
        ),
        ("one number", "return torch.full((3,), float(dim)).sqrt()"),
        ("math.sqrt", "return torch.sqrt(dim)"),
    ],
    "06.3": [
        ("swap the two", "t = t[:, None]\nreturn t * a + (1 - t) * b"),
        ("a has the factor 1 - t", "return a + t[:, None] * b"),
        ("not (a - b)", "return a + t[:, None] * (a - b)"),
        ("begin with a, not with b", "return b + t[:, None] * (b - a)"),
        ("begin with a", "return t[:, None] * (b - a)"),
        ("not minus", "t = t[:, None]\nreturn (1 - t) * a - t * b"),
        ("brackets", "t = t[:, None]\nreturn 1 - t * a + t * b"),
        ("the middle for every t", "return ((a + b) / 2).expand(len(t), -1)"),
        (
            "not be evenly spaced",
            "t = torch.linspace(0, 1, len(t))[:, None]\nreturn (1 - t) * a + t * b",
        ),
        ("the arc comes next", SLERP),
        ("t[:, None]", "return (1 - t) * a + t * b"),
        ("make a new tensor", "t = t[:, None]\na *= 1 - t[0]\nreturn (1 - t) * a + t * b"),
        ("no easing", "t = (3 * t**2 - 2 * t**3)[:, None]\nreturn (1 - t) * a + t * b"),
        ("expected 1.25 at [2, 3], got 3.35", "return a + t[:, None] * b"),
    ],
    "06.4": [
        ("the straight line", LERP),
        (
            "swap the two",
            swap(
                SLERP,
                ("angle) * a", "angle) * x"),
                ("angle) * b", "angle) * a"),
                ("angle) * x", "angle) * b"),
            ),
        ),
        ("divide by sin(angle)", swap(SLERP, (" / torch.sin(angle)", ""))),
        ("not by the angle", swap(SLERP, (" / torch.sin(angle)", " / angle"))),
        ("unit vectors", swap(SLERP, ("a / a.norm(), b / b.norm()", "a, b"))),
        ("unit vectors", swap(SLERP, ("a / a.norm(), b / b.norm()", "a / a.norm(), b"))),
        ("torch.acos of it", swap(SLERP, ("torch.acos(cosine.clamp(-1, 1))", "cosine"))),
        ("not cos", swap(SLERP, ("torch.acos", "torch.cos"))),
        ("not asin", swap(SLERP, ("torch.acos", "torch.asin"))),
        ("sines, not cosines", SLERP.replace("torch.sin(", "torch.cos(")),
        (
            "inside the sine",
            swap(
                SLERP,
                ("torch.sin(t * angle)", "torch.sin(t) * angle"),
                ("torch.sin((1 - t) * angle)", "torch.sin(1 - t) * angle"),
            ),
        ),
        ("divides the whole sum", swap(SLERP, ("return (", "return "), ("* b) /", "* b /"))),
        ("a and b themselves", "a, b = a / a.norm(), b / b.norm()\n" + SLERP),
        (
            "uneven steps",
            "t = t[:, None]\nline = F.normalize((1 - t) * a + t * b, dim=1)\n"
            "return line * ((1 - t) * a.norm() + t * b.norm())",
        ),
        (
            "no degrees",
            swap(
                SLERP,
                (
                    "angle = torch.acos(cosine.clamp(-1, 1))",
                    "angle = torch.rad2deg(torch.acos(cosine))",
                ),
            ),
        ),
    ],
    "06.5": [
        ("its own mean", swap(DIRECTIONS, (" - activations.mean(dim=0)", ""))),
        ("its own mean", swap(DIRECTIONS, ("mean(dim=0)", "mean()"))),
        (
            "no division by the standard",
            DIRECTIONS.replace(
                "_, _, axes", "centred = centred / activations.std(dim=0)\n_, _, axes"
            ),
        ),
        ("axes[:count]", swap(DIRECTIONS, ("axes[:count].T", "axes[:, :count]"))),
        ("the largest variance first", swap(DIRECTIONS, ("axes[:count]", "axes[-count:]"))),
        ("by its length", swap(DIRECTIONS, (" / directions.norm(dim=1, keepdim=True)", ""))),
        ("norm(dim=1, keepdim=True)", swap(DIRECTIONS, ("dim=1, keepdim=True", ""))),
        (
            "those of the latents",
            swap(
                DIRECTIONS,
                ("svd(centred,", "svd(latents - latents.mean(dim=0),"),
                (
                    "coordinates = centred @ axes[:count].T\ndirections = coordinates.T @ latents",
                    "directions = axes[:count]",
                ),
            ),
        ),
        (
            "axes among activations",
            "centred = activations - activations.mean(dim=0)\n"
            "return torch.linalg.svd(centred, full_matrices=False).Vh[:count]",
        ),
        (
            "a row for each direction",
            swap(
                DIRECTIONS,
                ("keepdim=True)", "keepdim=True)).T"),
                ("return directions", "return (directions"),
            ),
        ),
        ("`count` directions", swap(DIRECTIONS, ("axes[:count]", "axes"))),
        (
            "leads back",
            swap(DIRECTIONS, ("directions = coordinates.T @ latents", "directions = coordinates")),
        ),
        ("make a new tensor", "activations -= activations.mean(dim=0)\n" + DIRECTIONS),
        (
            "largest",
            swap(
                DIRECTIONS,
                (
                    "_, _, axes = torch.linalg.svd(centred, full_matrices=False)",
                    "axes = torch.linalg.eigh(centred.T @ centred)[1].T",
                ),
            ),
        ),
    ],
    "06.6": [
        (
            "swap the two",
            swap(ATTRIBUTE, ("-tenth:", "x"), (":tenth", "-tenth:"), ("[x]", "[:tenth]")),
        ),
        ("not the sum", ATTRIBUTE.replace("mean(", "sum(")),
        (
            "minus the mean",
            "order = scores.argsort()\nreturn latents[order[-(len(scores) // 10):]].mean(dim=0)",
        ),
        ("minus, not plus", swap(ATTRIBUTE, (".mean(dim=0) - ", ".mean(dim=0) + "))),
        (
            "not that of all",
            "order = scores.argsort()\nhigh = latents[order[-(len(scores) // 10):]]\n"
            "return high.mean(dim=0) - latents.mean(dim=0)",
        ),
        (
            "no division by its length",
            swap(
                ATTRIBUTE,
                ("return ", "return F.normalize("),
                ("[:tenth]].mean(dim=0)", "[:tenth]].mean(dim=0), dim=0)"),
            ),
        ),
        ("argsort once", swap(ATTRIBUTE, ("scores.argsort()", "scores.argsort().argsort()"))),
        (
            "by their scores",
            "tenth = len(scores) // 10\n"
            "return latents[-tenth:].mean(dim=0) - latents[:tenth].mean(dim=0)",
        ),
        (
            "not a half",
            "above = scores > scores.median()\n"
            "return latents[above].mean(dim=0) - latents[~above].mean(dim=0)",
        ),
        (
            "not a fixed bound",
            "return latents[scores > 0.5].mean(dim=0) - latents[scores < 0.5].mean(dim=0)",
        ),
        ("all of the tenth", swap(ATTRIBUTE, ("-tenth:", "-tenth:-1"))),
        ("most extreme one alone", "return latents[scores.argmax()] - latents[scores.argmin()]"),
        ("dim=0", ATTRIBUTE.replace("mean(dim=0)", "mean()")),
        ("not the median", ATTRIBUTE.replace("mean(dim=0)", "median(dim=0).values")),
        ("x[indices]", "o = scores.argsort()\nreturn o[-3:].mean(0) - o[:3].mean(0)"),
        ("//", "o = scores.argsort()\nn = len(o) / 10\nreturn latents[o[-n:]].mean(0)"),
    ],
    "06.7": [
        ("with no minus", swap(FIND, ("loss = (", "loss = -("))),
        ("zero_grad", swap(FIND, ("    solver.zero_grad()\n", ""))),
        ("came back as it was", swap(FIND, ("    solver.step()\n", ""))),
        ("after the loop", swap(FIND, ("return z.detach()", "    return z.detach()"))),
        ("square", swap(FIND, (".square().mean()", ".mean()"))),
        ("square", swap(FIND, (".square().mean()", ".mean().square()"))),
        ("no absolute values", swap(FIND, (".square()", ".abs()"))),
        ("the target is missing", swap(FIND, ("(G(z) - target)", "G(z)"))),
        ("search with a copy", swap(FIND, ("z.clone()", "z"))),
        ("z.detach()", swap(FIND, ("return z.detach()", "return z"))),
        ("not its picture", swap(FIND, ("return z.detach()", "return G(z).detach()"))),
        ("return z, not the loss", swap(FIND, ("return z.detach()", "return loss.detach()"))),
        ("a list for the solver", swap(FIND, ("Adam([z]", "Adam(z"))),
        ("use the argument", swap(FIND, ("range(steps)", "range(400)"))),
        (
            "inside the loop",
            "z = z.clone().requires_grad_()\nsolver = torch.optim.Adam([z], lr=lr)\n"
            "loss = (G(z) - target).square().mean()\nfor _ in range(steps):\n"
            "    solver.zero_grad()\n    loss.backward()\n    solver.step()\nreturn z.detach()",
        ),
        ("requires_grad_() first", swap(FIND, ("z.clone().requires_grad_()", "z.clone()"))),
        ("torch.optim.Adam, as asked", swap(FIND, ("optim.Adam", "optim.SGD"))),
        ("torch.optim.Adam, as asked", swap(FIND, ("optim.Adam", "optim.AdamW"))),
        ("give it lr as asked", swap(FIND, ("lr=lr", "lr=0.1"))),
        ("in the brackets of find_latent", swap(FIND, ("G(z)", "nn.Linear(784, 12)(z)"))),
        (
            "once, before the loop",
            swap(
                FIND,
                ("solver = torch.optim.Adam([z], lr=lr)\n", ""),
                ("    loss =", "    solver = torch.optim.Adam([z], lr=lr)\n    loss ="),
            ),
        ),
    ],
    "06.8": [
        ("those are logits", "with torch.no_grad():\n    return D(G(path)).flatten()"),
        ("a plain row", swap(BELIEF, (".flatten()", ""))),
        ("no_grad", "return torch.sigmoid(D(G(path))).flatten()"),
        ("D judges", "with torch.no_grad():\n    return torch.sigmoid(G(path))"),
        (
            "not 1 minus it",
            swap(BELIEF, ("torch.sigmoid(D(G(path)))", "(1 - torch.sigmoid(D(G(path))))")),
        ),
        ("not two", swap(BELIEF, (".flatten()", ".flatten().sigmoid()"))),
        ("without a logarithm", swap(BELIEF, (".flatten()", ".flatten().log()"))),
        (
            "no softmax",
            swap(
                BELIEF,
                ("torch.sigmoid(D(G(path))).flatten()", "D(G(path)).flatten().softmax(dim=0)"),
            ),
        ),
        ("not tanh", BELIEF.replace("torch.sigmoid", "torch.tanh")),
        ("no rounding", swap(BELIEF, (".flatten()", ".flatten().round()"))),
        ("no mean", swap(BELIEF, (".flatten()", ".mean()"))),
        ("no percent", swap(BELIEF, ("return ", "return 100 * "))),
        ("at the end", swap(BELIEF, ("torch.sigmoid(D(G(path)))", "D(torch.sigmoid(G(path)))"))),
    ],
    "06.9": [
        ("each 3 of them become 4 characters", "return 2 * count"),
        ("2 bytes for a weight", "return 4 * count"),
        ("2 bytes for a weight, not 4", "return 4 * math.ceil(4 * count / 3)"),
        ("2 * count of them", "return 4 * math.ceil(count / 3)"),
        ("16 bits are 2 bytes", "return 4 * math.ceil(8 * count / 3)"),
        ("round up", "return 4 * (2 * count // 3)"),
        ("round up", "return 8 * count / 3"),
        ("if none is left over", "return 4 * (2 * count // 3 + 1)"),
        ("first round up", "return math.ceil(8 * count / 3)"),
        ("not the other way round", "return 3 * math.ceil(2 * count / 4)"),
        ("4 characters for each group", "return math.ceil(2 * count / 3)"),
        ("an int", "return float(4 * math.ceil(2 * count / 3))"),
        ("round up once", "return 2 * 4 * math.ceil(count / 3)"),
    ],
}
