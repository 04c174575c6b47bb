"""What students write for the exercises of lesson 4: right in many ways, and wrong in many.

An answer is the text below the exercise's first line (`HEADS`), or a whole cell where it begins
with its `def` or its name. With each wrong answer stand words that its verdict must hold.
"""

from __future__ import annotations

import math
import random
from typing import Any

import torchvision
from helpers import define_answer, swap

NAMES = {
    "04.1": "make_image_grid",
    "04.2": "build_generator",
    "04.3": "drop_channels",
    "04.4": "build_discriminator",
    "04.5": "make_labels",
    "04.6": "largest_stretch",
    "04.7": "flip_some",
    "04.8": "decay",
    "04.9": "best_quarter",
}

HEADS = {
    "04.1": "def make_image_grid(images):",
    "04.2": "def build_generator(noise_dim):",
    "04.3": "def drop_channels(x, p):",
    "04.4": "def build_discriminator():",
    "04.5": "def make_labels(images):",
    "04.6": "def largest_stretch(matrix, u, steps):",
    "04.7": "def flip_some(images, generator):",
    "04.8": "def decay(share):",
    "04.9": "def best_quarter(images, certainty):",
}

_SQUARE = [[1.5, -0.5, -1.0], [-1.5, -0.5, 0.0], [0.5, -1.0, 1.0]]

QUESTIONS: dict[str, list[tuple[Any, ...]]] = {  # what each check asks
    "04.2": [(5,), (3,)],
    "04.4": [()],
    "04.6": [
        (_SQUARE, [-0.5, -0.5, 1.5], 3),
        (_SQUARE, [-0.5, -0.5, 1.5], 1),
        ([[3.0, 0, 0, 0], [0, 2, 0, 0]], [1.0, 2.0], 2),
        ([[1.0, 2], [3, 1], [0, 2]], [0.5, 1.0, -2.0], 60),
    ],
    "04.8": [(share,) for share in (0.0, 0.2, 0.4, 0.5, 0.6, 0.75, 0.9, 1.0)],
}


def define(exercise_id: str, answer: str) -> Any:
    """The function that a notebook cell with this answer defines."""
    name = NAMES[exercise_id]
    whole = (f"def {name}(", name)
    known = {"torchvision": torchvision, "math": math, "random": random}
    return define_answer(answer, name, HEADS[exercise_id], whole, **known)


def sequential(*layers: str) -> str:
    return "return nn.Sequential(\n" + "".join(f"    {layer},\n" for layer in layers) + ")\n"


def without(layers: list[str], *places: int) -> str:
    return sequential(*(layer for i, layer in enumerate(layers) if i not in places))


def instead(layers: list[str], **changes: str) -> str:
    """The layers, with others at the places named `at3`, `at5`, ..."""
    return sequential(*(changes.get(f"at{i}", layer) for i, layer in enumerate(layers)))


GRID = """\
return torchvision.utils.make_grid(images[:16], nrow=4, normalize=True, value_range=(-1, 1))
"""

G = [
    "nn.Unflatten(1, (noise_dim, 1, 1))",
    "nn.ConvTranspose2d(noise_dim, 256, 4, bias=False)",
    "nn.BatchNorm2d(256)",
    "nn.ReLU()",
    "nn.ConvTranspose2d(256, 128, 4, 2, 1, bias=False)",
    "nn.BatchNorm2d(128)",
    "nn.ReLU()",
    "nn.ConvTranspose2d(128, 64, 4, 2, 1, bias=False)",
    "nn.BatchNorm2d(64)",
    "nn.ReLU()",
    "nn.ConvTranspose2d(64, 3, 4, 2, 1)",
    "nn.Tanh()",
]

DROP = """\
keep = torch.rand(x.shape[0], x.shape[1], 1, 1, device=x.device) >= p
return x * keep.to(x.dtype) / (1 - p)
"""

D = [
    "nn.Conv2d(3, 64, 4, 2, 1)",
    "nn.LeakyReLU(0.2)",
    "nn.Dropout2d(0.25)",
    "nn.Conv2d(64, 128, 4, 2, 1, bias=False)",
    "nn.BatchNorm2d(128)",
    "nn.LeakyReLU(0.2)",
    "nn.Dropout2d(0.25)",
    "nn.Conv2d(128, 256, 4, 2, 1, bias=False)",
    "nn.BatchNorm2d(256)",
    "nn.LeakyReLU(0.2)",
    "nn.Conv2d(256, 1, 4)",
    "nn.Flatten()",
    "nn.Sigmoid()",
]

LABELS = """\
valid = torch.ones(len(images), 1, device=images.device)
fake = torch.zeros(len(images), 1, device=images.device)
return valid, fake
"""

STRETCH = """\
for _ in range(steps):
    v = F.normalize(matrix.T @ u, dim=0)
    u = F.normalize(matrix @ v, dim=0)
return u @ matrix @ v
"""

FLIP = """\
coins = torch.rand(len(images), 1, 1, 1, generator=generator, device=images.device) < 0.5
return torch.where(coins, images.flip(3), images)
"""

DECAY = """\
if share < 0.5:
    return 1.0
return 2 * (1 - share)
"""

BEST = """\
count = len(images) // 4
return images[certainty.topk(count).indices]
"""


def after_half(second: str) -> str:
    """The right answer with another second half."""
    return swap(DECAY, ("2 * (1 - share)", second))


