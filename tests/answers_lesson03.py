"""What students write for the exercises of lesson 3: right in many ways, and wrong in many.

An answer is the text below the exercise's first line (`HEADS`), or a whole cell where it begins
with its `def` or its name. With each wrong answer stand words that its verdict must hold.
"""

from __future__ import annotations

import statistics
from typing import Any

from helpers import define_answer, swap

NAMES = {
    "03.1": "bce_gradients",
    "03.2": "ls_discriminator_loss",
    "03.3": "ls_generator_loss",
    "03.4": "ls_gradients",
    "03.5": "best_score",
    "03.6": "compare",
    "03.7": "simultaneous_step",
    "03.8": "alternating_step",
}

HEADS = {
    "03.1": "def bce_gradients(scores):",
    "03.2": "def ls_discriminator_loss(scores_real, scores_fake):",
    "03.3": "def ls_generator_loss(scores_fake):",
    "03.4": "def ls_gradients(scores):",
    "03.5": "def best_score(p, q, a, b):",
    "03.6": "def compare(first, second):",
    "03.7": "def simultaneous_step(x, y, lr):",
    "03.8": "def alternating_step(x, y, lr):",
}


def define(exercise_id: str, answer: str) -> Any:
    """The function that a notebook cell with this answer defines."""
    name = NAMES[exercise_id]
    whole = (f"def {name}(", name)
    return define_answer(answer, name, HEADS[exercise_id], whole, statistics=statistics)


_P, _Q = [0.5, 0.2, 0.9, 0.0], [0.5, 0.6, 0.1, 0.3]

QUESTIONS: dict[str, list[tuple[Any, ...]]] = {  # what each check asks
    "03.1": [([-3.0, -0.5, 0.25, 2.0],), ([[0.8], [-1.5]],)],
    "03.2": [
        ([[2.0], [0.4], [-1.3]], [[0.7], [-1.2]]),
        ([[0.5]] * 4, [[0.5]] * 4),
    ],
    "03.3": [([[2.5], [-1.0], [0.25]],), ([[0.5]] * 4,)],
    "03.4": [([-3.0, -0.5, 0.25, 2.0],), ([[0.8], [-1.5]],)],
    "03.5": [(_P, _Q, -0.5, 2.0), (_P, _Q, 0.0, 1.0)],
    "03.6": [
        ([52.0, 47.0, 55.0], [61.0, 70.0, 58.0]),
        ([61.0, 70.0, 58.0], [52.0, 47.0, 55.0]),
        ([40.0, 45.0, 63.0], [64.0, 62.0, 90.0]),
        ([66.0, 61.0, 90.0], [40.0, 64.0, 50.0]),
        ([30.0, 50.0, 99.0], [40.0, 41.0, 42.0]),
        ([10.0, 50.0, 52.0], [30.0, 40.0, 49.0]),
        ([30.0, 31.0, 60.0], [40.0, 41.0, 55.0]),
        ([50.0, 40.0], [50.0, 60.0, 70.0]),
        ([9.0, 8.0, 7.0], [100.0, 10.0, 30.0]),
    ],
    "03.7": [(2.0, 1.3, 0.4), (-1.5, 0.7, 0.2)],
    "03.8": [(2.0, 1.3, 0.4), (-1.5, 0.7, 0.2)],
}


BCE = """\
d_real = torch.sigmoid(scores) - 1
d_fake = torch.sigmoid(scores)
g_fake = torch.sigmoid(scores) - 1
return d_real, d_fake, g_fake
"""

D_LOSS = """\
loss_real = 0.5 * ((scores_real - 1) ** 2).mean()
loss_fake = 0.5 * (scores_fake**2).mean()
return loss_real + loss_fake
"""

G_LOSS = """\
return 0.5 * ((scores_fake - 1) ** 2).mean()
"""

LS = """\
d_real = scores - 1
d_fake = scores
g_fake = scores - 1
return d_real, d_fake, g_fake
"""

BEST = """\
return (b * p + a * q) / (p + q)
"""

COMPARE = """\
if max(first) < min(second):
    return "first"
elif max(second) < min(first):
    return "second"
else:
    return "undecided"
"""