RIGHT: dict[str, list[str]] = {
    "04.1": [
        GRID,
        """
        from torchvision.utils import make_grid
        return make_grid(images[0:16], 4, 2, True, (-1, 1))
        """,
        """
        first = (images[:16] + 1) / 2
        return torchvision.utils.make_grid(first, nrow=4)
        """,
        """
        grid = torch.zeros(3, 138, 138)
        for i in range(16):
            top, left = 2 + 34 * (i // 4), 2 + 34 * (i % 4)
            grid[:, top:top + 32, left:left + 32] = images[i] / 2 + 0.5
        return grid
        """,
        swap(GRID, ("images[:16]", "[image for image in images[:16]]")),
        swap(GRID, ("(-1, 1)", "(-1, 1), scale_each=True")),  # the range is given: no difference
    ],
    "04.2": [
        sequential(*G),
        """
        def block(i, o, **rest):
            return [nn.ConvTranspose2d(i, o, 4, bias=False, **rest), nn.BatchNorm2d(o),
                    nn.ReLU(inplace=True)]
        return nn.Sequential(
            nn.Unflatten(-1, (-1, 1, 1)),
            *block(noise_dim, 256), *block(256, 128, stride=2, padding=1),
            *block(128, 64, stride=2, padding=1),
            nn.ConvTranspose2d(64, 3, 4, stride=2, padding=1), nn.Tanh())
        """,
        """
        class Generator(nn.Module):
            def __init__(self):
                super().__init__()
                self.layers = nn.Sequential(
                    nn.ConvTranspose2d(noise_dim, 256, 4, bias=False),
                    nn.BatchNorm2d(256), nn.ReLU(),
                    nn.ConvTranspose2d(256, 128, 4, 2, 1, bias=False),
                    nn.BatchNorm2d(128), nn.ReLU(),
                    nn.ConvTranspose2d(128, 64, 4, 2, 1, bias=False),
                    nn.BatchNorm2d(64), nn.ReLU(),
                    nn.ConvTranspose2d(64, 3, 4, 2, 1))
            def forward(self, noise):
                return self.layers(noise.view(len(noise), -1, 1, 1)).tanh()
        return Generator()
        """,
        """
        layers, sides = [nn.Unflatten(1, (noise_dim, 1, 1))], [(1, 0), (2, 1), (2, 1)]
        wide = noise_dim
        for narrow, (stride, padding) in zip((256, 128, 64), sides):
            layers.append(nn.ConvTranspose2d(wide, narrow, 4, stride, padding, bias=False))
            layers.append(nn.BatchNorm2d(narrow))
            layers.append(nn.ReLU())
            wide = narrow
        layers.append(nn.ConvTranspose2d(wide, 3, 4, 2, 1))
        layers.append(nn.Tanh())
        return nn.Sequential(*layers)
        """,
    ],
    "04.3": [
        DROP,
        "return F.dropout2d(x, p)",
        "return nn.Dropout2d(p)(x)",
        """
        stays = torch.bernoulli(torch.full(x.shape[:2], 1 - p, device=x.device))
        return x * stays[:, :, None, None] / (1 - p)
        """,
        """
        dropped = torch.rand(x.shape[:2], device=x.device) < p
        out = x / (1 - p)
        out[dropped] = 0
        return out
        """,
        """
        out = torch.zeros_like(x)
        for i in range(len(x)):
            for c in range(x.shape[1]):
                if random.random() >= p:
                    out[i, c] = x[i, c] / (1 - p)
        return out
        """,
        """
        coins = torch.rand(x.shape[0], x.shape[1], 1, 1).to(x.device)
        return torch.where(coins < p, torch.zeros_like(x), x / (1 - p))
        """,
    ],
    "04.4": [
        sequential(*D),
        """
        def block(i, o, *more):
            return [nn.Conv2d(i, o, 4, stride=2, padding=1, bias=False), nn.BatchNorm2d(o),
                    nn.LeakyReLU(0.2, inplace=True), *more]
        return nn.Sequential(
            nn.Conv2d(3, 64, 4, stride=2, padding=1), nn.LeakyReLU(0.2), nn.Dropout2d(p=0.25),
            *block(64, 128, nn.Dropout2d(0.25)), *block(128, 256),
            nn.Conv2d(256, 1, 4), nn.Flatten(), nn.Sigmoid())
        """,
        """
        class Discriminator(nn.Module):
            def __init__(self):
                super().__init__()
                self.drop = nn.Dropout2d(0.25)
                self.one = nn.Conv2d(3, 64, 4, 2, 1)
                self.two = nn.Conv2d(64, 128, 4, 2, 1, bias=False)
                self.two_norm = nn.BatchNorm2d(128)
                self.three = nn.Conv2d(128, 256, 4, 2, 1, bias=False)
                self.three_norm = nn.BatchNorm2d(256)
                self.out = nn.Conv2d(256, 1, 4)
            def forward(self, x):
                x = self.drop(F.leaky_relu(self.one(x), 0.2))
                x = self.drop(F.leaky_relu(self.two_norm(self.two(x)), 0.2))
                x = F.leaky_relu(self.three_norm(self.three(x)), 0.2)
                return self.out(x).flatten(1).sigmoid()
        return Discriminator()
        """,
        # dropout before its LeakyReLU: the same, as 0 stays 0 and factors pass through
        sequential(D[0], D[2], D[1], *D[3:5], D[6], D[5], *D[7:]),
        sequential(*D[:-2], "nn.Sigmoid()", "nn.Flatten()"),
        """
        class Discriminator(nn.Module):
            def __init__(self):
                super().__init__()
                self.first = nn.Conv2d(3, 64, 4, 2, 1)
                self.rest = nn.Sequential(
                    nn.Conv2d(64, 128, 4, 2, 1, bias=False),
                    nn.BatchNorm2d(128), nn.LeakyReLU(0.2), nn.Dropout2d(0.25),
                    nn.Conv2d(128, 256, 4, 2, 1, bias=False),
                    nn.BatchNorm2d(256), nn.LeakyReLU(0.2), nn.Conv2d(256, 1, 4))
            def forward(self, x):
                x = F.leaky_relu(self.first(x), 0.2)
                x = F.dropout2d(x, 0.25, training=self.training)
                return torch.sigmoid(self.rest(x).view(-1, 1))
        return Discriminator()
        """,
    ],
    "04.5": [
        LABELS,
        "return images.new_ones(len(images), 1), images.new_zeros(len(images), 1)",
        """
        shape = (images.size(0), 1)
        valid = torch.full(shape, 1.0).to(images.device)
        return valid, torch.zeros_like(valid)
        """,
        """
        ones = [[1.0] for _ in range(images.shape[0])]
        valid = torch.tensor(ones, device=images.device)
        return [valid, 1 - valid]
        """,
        """
        one_each = images.detach()[:, 0, 0, :1]
        return torch.ones_like(one_each), torch.zeros_like(one_each)
        """,
    ],
    "04.6": [
        STRETCH,
        """
        for _ in range(steps):
            v = matrix.T @ u
            v = v / v.norm()
            u = matrix @ v
            u = u / torch.linalg.norm(u)
        return torch.dot(u, torch.mv(matrix, v))
        """,
        """
        for _ in range(steps):
            v = F.normalize(matrix.T @ u, dim=0)
            u = F.normalize(matrix @ v, dim=0)
        return (matrix @ v).norm()
        """,
        """
        for _ in range(steps):
            v = matrix.t().mv(u / u.norm())
            u = matrix.mv(v / v.norm())
        return u.norm().item()
        """,
        """
        u = u[:, None]
        for _ in range(steps):
            v = F.normalize(matrix.T @ u, dim=0)
            u = F.normalize(matrix @ v, dim=0)
        return (u.T @ matrix @ v).squeeze()
        """,
        """
        for _ in range(steps):
            v = F.normalize(u @ matrix, dim=0)
            u = F.normalize(v @ matrix.T, dim=0)
        return torch.einsum('i,ij,j->', u, matrix, v)
        """,
    ],
    "04.7": [
        FLIP,
        """
        heads = torch.randint(0, 2, (len(images),), generator=generator).bool()
        out = images.clone()
        out[heads] = out[heads].flip(-1)
        return out
        """,
        """
        coins = torch.bernoulli(torch.full_like(images[:, :1, :1, :1], 0.5), generator=generator)
        return coins * images.flip(3) + (1 - coins) * images
        """,
        """
        out = []
        for image in images:
            if torch.rand(1, generator=generator).item() > 0.5:
                image = torch.flip(image, dims=[2])
            out.append(image)
        return torch.stack(out)
        """,
        """
        columns = torch.arange(images.shape[3]).repeat(len(images), 1)
        coins = torch.rand(len(images), 1, generator=generator) < 0.5
        columns = torch.where(coins, columns.flip(1), columns)
        return images.gather(3, columns[:, None, None, :].expand_as(images))
        """,
    ],
    "04.8": [
        DECAY,
        "return 1.0 if share < 0.5 else 2 * (1 - share)",
        "return min(1, 2 - 2 * share)",
        "return 1 if share <= 0.5 else 1 - (share - 0.5) / 0.5",
        "return torch.tensor(2 - 2 * share).clamp(max=1)",
        """
        start = 0.5
        if share > start:
            return (1 - share) / (1 - start)
        return 1
        """,
    ],
    "04.9": [
        BEST,
        "return images[certainty.argsort(descending=True)[:len(images) // 4]]",
        """
        order = torch.sort(certainty, descending=True)[1]
        return images[order][:int(len(order) / 4)]
        """,
        """
        places = sorted(range(len(images)), key=lambda i: -certainty[i])
        return torch.stack([images[i] for i in places[:len(images) // 4]])
        """,
        """
        _, places = torch.topk(certainty, images.shape[0] // 4)
        return torch.index_select(images, 0, places)
        """,
        """
        order = certainty.argsort()
        return images[order[-(len(images) // 4):].flip(0)]
        """,
    ],
}