AT_ONCE = """\
new_x = x - lr * y
new_y = y + lr * x
return new_x, new_y
"""

IN_TURNS = """\
x = x - lr * y
y = y + lr * x
return x, y
"""


def by(number: str) -> str:
    """An answer that compares one number of each list."""
    return f"""
    one, two = {number}(first), {number}(second)
    if one < two:
        return "first"
    return "second" if two < one else "undecided"
    """


RIGHT: dict[str, list[str]] = {
    "03.1": [
        BCE,
        "return -torch.sigmoid(-scores), scores.sigmoid(), -torch.sigmoid(-scores)",
        """
        s = scores.clone().requires_grad_()
        terms = F.softplus(-s), F.softplus(s), -F.logsigmoid(s)
        return tuple(torch.autograd.grad(term.sum(), s)[0] for term in terms)
        """,
        """
        belief = 1 / (1 + torch.exp(-scores))
        return [belief - label for label in (1, 0, 1)]
        """,
        """
        real = scores.exp() / (1 + scores.exp()) - 1
        return real, 1 + real, real.clone()
        """,
    ],
    "03.2": [
        D_LOSS,
        """
        real = F.mse_loss(scores_real, torch.ones_like(scores_real))
        fake = F.mse_loss(scores_fake, torch.zeros_like(scores_fake))
        return (real + fake) / 2
        """,
        "return ((1 - scores_real).pow(2).mean() + scores_fake.square().mean()) / 2",
        """
        real, fake = scores_real.flatten() - 1, scores_fake.flatten()
        return 0.5 * (real @ real / len(real) + fake @ fake / len(fake))
        """,
        """
        criterion = nn.MSELoss()
        loss = 0
        for scores, label in ((scores_real, 1.0), (scores_fake, 0.0)):
            loss = loss + 0.5 * criterion(scores, torch.full_like(scores, label))
        return loss
        """,
        "return sum((s - t).square().sum() / (2 * s.numel()) for s, t in ((scores_real, 1), "
        "(scores_fake, 0)))",
    ],
    "03.3": [
        G_LOSS,
        "return (1 - scores_fake).square().mean() / 2",
        "return 0.5 * F.mse_loss(scores_fake, torch.ones_like(scores_fake))",
        "return torch.sum((scores_fake - 1) * (scores_fake - 1)) / len(scores_fake) / 2",
        "ls_generator_loss = lambda s: (s**2 / 2 - s + 0.5).mean()",
    ],
    "03.4": [
        LS,
        "return [scores - label for label in (1, 0, 1)]",
        """
        s = scores.clone().requires_grad_()
        loss = lambda label: (0.5 * (s - label) ** 2).sum()
        return tuple(torch.autograd.grad(loss(label), s)[0] for label in (1.0, 0.0, 1.0))
        """,
        """
        ones = torch.ones_like(scores)
        return scores - ones, scores - 0 * ones, scores - ones
        """,
        "real = scores.sub(1)\nreturn real, real + 1, real",
    ],
    "03.5": [
        BEST,
        "return a + (b - a) * p / (p + q)",
        "real = p / (p + q)\nreturn real * b + (1 - real) * a",
        "total = p + q\nreturn b * (p / total) + a * (q / total)",
        "return torch.lerp(torch.full_like(p, a), torch.full_like(p, b), p / (p + q))",
    ],
    "03.6": [
        COMPARE,
        """
        if all(a < b for a in first for b in second):
            return "first"
        if all(b < a for a in first for b in second):
            return "second"
        return "undecided"
        """,
        """
        first, second = sorted(first), sorted(second)
        answer = "undecided"
        if first[-1] < second[0]:
            answer = "first"
        if second[-1] < first[0]:
            answer = "second"
        return answer
        """,
        """
        a, b = torch.tensor(first), torch.tensor(second)
        if (a[:, None] < b).all():
            return 'first'
        return 'second' if (a[:, None] > b).all() else 'undecided'
        """,
        """
        overlap = max(first) >= min(second) and max(second) >= min(first)
        return "undecided" if overlap else "first" if min(first) < min(second) else "second"
        """,
    ],
    "03.7": [
        AT_ONCE,
        "return x - lr * y, y + lr * x",
        "x, y = x - lr * y, y + lr * x\nreturn x, y",
        "old = x\nx -= lr * y\ny += lr * old\nreturn [x, y]",
        """
        x, y = torch.tensor(x, requires_grad=True), torch.tensor(y, requires_grad=True)
        slope_x, slope_y = torch.autograd.grad(x * y, (x, y))
        return x - lr * slope_x, y + lr * slope_y
        """,
    ],
    "03.8": [
        IN_TURNS,
        "x -= lr * y\ny += lr * x\nreturn x, y",
        "new = x - lr * y\nreturn new, y + lr * new",
        "return x - lr * y, y + lr * x - lr**2 * y",
        "return [x - lr * y, torch.tensor(y + lr * (x - lr * y))]",
    ],
}