WRONG: dict[str, list[tuple[str, str]]] = {
    "04.1": [
        ("pixels in [0, 1]", swap(GRID, (", normalize=True, value_range=(-1, 1)", ""))),
        ("pixels in [0, 1]", swap(GRID, (" normalize=True,", ""))),
        ("darkest and brightest", swap(GRID, (", value_range=(-1, 1)", ""))),
        ("no scale_each", swap(GRID, ("value_range=(-1, 1)", "scale_each=True"))),
        ("below 0 became black", swap(GRID, ("(-1, 1)", "(0, 1)"))),
        (
            "below 0 became black",
            "return torchvision.utils.make_grid(images[:16].clamp(0, 1), nrow=4)",
        ),
        ("not in [0, 255]", swap(GRID, ("(-1, 1)", "(0, 255)"))),
        ("4 images in a row", swap(GRID, ("nrow=4", "nrow=8"))),
        ("4 images in a row", swap(GRID, (" nrow=4,", ""))),
        ("images in a row: 4", swap(GRID, ("nrow=4", "nrow=2"))),
        ("the first 16", swap(GRID, ("[:16]", ""))),
        ("with nrow=4", swap(GRID, ("[:16]", ""), (" nrow=4,", ""))),
        ("not the last", swap(GRID, ("[:16]", "[-16:]"))),
        ("16 images, not 4", swap(GRID, ("[:16]", "[:4]"))),
        ("leave padding", swap(GRID, ("nrow=4", "nrow=4, padding=0"))),
        ("black lines", swap(GRID, ("nrow=4", "nrow=4, pad_value=1"))),
        ("channels first", swap(GRID, ("(-1, 1))", "(-1, 1)).permute(1, 2, 0)"))),
        (
            "lines between the images grey",
            "return (torchvision.utils.make_grid(images[:16], nrow=4) + 1) / 2",
        ),
        ("rescaled twice", "images = (images + 1) / 2\n" + GRID),
        ("no times 255", swap(GRID, ("(-1, 1))", "(-1, 1)) * 255"))),
        ("no bytes", swap(GRID, ("(-1, 1))", "(-1, 1)).mul(255).byte()"))),
        ("red, green, blue", swap(GRID, ("(-1, 1))", "(-1, 1)).flip(0)"))),
        ("make_grid(images[:16], nrow=4", "return images[:16]"),
        ("one tensor", swap(GRID, ("(-1, 1))", "(-1, 1)).numpy()"))),
        ("images unchanged", "images.add_(1).div_(2)\n" + GRID),
        ("a return missing", swap(GRID, ("return ", "grid = "))),
        ("is it spelled", swap(GRID, ("torchvision.utils.make", "make"))),
        ("-1 becomes 0", swap(GRID, ("(-1, 1)", "(-2, 2)"))),
    ],
    "04.2": [
        ("Tanh is missing", without(G, 11)),
        ("not Sigmoid", instead(G, at11="nn.Sigmoid()")),
        ("no Sigmoid after it", sequential(*G, "nn.Sigmoid()")),
        ("leak belongs to D", sequential(*G).replace("nn.ReLU()", "nn.LeakyReLU(0.2)")),
        ("after each batch norm", without(G, 3, 6, 9)),
        ("first ReLU is missing", without(G, 3)),
        ("third ReLU is missing", without(G, 9)),
        ("before its ReLU", sequential(*(G[i] for i in (0, 1, 3, 2, 4, 6, 5, 7, 9, 8, 10, 11)))),
        ("no ReLU before the Tanh", instead(G, at11="nn.ReLU(), nn.Tanh()")),
        ("takes it away again", sequential(*G).replace(", bias=False", "")),
        ("look at all three", instead(G, at4=G[4].replace(", bias=False", ""))),
        ("keeps its bias", instead(G, at10="nn.ConvTranspose2d(64, 3, 4, 2, 1, bias=False)")),
        ("first three convolutions", without(G, 2, 5, 8)),
        ("first three convolutions", without(G, 2, 5, 8).replace(", bias=False", "")),
        ("missing after the first", without(G, 2)),
        ("one after each", without(G, 5)),
        ("follows at once", instead(G, at10=G[10] + ", nn.BatchNorm2d(3)")),
        ("argument `noise_dim`", sequential(*G).replace("noise_dim", "100")),
        ("three channels come out", instead(G, at10="nn.ConvTranspose2d(64, 1, 4, 2, 1)")),
        ("has side 4", instead(G, at4=G[4].replace("128, 4, 2, 1", "128, 3, 2, 1"))),
        ("block by block", without(G, 0)),
        ("padding off", instead(G, at4=G[4].replace("4, 2, 1", "4, 2"))),
        ("no Dropout", instead(G, at9="nn.ReLU(), nn.Dropout2d(0.25)")),
        ("(N, 3, 32, 32) come out", sequential(*G, "nn.Flatten()")),
        ("return missing", sequential(*G).replace("return", "generator =")),
        ("nn.Sequential(...)", "return [" + ", ".join(G) + "]"),
    ],
    "04.3": [
        ("so that the mean stays", swap(DROP, (" / (1 - p)", ""))),
        ("got shape (", swap(DROP, ("return x", "return (x"), ("(1 - p)", "(1 - p)).squeeze()"))),
        ("do not multiply", swap(DROP, ("/ (1 - p)", "* (1 - p)"))),
        ("not by p", swap(DROP, ("/ (1 - p)", "/ p"))),
        ("this multiplies by p", swap(DROP, ("/ (1 - p)", "* p"))),
        ("times 1 + p", swap(DROP, ("/ (1 - p)", "* (1 + p)"))),
        ("divided twice", "return F.dropout2d(x, p) / (1 - p)"),
        ("a channel goes or stays", "return F.dropout(x, p)"),
        ("a channel goes or stays", swap(DROP, ("1, 1, device", "*x.shape[2:], device"))),
        ("each image has its own", swap(DROP, ("x.shape[0], x.shape[1]", "1, x.shape[1]"))),
        ("each channel has its own", swap(DROP, ("x.shape[0], x.shape[1]", "x.shape[0], 1"))),
        ("not the share that stays", swap(DROP, (">=", "<"))),
        ("not the share that stays", "return F.dropout2d(x, 1 - p)"),
        ("not the share that stays", swap(DROP, (">=", "<"), ("/ (1 - p)", "/ p"))),
        ("use the argument", swap(DROP, (">= p", ">= 0.5"), ("(1 - p)", "0.5"))),
        ("use the argument", "return F.dropout2d(x)"),
        ("draw as in training", "return F.dropout2d(x, p, training=False)"),
        ("draw as in training", "return nn.Dropout2d(p).eval()(x)"),
        ("draw as in training", "F.dropout2d(x, p)\nreturn x"),
        ("the mask is 0 where", "return x / (1 - p)"),
        ("where a channel stays", "return x * 0"),
        (
            "in how many go",
            """
            out = x / (1 - p)
            for image in out:
                image[torch.randperm(x.shape[1])[:int(p * x.shape[1])]] = 0
            return out
            """,
        ),
        ("x unchanged", "return F.dropout2d(x, p, inplace=True)"),
        ("x unchanged", "x[torch.rand(x.shape[:2]) < p] = 0\nreturn x / (1 - p)"),
        ("no seed", "torch.manual_seed(0)\n" + DROP),
        ("cut off from its input", swap(DROP, ("return x", "return x.detach()"))),
        ("device=x.device", swap(DROP, (", device=x.device", ""))),
        ("with nothing added", swap(DROP, ("/ (1 - p)", "/ (1 - p) + 0.1 * keep"))),
        ("(N, C, 1, 1)", swap(DROP, ("return x * keep.to(x.dtype) / (1 - p)", "return keep"))),
        ("print both shapes", swap(DROP, (", 1, 1, device", ", device"))),
        ("a return missing", swap(DROP, ("return ", "y = "))),
        ("is it spelled", swap(DROP, (">= p", ">= probability"))),
    ],
    "04.4": [
        ("slope is 0.2", sequential(*D).replace("LeakyReLU(0.2)", "LeakyReLU()")),
        ("look at all three", instead(D, at5="nn.LeakyReLU()")),
        ("not 0.02", sequential(*D).replace("LeakyReLU(0.2)", "LeakyReLU(0.02)")),
        ("not ReLU", sequential(*D).replace("LeakyReLU(0.2)", "ReLU()")),
        ("after each convolution", without(D, 1, 5, 9)),
        ("first LeakyReLU is missing", without(D, 1)),
        ("second LeakyReLU is missing", without(D, 5)),
        ("third LeakyReLU is missing", without(D, 9)),
        (
            "before its LeakyReLU",
            sequential(*(D[i] for i in (0, 1, 2, 3, 5, 4, 6, 7, 9, 8, 10, 11, 12))),
        ),
        ("both Dropout2d(0.25) are missing", without(D, 2, 6)),
        ("first Dropout2d is missing", without(D, 2)),
        ("second Dropout2d is missing", without(D, 6)),
        ("Dropout single pixels", sequential(*D).replace("Dropout2d", "Dropout")),
        ("alone takes 0.5", sequential(*D).replace("Dropout2d(0.25)", "Dropout2d()")),
        ("not 0.75", sequential(*D).replace("Dropout2d(0.25)", "Dropout2d(0.75)")),
        ("after the third LeakyReLU", instead(D, at9="nn.LeakyReLU(0.2), nn.Dropout2d(0.25)")),
        (
            "the first and the second LeakyReLU",
            sequential(*(D[i] for i in (0, 1, 3, 4, 5, 6, 7, 8, 9, 2, 10, 11, 12))),
        ),
        ("not before the norm", sequential(*(D[i] for i in (0, 1, 2, 3, 6, 4, 5, *range(7, 13))))),
        ("Sigmoid is missing", without(D, 12)),
        ("not Tanh", instead(D, at12="nn.Tanh()")),
        ("always 1", instead(D, at12="nn.Softmax(dim=1)")),
        ("not two", sequential(*D, "nn.Sigmoid()")),
        ("the Sigmoid follows", instead(D, at11="nn.LeakyReLU(0.2), nn.Flatten()")),
        ("Flatten is missing", without(D, 11)),
        ("as a column (N, 1)", instead(D, at11="nn.Flatten(0)")),
        ("takes it away again", sequential(*D).replace(", bias=False", "")),
        ("third one", instead(D, at7="nn.Conv2d(128, 256, 4, 2, 1)")),
        ("no batch norm after the first", instead(D, at0=D[0] + ", nn.BatchNorm2d(64)")),
        ("first convolution keeps", instead(D, at0="nn.Conv2d(3, 64, 4, 2, 1, bias=False)")),
        ("last convolution keeps", instead(D, at10="nn.Conv2d(256, 1, 4, bias=False)")),
        ("after the second and the third", without(D, 4, 8)),
        ("missing after the third", without(D, 8)),
        ("one after the second", without(D, 4)),
        ("three channels come in", instead(D, at0="nn.Conv2d(1, 64, 4, 2, 1)")),
        ("listed sizes", sequential(*D[:10], "nn.Flatten()", "nn.Linear(4096, 1)", D[12])),
        ("stride or padding off", instead(D, at3=D[3].replace("2, 1, bias", "1, 1, bias"))),
        ("block by block", instead(D, at3=D[3].replace("2, 1, bias", "4, 0, bias"))),
        ("go through the list", sequential("nn.Dropout2d(0.25)", *D)),
        (
            "training=self.training",
            """
            class Discriminator(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.one = nn.Conv2d(3, 64, 4, 2, 1)
                    self.two = nn.Conv2d(64, 128, 4, 2, 1, bias=False)
                    self.two_norm = nn.BatchNorm2d(128)
                    self.three = nn.Conv2d(128, 256, 4, 2, 1, bias=False)
                    self.three_norm = nn.BatchNorm2d(256)
                    self.out = nn.Conv2d(256, 1, 4)
                def forward(self, x):
                    x = F.dropout2d(F.leaky_relu(self.one(x), 0.2), 0.25)
                    x = F.dropout2d(F.leaky_relu(self.two_norm(self.two(x)), 0.2), 0.25)
                    x = F.leaky_relu(self.three_norm(self.three(x)), 0.2)
                    return self.out(x).flatten(1).sigmoid()
            return Discriminator()
            """,
        ),
        ("return missing", sequential(*D).replace("return", "D =")),
    ],
    "04.5": [
        ("a column, (N, 1), as D", LABELS.replace(", 1, device", ", device")),
        ("not a row", LABELS.replace("len(images), 1", "1, len(images)")),
        ("as D returns it", LABELS.replace("len(images), 1", "len(images), 1, 1, 1")),
        ("not for each pixel", "return torch.ones_like(images), torch.zeros_like(images)"),
        ("not for each channel", LABELS.replace("len(images), 1", "*images.shape[:2]")),
        ("as many labels as images", LABELS.replace("len(images)", "32")),
        ("as many labels as images", LABELS.replace("len(images)", "5")),
        ("a label for each image", "return torch.tensor(1.0), torch.tensor(0.0)"),
        ("one tensor", "return 1.0, 0.0"),
        ("takes float labels", LABELS.replace("device=", "dtype=torch.long, device=")),
        ("takes float labels", LABELS.replace("device=", "dtype=torch.bool, device=")),
        ("takes float labels", LABELS.replace("device=", "dtype=torch.float64, device=")),
        ("swap the two", swap(LABELS, ("valid, fake\n", "fake, valid\n"))),
        ("real images have label 1", swap(LABELS, ("torch.ones", "torch.zeros"))),
        ("fakes have label 0", swap(LABELS, ("torch.zeros", "torch.ones"))),
        ("1, without smoothing", swap(LABELS, ("return valid", "return 0.9 * valid"))),
        ("0, without smoothing", swap(LABELS, ("valid, fake\n", "valid, fake + 0.1\n"))),
        ("not -1", swap(LABELS, ("valid, fake\n", "valid, -valid\n"))),
        ("every label is 1", swap(LABELS, ("torch.ones", "torch.rand"))),
        ("not trained", LABELS.replace("images.device", "images.device, requires_grad=True")),
        ("device=images.device", LABELS.replace(", device=images.device", "")),
        (
            "device=images.device",
            swap(
                LABELS,
                (
                    "fake = torch.zeros(len(images), 1, device=images.device)",
                    "fake = torch.zeros(len(images), 1)",
                ),
            ),
        ),
        ("device=images.device", LABELS.replace("images.device", "'cpu'")),
        ("return both", swap(LABELS, ("valid, fake\n", "valid\n"))),
        ("return both", swap(LABELS, ("valid, fake\n", "torch.cat([valid, fake])\n"))),
        ("return missing", swap(LABELS, ("return ", "labels = "))),
        ("is it spelled", LABELS.replace("len(images)", "batch_size")),
    ],
    "04.6": [
        ("exact value", "return torch.linalg.svdvals(matrix)[0]"),
        ("exact value", "return torch.linalg.matrix_norm(matrix, 2)"),
        ("one step too many", swap(STRETCH, ("range(steps)", "range(steps + 1)"))),
        ("one step too few", swap(STRETCH, ("range(steps)", "range(1, steps)"))),
        ("that is one step: repeat", swap(STRETCH, ("range(steps)", "range(1)"))),
        (
            "and then u",
            """
            for _ in range(steps):
                v = F.normalize(matrix.T @ u, dim=0)
                old, u = u, F.normalize(matrix @ v, dim=0)
            return F.normalize(old, dim=0) @ matrix @ v
            """,
        ),
        (
            "normalize v and u",
            """
            for _ in range(steps):
                v = matrix.T @ u
                u = matrix @ v
            return u @ matrix @ v
            """,
        ),
        ("normalize v, too", swap(STRETCH, ("F.normalize(matrix.T @ u, dim=0)", "matrix.T @ u"))),
        ("normalize u, too", swap(STRETCH, ("F.normalize(matrix @ v, dim=0)", "matrix @ v"))),
        ("that is the square", swap(STRETCH, ("u @ matrix @ v", "(u @ matrix @ v) ** 2"))),
        (
            "largest eigenvalue of A Aᵀ",
            "return torch.linalg.eigvalsh(matrix @ matrix.T)[-1]",
        ),
        (
            "leads from u to v",
            swap(STRETCH, ("matrix.T @ u", "matrix @ u"), ("(matrix @ v", "(matrix.T @ v")),
        ),
        ("leads from u to v", swap(STRETCH, ("matrix.T @ u", "matrix @ u"))),
        ("leads from u to v", swap(STRETCH, ("(matrix @ v", "(matrix.T @ v"))),
        (
            "leads from u to v",
            swap(
                STRETCH,
                ("matrix.T @ u", "matrix @ u"),
                ("(matrix @ v", "(matrix.T @ v"),
                ("u @ matrix @ v", "u @ matrix.T @ v"),
            ),
        ),
        ("u belongs to the rows", swap(STRETCH, ("u @ matrix @ v", "v @ matrix @ u"))),
        ("the u that is given", "u = torch.ones(len(matrix))\n" + STRETCH),
        ("return u @ matrix @ v", swap(STRETCH, ("u @ matrix @ v", "u"))),
        ("return u @ matrix @ v", swap(STRETCH, ("u @ matrix @ v", "matrix @ v"))),
        ("return a number", swap(STRETCH, ("u @ matrix @ v", "u, v"))),
        ("squared entries", "return matrix.norm()"),
        ("longest row", "return matrix.norm(dim=1).max()"),
        ("longest column", "return matrix.norm(dim=0).max()"),
        ("largest entry", "return matrix.abs().max()"),
        ("largest sum of a row", "return torch.linalg.matrix_norm(matrix, float('inf'))"),
        ("largest sum of a column", "return torch.linalg.matrix_norm(matrix, 1)"),
        ("not the smallest", "return torch.linalg.svdvals(matrix)[-1]"),
        ("not their sum", "return torch.linalg.svdvals(matrix).sum()"),
        ("`steps` times", swap(STRETCH, ("return u", "return 2 * u"))),
        ("a return missing", swap(STRETCH, ("return ", "stretch = "))),
        ("is it spelled", swap(STRETCH, ("range(steps)", "range(n_steps)"))),
    ],
    "04.7": [
        ("each image has its own coin", swap(FLIP, ("len(images), 1, 1, 1", "1"))),
        ("got shape (", f"{FLIP.strip()}.squeeze()"),
        (
            "each image has its own coin",
            """
            if torch.rand(1, generator=generator) < 0.5:
                return images.flip(3)
            return images
            """,
        ),
        ("upside down: left", swap(FLIP, ("flip(3)", "flip(2)"))),
        ("upside down as well", swap(FLIP, ("flip(3)", "flip(2, 3)"))),
        ("red and blue", swap(FLIP, ("flip(3)", "flip(1)"))),
        ("reverse order", swap(FLIP, ("flip(3)", "flip(0)"))),
        ("not brightness", swap(FLIP, ("images.flip(3)", "-images"))),
        ("parts of an image", swap(FLIP, ("len(images), 1, 1, 1", "images.shape"))),
        ("parts of an image", swap(FLIP, ("1, 1, 1", "3, 1, 1"))),
        ("toss a coin for each", "return images.flip(3)"),
        ("toss a coin for each", "return images"),
        ("toss a coin for each", swap(FLIP, ("< 0.5", "< 5"))),
        ("draw the coins from it", swap(FLIP, (", generator=generator", ""))),
        ("draw the coins from it", swap(FLIP, ("coins = ", "generator.manual_seed(0)\ncoins = "))),
        (
            "draw the coins from it",
            """
            out = images.clone()
            for i in range(len(images)):
                if random.random() < 0.5:
                    out[i] = images[i].flip(2)
            return out
            """,
        ),
        (
            "draw the coins from it",
            """
            out = images.clone()
            out[::2] = images[::2].flip(3)
            return out
            """,
        ),
        ("draw the coins from it", "generator = torch.Generator()\n" + FLIP),
        (
            "not seeded again",
            "generator.manual_seed(generator.initial_seed())\n" + FLIP,
        ),
        ("one half", swap(FLIP, ("< 0.5", "< 0.25"))),
        ("one half", swap(FLIP, ("torch.rand(", "torch.randn("))),
        ("G learns through it", swap(FLIP, ("return ", "images = images.detach()\nreturn "))),
        ("no detach", swap(FLIP, ("images.flip(3)", "images.detach().flip(3)"))),
        (
            "no method that ends with _",
            """
            coins = torch.rand(len(images), generator=generator) < 0.5
            images[coins] = images[coins].flip(3)
            return images
            """,
        ),
        (
            "as many images",
            """
            coins = torch.rand(len(images), generator=generator) < 0.5
            return images[coins].flip(3)
            """,
        ),
        ("print both shapes", swap(FLIP, ("len(images), 1, 1, 1", "len(images)"))),
        ("print both shapes", swap(FLIP, ("len(images)", "64"))),
        ("the others as they are", swap(FLIP, ("images.flip(3)", "torch.zeros_like(images)"))),
        ("one tensor", swap(FLIP, ("return ", "return coins, "))),
        ("return missing", swap(FLIP, ("return ", "out = "))),
        ("is it spelled", swap(FLIP, ("generator=generator", "generator=rng"))),
        (
            "device=images.device",
            """
            coins = torch.rand(len(images), 1, 1, 1, generator=generator) < 0.5
            return torch.where(coins, images.flip(3), images)
            """,
        ),
    ],
    "04.8": [
        ("down from the beginning", "return 1 - share"),
        ("right for the examples", "return 1.0 if share < 0.495 else 2 * (1 - share)"),
        ("jumps from 1 to 0.5", after_half("1 - share")),
        ("not 0 at once", after_half("0.0")),
        ("not a step to 0.5", after_half("0.5")),
        ("not a step to 0.1", after_half("0.1")),
        ("it ends at 0, not at 0.5", after_half("1 - (share - 0.5)")),
        ("that goes up: 2", after_half("2 * share")),
        ("goes up from 0", after_half("(share - 0.5) / 0.5")),
        ("never below 0", after_half("1 - 2 * share")),
        ("brackets", after_half("2 * 1 - share")),
        ("too soon, and then below 0", after_half("1 - 4 * (share - 0.5)")),
        ("too soon", after_half("max(0, 1 - 4 * (share - 0.5))")),
        ("nothing squared", after_half("(2 * (1 - share)) ** 2")),
        ("no cosine", after_half("0.5 + 0.5 * math.cos(math.pi * (2 * share - 1))")),
        ("no cosine", after_half("math.cos(math.pi * (share - 0.5))")),
        ("no exponential", after_half("math.exp(-(share - 0.5))")),
        ("then a straight line", "return 0.5 + 0.5 * math.cos(math.pi * share)"),
        ("not in the first", "return max(0, 1 - 2 * share)"),
        ("not in the first", "return 1 - 2 * share"),
        ("never above 1", "return 2 * (1 - share)"),
        ("swapped", swap(DECAY, ("share < 0.5", "share >= 0.5"))),
        ("first 1, then down", "return share"),
        ("first 1, then down", "return min(1.0, 2 * share)"),
        ("share goes from 0 to 1", swap(DECAY, ("0.5", "50"))),
        ("share goes from 0 to 1", "return 1.0"),
        ("no learning rate in it", "return 2e-4 * (1.0 if share < 0.5 else 2 * (1 - share))"),
        ("1 in the first half", "return 0"),
        ("then straight down", swap(DECAY, ("share < 0.5", "share < 0.75"))),
        ("return missing", swap(DECAY, ("return 2", "factor = 2"))),
        ("return a number", "return [1.0]"),
        ("return a number", "return share < 0.5"),
        ("one number", "return torch.ones(2)"),
        ("is it spelled", swap(DECAY, ("(1 - share)", "(1 - progress)"))),
        ("count the arguments", "def decay(step, steps):\n    return 1.0"),
    ],
    "04.9": [
        ("least certain", swap(BEST, ("topk(count)", "topk(count, largest=False)"))),
        ("least certain", "return images[certainty.argsort()[:len(images) // 4]]"),
        (
            "least certain",
            "return images[certainty.argsort(descending=True)[-(len(images) // 4):]]",
        ),
        ("whatever their certainty", "return images[:len(images) // 4]"),
        ("the last ones", "return images[-(len(images) // 4):]"),
        (
            "most certain first: descending",
            "return images[certainty.argsort()[-(len(images) // 4):]]",
        ),
        ("most certain first: topk", swap(BEST, (".indices", ".indices.sort().values"))),
        ("most certain first: topk", swap(BEST, (".indices", ".indices.roll(1)"))),
        ("not a half", swap(BEST, ("// 4", "// 2"))),
        ("round down", swap(BEST, ("len(images) // 4", "math.ceil(len(images) / 4)"))),
        ("round down", "return images[certainty >= certainty.quantile(0.75)]"),
        ("not 16 always", swap(BEST, ("len(images) // 4", "16"))),
        ("not 4 always", swap(BEST, ("len(images) // 4", "4"))),
        ("not the best one alone", "return images[certainty.argmax()][None]"),
        ("all of them", "return images[certainty.argsort(descending=True)]"),
        (
            "not all but a quarter",
            "return images[certainty.argsort(descending=True)[len(images) // 4:]]",
        ),
        ("not a fixed bound", "return images[certainty > 0.75]"),
        ("a quarter, rounded down", swap(BEST, ("// 4", "// 5"))),
        (
            "those are the places",
            swap(BEST, ("images[certainty.topk(count).indices]", "certainty.topk(count).indices")),
        ),
        (
            "those are the certainties",
            swap(BEST, ("images[certainty.topk(count).indices]", "certainty.topk(count).values")),
        ),
        ("that says which", "return certainty > 0.75"),
        ("choose whole images", "return images[certainty.argmax()]"),
        ("True and False for each place", swap(BEST, (".indices", ".values"))),
        (
            "one tensor",
            swap(BEST, ("images[certainty.topk(count).indices]", "certainty.topk(count)")),
        ),
        (
            "begin with 0",
            "return images[certainty.argsort(descending=True)[1:len(images) // 4 + 1]]",
        ),
        (
            "argsort once",
            "return images[certainty.argsort(descending=True).argsort()[:len(images) // 4]]",
        ),
        ("places of the highest", swap(BEST, ("certainty.topk", "images.mean((1, 2, 3)).topk"))),
        ("images unchanged", "images.mul_(2)\n" + BEST),
        ("return missing", swap(BEST, ("return ", "best = "))),
        ("is it spelled", swap(BEST, ("certainty.", "certainties."))),
    ],
}