WRONG: dict[str, list[tuple[str, str]]] = {
    "03.1": [
        ("label 1: sigmoid(s) - 1", swap(BCE, ("return d_real", "return d_fake"))),
        ("label 0 in D's step", swap(BCE, ("d_real, d_fake, g", "d_real, g_fake, g"))),
        ("the saturating loss", swap(BCE, ("d_fake, g_fake", "d_fake, -d_fake"))),
        ("G labels its fakes as 1", swap(BCE, ("d_fake, g_fake", "d_fake, d_fake"))),
        ("D on a real image: the other sign", "d = scores.sigmoid()\nreturn 1 - d, -d, 1 - d"),
        ("D on a fake: the other sign", swap(BCE, ("d_real, d_fake", "d_real, -d_fake"))),
        ("no division by how many", swap(BCE, ("return ", "d_real /= 4\nreturn "))),
        ("D on a fake: for each score", swap(BCE, ("return ", "d_fake = d_fake / 4\nreturn "))),
        ("logarithm, no square", "return scores - 1, scores, scores - 1"),
        ("between -1 and 1", swap(BCE, ("d_fake = torch.sigmoid(scores)", "d_fake = scores"))),
        ("by the score, not by D(x)", "d = scores.sigmoid()\nreturn -1 / d, 1 / (1 - d), -1 / d"),
        (
            "D on a fake: by the score",
            swap(BCE, ("d_fake = torch.sigmoid(scores)", "d_fake = 1 / (1 - scores.sigmoid())")),
        ),
        ("the sigmoid alone", "d = scores.sigmoid()\nreturn (d * (1 - d),) * 3"),
        ("its derivative is asked", "return F.softplus(-scores), F.softplus(scores), scores"),
        ("one value for each entry", swap(BCE, ("return d_real", "return d_real.mean()"))),
        ("keep the shape", swap(BCE, ("return d_real", "return d_real[:, None]"))),
        ("minus the label", swap(BCE, ("return d_real", "return d_real + 0.1"))),
        ("return all three", swap(BCE, (", g_fake\n", "\n"))),
        ("return all three", "return torch.sigmoid(scores) - 1"),
        ("return missing", swap(BCE, ("return ", "found = "))),
        ("return a tensor", swap(BCE, ("d_fake, g_fake\n", "d_fake, None\n"))),
        ("is it spelled", "return sigmoid(scores) - 1, sigmoid(scores), sigmoid(scores) - 1"),
        ("make a new tensor", "scores.sigmoid_()\nreturn scores - 1, scores, scores - 1"),
    ],
    "03.2": [
        ("the ½ before each square", D_LOSS.replace("0.5 * ", "")),
        ("the ½ before the real half", swap(D_LOSS, ("0.5 * ((", "(("))),
        ("the ½ before the fakes' half", swap(D_LOSS, ("0.5 * (scores_fake", "(scores_fake"))),
        (
            "has its ½ already",
            swap(D_LOSS, ("loss_real + loss_fake", "(loss_real + loss_fake) / 2")),
        ),
        ("not the sum", D_LOSS.replace("mean", "sum")),
        ("not the sum", D_LOSS.replace("mean", "sum").replace("0.5 * ", "")),
        (
            "other way round",
            "return 0.5 * scores_real.square().mean() + 0.5 * (scores_fake - 1).square().mean()",
        ),
        (
            "other way round",
            "return scores_real.square().mean() + (scores_fake - 1).square().mean()",
        ),
        ("label 0 in D's step", swap(D_LOSS, ("(scores_fake**2)", "((scores_fake - 1) ** 2)"))),
        ("label 1: subtract it", swap(D_LOSS, ("scores_real - 1", "scores_real"))),
        ("here, not -1", swap(D_LOSS, ("(scores_fake**2)", "((scores_fake + 1) ** 2)"))),
        ("the fakes' half is missing", swap(D_LOSS, (" + loss_fake", ""))),
        ("the real half is missing", swap(D_LOSS, ("loss_real + ", ""))),
        ("plus: both halves", swap(D_LOSS, ("loss_real + loss", "loss_real - loss"))),
        (
            "no minus",
            swap(D_LOSS, ("return loss_real + loss_fake", "return -loss_real - loss_fake")),
        ),
        (
            "its own mean",
            "return 0.5 * torch.cat([scores_real - 1, scores_fake]).square().mean()",
        ),
        ("its own mean", "return torch.cat([scores_real - 1, scores_fake]).square().mean()"),
        (
            "no sigmoid",
            "scores_real, scores_fake = scores_real.sigmoid(), scores_fake.sigmoid()\n" + D_LOSS,
        ),
        (
            "that is cross-entropy",
            "return F.softplus(-scores_real).mean() + F.softplus(scores_fake).mean()",
        ),
        (
            "its absolute value",
            "return 0.5 * (scores_real - 1).abs().mean() + 0.5 * scores_fake.abs().mean()",
        ),
        (
            "first the square",
            "return 0.5 * (scores_real.mean() - 1) ** 2 + 0.5 * scores_fake.mean() ** 2",
        ),
        (
            "print both shapes",
            "return (0.5 * (scores_real - 1) ** 2 + 0.5 * scores_fake**2).mean()",
        ),
        ("plus ½ of the mean", swap(D_LOSS, ("scores_real - 1", "scores_real - 2"))),
        (
            "is a .mean() missing?",
            "return 0.5 * (scores_real[:2] - 1) ** 2 + 0.5 * scores_fake**2",
        ),
        ("training needs the gradient", D_LOSS.replace("mean()", "mean().item()")),
        (
            "training needs the gradient",
            swap(D_LOSS, ("return", "with torch.no_grad(): return"))
            .replace("loss_fake\n", "loss_fake.detach()\n")
            .replace("loss_real +", "loss_real.detach() +"),
        ),
        (
            "every score needs its gradient",
            swap(D_LOSS, ("(scores_fake**2)", "(scores_fake.detach() ** 2)")),
        ),
        ("return missing", swap(D_LOSS, ("return ", ""))),
        ("is it spelled", swap(D_LOSS, ("return loss_real", "return loss_reel"))),
    ],
    "03.3": [
        ("the ½ before the square", swap(G_LOSS, ("0.5 * ", ""))),
        ("not the sum", swap(G_LOSS, ("mean", "sum"))),
        ("not the sum", swap(G_LOSS, ("mean", "sum"), ("0.5 * ", ""))),
        ("scored 1, not 0", swap(G_LOSS, (" - 1", ""))),
        ("scored 1, not 0", "return F.mse_loss(scores_fake, torch.zeros_like(scores_fake))"),
        ("D's loss with a minus", "return -0.5 * scores_fake.square().mean()"),
        ("not the draw", swap(G_LOSS, ("- 1", "- 0.5"))),
        ("no minus", swap(G_LOSS, ("return ", "return -"))),
        ("no sigmoid", swap(G_LOSS, ("scores_fake", "scores_fake.sigmoid()"))),
        ("that is cross-entropy", "return F.softplus(-scores_fake).mean()"),
        (
            "that is cross-entropy",
            "return F.binary_cross_entropy_with_logits(scores_fake, torch.ones_like(scores_fake))",
        ),
        ("its absolute value", "return 0.5 * (scores_fake - 1).abs().mean()"),
        ("first the square", "return 0.5 * (scores_fake.mean() - 1) ** 2"),
        ("is a .mean() missing?", swap(G_LOSS, (".mean()", ""))),
        ("of the mean of (score", swap(G_LOSS, ("- 1", "+ 1"))),
        ("training needs the gradient", swap(G_LOSS, ("mean()", "mean().detach()"))),
        ("training needs the gradient", swap(G_LOSS, ("mean()", "mean().item()"))),
        (
            "every score needs its gradient",
            "loss = 0.5 * (scores_fake - 1).square().mean()\nreturn 2 * loss - loss.detach()",
        ),
        ("or change weights under", "scores_fake -= 1\nreturn 0.5 * scores_fake.square().mean()"),
        ("return missing", swap(G_LOSS, ("return ", ""))),
        ("count the arguments", "return ls_generator_loss(scores_fake, 1)"),
    ],
    "03.4": [
        ("cancels the 2", "return 2 * (scores - 1), 2 * scores, 2 * (scores - 1)"),
        ("has a 2, which", "return (scores - 1) / 2, scores / 2, (scores - 1) / 2"),
        ("no sigmoid here", "d = scores.sigmoid()\nreturn d - 1, d, d - 1"),
        ("real images have label 1", swap(LS, ("return d_real", "return d_fake"))),
        ("fakes have label 0", swap(LS, ("d_real, d_fake, g", "d_real, g_fake, g"))),
        ("scored 1: score minus", swap(LS, ("d_fake, g_fake\n", "d_fake, d_fake\n"))),
        ("the other sign", "return 1 - scores, -scores, 1 - scores"),
        ("G on a fake: the other sign", swap(LS, ("d_fake, g_fake\n", "d_fake, -g_fake\n"))),
        ("no division by how many", swap(LS, ("return d_real", "return d_real / 4"))),
        ("that is the loss", "return (scores - 1) ** 2 / 2, scores**2 / 2, (scores - 1) ** 2 / 2"),
        ("that is the square", "return (scores - 1) ** 2, scores**2, (scores - 1) ** 2"),
        ("is s - label", swap(LS, ("return d_real", "return d_real * 3"))),
        ("one value for each", swap(LS, ("return d_real", "return d_real.mean()"))),
        ("return all three", "return scores - 1, scores"),
        ("return all three", "return scores"),
        ("return missing", swap(LS, ("return ", "found = "))),
        ("return a tensor", "return 'a', 'b', 'c'"),
    ],
    "03.5": [
        ("it goes with p", swap(BEST, ("b * p + a * q", "a * p + b * q"))),
        ("labels 0 and 1 only", "return p / (p + q)"),
        ("b goes with p, the density", "return q / (p + q)"),
        ("divide by all that", "return b * p + a * q"),
        ("not by 2", swap(BEST, ("(p + q)", "2"))),
        ("not by the labels", swap(BEST, ("(p + q)", "(a + b)"))),
        ("plus: both pull", swap(BEST, ("p + a", "p - a"))),
        ("not by p - q", swap(BEST, ("p + q", "p - q"))),
        ("all of b·p + a·q", "return b * p + a * q / (p + q)"),
        ("brackets: divide by (p + q)", "return (b * p + a * q) / p + q"),
        ("add a", "return (b - a) * p / (p + q)"),
        ("solve for s", swap(BEST, ("return ", "return 1 + "))),
        ("one value for each", swap(BEST, ("return (b * p + a * q) / (p + q)", "return b"))),
        ("return missing", swap(BEST, ("return ", ""))),
        ("is it spelled", swap(BEST, ("a * q", "alpha * q"))),
        ("count the arguments", "def best_score(p, q):\n    return p / (p + q)"),
        ("make a new tensor", "p /= p + q\nreturn a + (b - a) * p"),
    ],
    "03.6": [
        (
            "the lower one wins",
            COMPARE.replace("<", ">")
            .replace("max", "m")
            .replace("min", "max")
            .replace("m(", "min("),
        ),
        (
            "the lower one wins",
            COMPARE.replace('first"', 'x"').replace('second"', 'first"').replace('x"', 'second"'),
        ),
        ("equal distances are undecided", COMPARE.replace("<", "<=")),
        ("the means alone", by("statistics.mean")),
        ("the medians alone", by("statistics.median")),
        ("the best alone", by("min")),
        ("the worst alone", by("max")),
        (
            "the means alone",
            """
            if sum(first) / len(first) < sum(second) / len(second):
                return "first"
            return "second"
            """,
        ),
        (
            "the first only",
            """
            if all(a < b for a, b in zip(first, second)):
                return "first"
            if all(b < a for a, b in zip(first, second)):
                return "second"
            return "undecided"
            """,
        ),
        ("check the other way round", "return 'first' if max(first) < min(second) else 'second'"),
        ("some are decided", "return 'undecided'"),
        ("only if its largest", "return 'first'"),
        ("only if its largest", "return 'second'"),
        (
            "only if its largest",
            COMPARE.replace("(first)", "(map(str, first))").replace(
                "(second)", "(map(str, second))"
            ),
        ),
        ("spell it as listed", swap(COMPARE, ('"first"', '"First"'))),
        ("spell it as listed", swap(COMPARE, ('"undecided"', '"draw"'))),
        ("the word itself", "return max(first) < min(second)"),
        ("the word itself", swap(COMPARE, ('"first"', "first"))),
        ("return missing", swap(COMPARE, ('return "undecided"', "pass"))),
        ("is it spelled", swap(COMPARE, ("max(first)", "max(frist)"))),
        (
            "no pop, sort",
            'first.sort()\nreturn "first" if first[-1] < min(second) else "undecided"',
        ),
    ],
    "03.7": [
        ("still see the old x", IN_TURNS),
        ("still see the old y", "y = y + lr * x\nx = x - lr * y\nreturn x, y"),
        ("y goes up: plus", swap(AT_ONCE, ("y + lr", "y - lr"))),
        ("x goes down: minus", swap(AT_ONCE, ("x - lr", "x + lr"))),
        ("both signs", swap(AT_ONCE, ("x - lr", "x + lr"), ("y + lr", "y - lr"))),
        ("along x is y, and", swap(AT_ONCE, ("lr * y", "lr * x"), ("y + lr * x", "y + lr * y"))),
        ("along y is x: y + lr", swap(AT_ONCE, ("lr * x", "lr * y"))),
        ("along x is y: x - lr", swap(AT_ONCE, ("lr * y", "lr * x"))),
        ("multiply each slope by lr", "return x - y, y + x"),
        ("the change alone", "return -lr * y, lr * x"),
        ("y moves, too", swap(AT_ONCE, (", new_y\n", ", y\n"))),
        ("x moves, too", swap(AT_ONCE, ("return new_x", "return x"))),
        ("return x first", swap(AT_ONCE, ("return new_x, new_y", "return new_y, new_x"))),
        ("both from the old pair", swap(AT_ONCE, ("x - lr", "x - 2 * lr"))),
        ("return both", swap(AT_ONCE, ("new_x, new_y\n", "new_x\n"))),
        ("return both", "return torch.tensor([x - lr * y, y + lr * x])"),
        ("return missing", swap(AT_ONCE, ("return ", ""))),
        ("one number", "return torch.ones(2) * (x - lr * y), y + lr * x"),
        ("return a tensor", "return str(x), str(y)"),
    ],
    "03.8": [
        ("y must see the new x", AT_ONCE),
        ("y must see the new x", "return x - lr * y, y + lr * x"),
        ("x moves first", "y = y + lr * x\nx = x - lr * y\nreturn x, y"),
        ("y goes up: plus", swap(IN_TURNS, ("y + lr", "y - lr"))),
        ("x goes down: minus", swap(IN_TURNS, ("x - lr", "x + lr"))),
        ("along y is x: y + lr", swap(IN_TURNS, ("lr * x", "lr * y"))),
        ("along x is y: x - lr", swap(IN_TURNS, ("lr * y", "lr * x"))),
        ("multiply each slope by lr", "return x - y, y + x"),
        ("y moves, too", swap(IN_TURNS, ("y = y + lr * x\n", ""))),
        ("return x first", swap(IN_TURNS, ("return x, y", "return y, x"))),
        ("then y + lr · the new x", swap(IN_TURNS, ("y + lr", "y + 2 * lr"))),
        ("return both", swap(IN_TURNS, ("return x, y", "return x"))),
        ("return missing", swap(IN_TURNS, ("return x, y", ""))),
        ("return a tensor", swap(IN_TURNS, ("return x, y", "return x, 'y'"))),
    ],
}
