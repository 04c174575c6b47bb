"""What students write for the exercises of lesson 2: right in many ways, and wrong in many.

An answer is the text below the exercise's first line (`HEADS`), or a whole cell where it begins
with its `def`. With each wrong answer stand words that its verdict must hold.
"""

from __future__ import annotations

from typing import Any

from helpers import define_answer, swap

NAMES = {
    "02.1": "conv_size",
    "02.2": "transposed_size",
    "02.3": "build_classifier",
    "02.4": "build_dc_generator",
    "02.5": "initialize_weights",
    "02.6": "build_strided_discriminator",
    "02.7": "build_strided_generator",
    "02.8": "batch_norm",
    "02.9": "rotation_matrices",
}

HEADS = {
    "02.1": "def conv_size(side, kernel, stride, padding):",
    "02.2": "def transposed_size(side, kernel, stride, padding):",
    "02.3": "def build_classifier():",
    "02.4": "def build_dc_generator(noise_dim):",
    "02.5": "def initialize_weights(module):",
    "02.6": "def build_strided_discriminator():",
    "02.7": "def build_strided_generator(noise_dim):",
    "02.8": "def batch_norm(x):",
    "02.9": "def rotation_matrices(degrees):",
}

QUESTIONS: dict[str, list[tuple[Any, ...]]] = {  # what each check asks
    "02.1": [(19, 8, 3, 7), (28, 5, 1, 0), (28, 4, 2, 1), (11, 4, 3, 2)],
    "02.2": [(6, 5, 4, 3), (7, 4, 2, 1), (1, 4, 1, 0)],
    "02.3": [()],
    "02.4": [(5,), (3,)],
    "02.6": [()],
    "02.7": [(5,), (3,)],
    "02.9": [([30.0, 90.0, -20.0, 7.0, 135.0],), ([45.0, -100.0],)],
}


def define(exercise_id: str, answer: str) -> Any:
    """The function that a notebook cell with this answer defines."""
    name = NAMES[exercise_id]
    whole = f"def {name}("
    return define_answer(answer, name, HEADS[exercise_id], whole)


def sequential(*layers: str) -> str:
    return "return nn.Sequential(\n" + "".join(f"    {layer},\n" for layer in layers) + ")\n"


def without(layers: list[str], *places: int) -> str:
    return sequential(*(layer for i, layer in enumerate(layers) if i not in places))


def instead(layers: list[str], **changes: str) -> str:
    """The layers, with others at the places named `at3`, `at5`, ..."""
    return sequential(*(changes.get(f"at{i}", layer) for i, layer in enumerate(layers)))


CLASSIFIER = [
    "nn.Conv2d(1, 32, 5)",
    "nn.LeakyReLU(0.01)",
    "nn.MaxPool2d(2)",
    "nn.Conv2d(32, 64, 5)",
    "nn.LeakyReLU(0.01)",
    "nn.MaxPool2d(2)",
    "nn.Flatten()",
    "nn.Linear(1024, 1024)",
    "nn.LeakyReLU(0.01)",
    "nn.Linear(1024, 1)",
]

DC_GENERATOR = [
    "nn.Linear(noise_dim, 1024)",
    "nn.ReLU()",
    "nn.BatchNorm1d(1024)",
    "nn.Linear(1024, 6272)",
    "nn.ReLU()",
    "nn.BatchNorm1d(6272)",
    "nn.Unflatten(1, (128, 7, 7))",
    "nn.ConvTranspose2d(128, 64, 4, 2, 1)",
    "nn.ReLU()",
    "nn.BatchNorm2d(64)",
    "nn.ConvTranspose2d(64, 1, 4, 2, 1)",
    "nn.Tanh()",
]

XAVIER = """\
if isinstance(module, (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)):
    nn.init.xavier_uniform_(module.weight)
    if module.bias is not None:
        nn.init.zeros_(module.bias)
"""

STRIDED_D = [
    "nn.Conv2d(1, 32, 4, 2, 1)",
    "nn.LeakyReLU(0.2)",
    "nn.Conv2d(32, 64, 4, 2, 1, bias=False)",
    "nn.BatchNorm2d(64)",
    "nn.LeakyReLU(0.2)",
    "nn.Conv2d(64, 128, 3, 2, 1, bias=False)",
    "nn.BatchNorm2d(128)",
    "nn.LeakyReLU(0.2)",
    "nn.Flatten()",
    "nn.Linear(2048, 1)",
]

STRIDED_G = [
    "nn.Unflatten(1, (noise_dim, 1, 1))",
    "nn.ConvTranspose2d(noise_dim, 128, 4, bias=False)",
    "nn.BatchNorm2d(128)",
    "nn.ReLU()",
    "nn.ConvTranspose2d(128, 64, 3, 2, 1, bias=False)",
    "nn.BatchNorm2d(64)",
    "nn.ReLU()",
    "nn.ConvTranspose2d(64, 32, 4, 2, 1, bias=False)",
    "nn.BatchNorm2d(32)",
    "nn.ReLU()",
    "nn.ConvTranspose2d(32, 1, 4, 2, 1)",
    "nn.Tanh()",
]

NORM = """\
mean = x.mean(dim=(0, 2, 3), keepdim=True)
variance = x.var(dim=(0, 2, 3), unbiased=False, keepdim=True)
return (x - mean) / torch.sqrt(variance + 1e-5)
"""

ROTATION = """\
angle = torch.deg2rad(degrees)
cos, sin, zero = angle.cos(), angle.sin(), torch.zeros_like(angle)
first = torch.stack([cos, -sin, zero], dim=1)
second = torch.stack([sin, cos, zero], dim=1)
return torch.stack([first, second], dim=1)
"""


RIGHT: dict[str, list[str]] = {
    "02.1": [
        "return (side + 2 * padding - kernel) // stride + 1",
        "return int((side + 2 * padding - kernel) / stride) + 1",
        """
        import math
        return math.floor((side + 2 * padding - kernel) / stride + 1)
        """,
        "return len(range(0, side + 2 * padding - kernel + 1, stride))",
        """
        layer = nn.Conv2d(1, 1, kernel, stride, padding)
        return layer(torch.zeros(1, 1, side, side)).shape[-1]
        """,
        "return (side + 2 * padding - kernel + stride) // stride",
    ],
    "02.2": [
        "return (side - 1) * stride - 2 * padding + kernel",
        "return side * stride - stride + kernel - 2 * padding",
        """
        places = [stride * i for i in range(side)]
        return places[-1] + kernel - padding - padding
        """,
        """
        layer = nn.ConvTranspose2d(1, 1, kernel, stride, padding)
        return layer(torch.zeros(1, 1, side, side)).shape[-1]
        """,
    ],
    "02.3": [
        sequential(*CLASSIFIER),
        swap(sequential(*CLASSIFIER), ("(1024, 1024)", "(64 * 4 * 4, 64 * 4 * 4)")).replace(
            "nn.LeakyReLU(0.01)", "nn.LeakyReLU()"
        ),
        """
        layers = []
        for i, o in ((1, 32), (32, 64)):
            layers += [nn.Conv2d(i, o, kernel_size=5), nn.LeakyReLU(0.01, inplace=True)]
            layers += [nn.MaxPool2d(2, 2)]
        layers += [nn.Flatten(), nn.Linear(1024, 1024), nn.LeakyReLU(), nn.Linear(1024, 1)]
        return nn.Sequential(*layers)
        """,
        """
        class D(nn.Module):
            def __init__(self):
                super().__init__()
                self.a, self.b = nn.Conv2d(1, 32, 5), nn.Conv2d(32, 64, 5)
                self.c, self.d = nn.Linear(1024, 1024), nn.Linear(1024, 1)
            def forward(self, x):
                x = F.max_pool2d(F.leaky_relu(self.a(x)), 2)
                x = F.max_pool2d(F.leaky_relu(self.b(x)), 2)
                return self.d(F.leaky_relu(self.c(x.flatten(1))))
        return D()
        """,
        sequential(*CLASSIFIER[:1], *CLASSIFIER[2:0:-1], *CLASSIFIER[3:]),  # pool first: the same
    ],
    "02.4": [
        sequential(*DC_GENERATOR),
        """
        return nn.Sequential(
            nn.Linear(noise_dim, 1024), nn.ReLU(True), nn.BatchNorm1d(1024),
            nn.Linear(1024, 7 * 7 * 128), nn.ReLU(True), nn.BatchNorm1d(7 * 7 * 128),
            nn.Unflatten(1, torch.Size([128, 7, 7])),
            nn.ConvTranspose2d(128, 64, kernel_size=4, stride=2, padding=1),
            nn.ReLU(True), nn.BatchNorm2d(64),
            nn.ConvTranspose2d(64, 1, kernel_size=4, stride=2, padding=1), nn.Tanh(),
        )
        """,
        """
        class G(nn.Module):
            def __init__(self):
                super().__init__()
                self.flat = nn.Sequential(
                    nn.Linear(noise_dim, 1024), nn.ReLU(), nn.BatchNorm1d(1024),
                    nn.Linear(1024, 6272), nn.ReLU(), nn.BatchNorm1d(6272))
                self.image = nn.Sequential(
                    nn.ConvTranspose2d(128, 64, 4, 2, 1), nn.ReLU(), nn.BatchNorm2d(64),
                    nn.ConvTranspose2d(64, 1, 4, 2, 1), nn.Tanh())
            def forward(self, noise):
                return self.image(self.flat(noise).view(-1, 128, 7, 7))
        return G()
        """,
        sequential(*DC_GENERATOR, "nn.Flatten()"),  # as flat rows of 784: known to the course
    ],
    "02.5": [
        XAVIER,
        """
        kinds = nn.Linear, nn.Conv2d, nn.ConvTranspose2d
        if type(module) in kinds:
            torch.nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                module.bias.data.zero_()
        """,
        """
        if isinstance(module, (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)):
            w = module.weight
            size = w[0, 0].numel()
            bound = (6 / ((w.shape[0] + w.shape[1]) * size)) ** 0.5
            with torch.no_grad():
                w.uniform_(-bound, bound)
                if module.bias is not None:
                    module.bias.fill_(0)
        """,
        """
        if isinstance(module, nn.Linear) or 'Conv' in type(module).__name__:
            nn.init.xavier_uniform_(module.weight, gain=1.0)
            if getattr(module, 'bias', None) is not None:
                nn.init.constant_(module.bias, 0.0)
        return module
        """,
    ],
    "02.6": [
        sequential(*STRIDED_D),
        """
        def block(i, o, k):
            return [nn.Conv2d(i, o, k, stride=2, padding=1, bias=False),
                    nn.BatchNorm2d(o), nn.LeakyReLU(0.2)]
        return nn.Sequential(
            nn.Conv2d(1, 32, 4, 2, 1), nn.LeakyReLU(0.2),
            *block(32, 64, 4), *block(64, 128, 3), nn.Flatten(), nn.Linear(128 * 16, 1))
        """,
        """
        class D(nn.Module):
            def __init__(self):
                super().__init__()
                self.one = nn.Conv2d(1, 32, 4, 2, 1)
                self.two = nn.Conv2d(32, 64, 4, 2, 1, bias=False)
                self.two_norm = nn.BatchNorm2d(64)
                self.three = nn.Conv2d(64, 128, 3, 2, 1, bias=False)
                self.three_norm = nn.BatchNorm2d(128)
                self.out = nn.Linear(2048, 1)
            def forward(self, x):
                x = F.leaky_relu(self.one(x), 0.2)
                x = F.leaky_relu(self.two_norm(self.two(x)), 0.2)
                x = F.leaky_relu(self.three_norm(self.three(x)), 0.2)
                return self.out(x.flatten(1))
        return D()
        """,
        instead(STRIDED_D, at9="nn.Linear(128 * 4 * 4, 1)", at1="nn.LeakyReLU(0.2, inplace=True)"),
    ],
    "02.7": [
        sequential(*STRIDED_G),
        """
        def block(i, o, k, **rest):
            return [nn.ConvTranspose2d(i, o, k, bias=False, **rest), nn.BatchNorm2d(o), nn.ReLU()]
        return nn.Sequential(
            nn.Unflatten(1, (noise_dim, 1, 1)),
            *block(noise_dim, 128, 4), *block(128, 64, 3, stride=2, padding=1),
            *block(64, 32, 4, stride=2, padding=1),
            nn.ConvTranspose2d(32, 1, 4, stride=2, padding=1), nn.Tanh())
        """,
        """
        class G(nn.Module):
            def __init__(self):
                super().__init__()
                self.layers = nn.Sequential(
                    nn.ConvTranspose2d(noise_dim, 128, 4, bias=False),
                    nn.BatchNorm2d(128), nn.ReLU(),
                    nn.ConvTranspose2d(128, 64, 3, 2, 1, bias=False),
                    nn.BatchNorm2d(64), nn.ReLU(),
                    nn.ConvTranspose2d(64, 32, 4, 2, 1, bias=False),
                    nn.BatchNorm2d(32), nn.ReLU(),
                    nn.ConvTranspose2d(32, 1, 4, 2, 1))
            def forward(self, noise):
                return torch.tanh(self.layers(noise[:, :, None, None]))
        return G()
        """,
        instead(STRIDED_G, at0="nn.Unflatten(-1, (-1, 1, 1))"),
    ],
    "02.8": [
        NORM,
        "return F.batch_norm(x, None, None, training=True)",
        """
        dims = [0, 2, 3]
        centred = x - x.mean(dims, keepdim=True)
        return centred * torch.rsqrt(centred.square().mean(dims, keepdim=True) + 1e-5)
        """,
        """
        rows = x.transpose(0, 1).flatten(1)
        mean, var = rows.mean(dim=1), rows.var(dim=1, correction=0)
        return (x - mean[None, :, None, None]) / (var[None, :, None, None] + 1e-5) ** 0.5
        """,
        """
        out = torch.empty_like(x)
        for c in range(x.shape[1]):
            channel = x[:, c]
            out[:, c] = (channel - channel.mean()) / (channel.var(correction=0) + 1e-5).sqrt()
        return out
        """,
    ],
    "02.9": [
        ROTATION,
        """
        rows = []
        for d in degrees * torch.pi / 180:
            c, s = torch.cos(d), torch.sin(d)
            rows.append([[c, -s, 0], [s, c, 0]])
        return torch.tensor(rows)
        """,
        """
        a = torch.deg2rad(degrees)
        m = torch.zeros(len(a), 2, 3)
        m[:, 0, 0] = m[:, 1, 1] = a.cos()
        m[:, 0, 1] = -a.sin()
        m[:, 1, 0] = a.sin()
        return m
        """,
        """
        a = degrees.deg2rad()
        c, s, o = a.cos(), a.sin(), 0 * a
        return torch.stack([c, -s, o, s, c, o], dim=-1).view(-1, 2, 3)
        """,
    ],
}


def leaks(*slopes: str) -> str:
    return instead(STRIDED_D, **{f"at{i}": s for i, s in zip((1, 4, 7), slopes)})


WRONG: dict[str, list[tuple[str, str]]] = {
    "02.1": [
        ("plus 1", "return (side + 2 * padding - kernel) // stride"),
        ("both sides", "return (side + padding - kernel) // stride + 1"),
        ("padding is missing", "return (side - kernel) // stride + 1"),
        ("plus, not minus", "return (side - 2 * padding - kernel) // stride + 1"),
        ("divide by it", "return side + 2 * padding - kernel + 1"),
        ("rounds down", "return (side + 2 * padding - kernel) / stride + 1"),
        ("round down", "return -(-(side + 2 * padding - kernel) // stride) + 1"),
        ("room itself", "return (side + 2 * padding) // stride"),
        ("room itself", "return (side + 2 * padding) // stride + 1"),
        ("brackets", "return side + 2 * padding - kernel // stride + 1"),
        ("transposed", "return (side - 1) * stride - 2 * padding + kernel"),
        ("outside the division", "return (side + 2 * padding - kernel + 1) // stride + 1"),
        ("return", "size = (side + 2 * padding - kernel) // stride + 1"),
        ("how many steps", "return 14"),
    ],
    "02.2": [
        ("padding is missing", "return (side - 1) * stride + kernel"),
        ("both sides", "return (side - 1) * stride - padding + kernel"),
        ("minus, not plus", "return (side - 1) * stride + 2 * padding + kernel"),
        ("side - 1 steps", "return side * stride - 2 * padding + kernel"),
        ("not side + 1", "return (side + 1) * stride - 2 * padding + kernel"),
        ("width", "return (side - 1) * stride - 2 * padding"),
        ("width", "return (side - 1) * stride - 2 * padding + 1"),
        ("no 1 at the end", "return (side - 1) * stride - 2 * padding + kernel + 1"),
        ("no 1 at the end", "return (side - 1) * stride - 2 * padding + kernel - 1"),
        ("brackets", "return side - 1 * stride - 2 * padding + kernel"),
        ("use all four", "return side * stride"),
        ("the way down", "return (side + 2 * padding - kernel) // stride + 1"),
        ("return", "size = (side - 1) * stride - 2 * padding + kernel"),
    ],
    "02.3": [
        ("slope is 0.01", sequential(*CLASSIFIER).replace("0.01", "0.2")),
        ("not ReLU", sequential(*CLASSIFIER).replace("LeakyReLU(0.01)", "ReLU()")),
        ("every LeakyReLU", without(CLASSIFIER, 1, 4, 8)),
        ("first LeakyReLU", without(CLASSIFIER, 1)),
        ("third LeakyReLU", without(CLASSIFIER, 8)),
        ("logits", sequential(*CLASSIFIER, "nn.Sigmoid()")),
        ("1,102,721 parameters", instead(CLASSIFIER, at0="nn.Conv2d(1, 32, 3)")),
        ("1,102,721 parameters", without(CLASSIFIER, 7, 8)),
        ("1,102,721 parameters", instead(CLASSIFIER, at9="nn.Linear(1024, 10)")),
        ("a return missing", sequential(*CLASSIFIER).replace("return", "D =")),
        ("is a layer's size", instead(CLASSIFIER, at0="nn.Conv2d(1, 32, 5, padding=2)")),
        ("is a layer's size", without(CLASSIFIER, 6)),
        ("shape (4, 1)", sequential(*CLASSIFIER, "nn.Flatten(0)")),
        ("nothing after the last one", sequential(*CLASSIFIER, "nn.ReLU()")),
        ("cuts values off", sequential(*CLASSIFIER, "nn.Hardtanh(-20, 20)")),
    ],
    "02.4": [
        ("not LeakyReLU", sequential(*DC_GENERATOR).replace("nn.ReLU()", "nn.LeakyReLU(0.01)")),
        ("every ReLU", without(DC_GENERATOR, 1, 4, 8)),
        ("first ReLU is", without(DC_GENERATOR, 1)),
        *(
            ("cuts values off", instead(DC_GENERATOR, **{f"at{place}": "nn.ReLU6()"}))
            for place in (1, 4, 8)
        ),
        ("Tanh is missing", without(DC_GENERATOR, 11)),
        ("not Sigmoid", instead(DC_GENERATOR, at11="nn.Sigmoid()")),
        ("no Sigmoid after", sequential(*DC_GENERATOR, "nn.Sigmoid()")),
        (
            "first ReLU, then BatchNorm",
            instead(
                DC_GENERATOR,
                at1=DC_GENERATOR[2],
                at2="nn.ReLU()",
                at4=DC_GENERATOR[5],
                at5="nn.ReLU()",
                at8=DC_GENERATOR[9],
                at9="nn.ReLU()",
            ),
        ),
        ("noise_dim is 5", sequential(*DC_GENERATOR).replace("noise_dim", "96")),
        ("parameters", without(DC_GENERATOR, 2, 5, 9)),
        ("parameters", instead(DC_GENERATOR, at7="nn.ConvTranspose2d(128, 64, 5, 2, 2)")),
        ("stride or padding", instead(DC_GENERATOR, at7="nn.ConvTranspose2d(128, 64, 4, 2, 2)")),
        ("a return missing", sequential(*DC_GENERATOR).replace("return", "G =")),
    ],
    "02.5": [
        ("Linear belongs", "pass"),
        ("ConvTranspose2d belongs", swap(XAVIER, (", nn.ConvTranspose2d", ""))),
        (
            "Conv2d belongs",
            swap(XAVIER, ("(nn.Linear, nn.Conv2d, nn.ConvTranspose2d)", "nn.Linear")),
        ),
        ("not xavier_normal_", swap(XAVIER, ("xavier_uniform_", "xavier_normal_"))),
        ("Kaiming", swap(XAVIER, ("xavier_uniform_", "kaiming_uniform_"))),
        (
            "PyTorch starts with",
            "if hasattr(module, 'reset_parameters'): module.reset_parameters()",
        ),
        ("stay alike", swap(XAVIER, ("xavier_uniform_", "zeros_"))),
        (
            "fixed spread",
            swap(XAVIER, ("xavier_uniform_(module.weight)", "normal_(module.weight, 0, 0.02)")),
        ),
        ("nn.init.zeros_", swap(XAVIER, ("zeros_", "ones_"))),
        (
            "nn.init.zeros_",
            """
            if isinstance(module, (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)):
                nn.init.xavier_uniform_(module.weight)
            """,
        ),
        (
            "module.bias is None",
            swap(XAVIER, ("    if module.bias is not None:\n        nn", "    nn")),
        ),
        (
            "isinstance tells",
            """
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
            """,
        ),
        (
            "isinstance tells",
            """
            if hasattr(module, "weight"):
                if module.weight.ndim > 1:
                    nn.init.xavier_uniform_(module.weight)
                else:
                    nn.init.ones_(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
            """,
        ),
        ("below 0", swap(XAVIER, ("xavier_uniform_(module.weight)", "uniform_(module.weight)"))),
        ("no gain", swap(XAVIER, ("(module.weight)", "(module.weight, gain=1.7)"))),
    ],
    "02.6": [
        ("slope is 0.2", leaks(*["nn.LeakyReLU()"] * 3)),
        ("look at all three", leaks("nn.LeakyReLU(0.2)", "nn.LeakyReLU()", "nn.LeakyReLU(0.2)")),
        ("not 0.02", leaks(*["nn.LeakyReLU(0.02)"] * 3)),
        ("not ReLU", leaks(*["nn.ReLU()"] * 3)),
        ("after each convolution", without(STRIDED_D, 1, 4, 7)),
        ("first LeakyReLU is missing", without(STRIDED_D, 1)),
        ("third LeakyReLU is missing", without(STRIDED_D, 7)),
        ("no Sigmoid", sequential(*STRIDED_D, "nn.Sigmoid()")),
        ("batch norm is missing after the second and", without(STRIDED_D, 3, 6)),
        ("missing after the second", without(STRIDED_D, 3)),
        ("missing after the third", without(STRIDED_D, 6)),
        ("takes it away again", sequential(*STRIDED_D).replace(", bias=False", "")),
        (
            "before its LeakyReLU",
            instead(
                STRIDED_D,
                at3="nn.LeakyReLU(0.2)",
                at4=STRIDED_D[3],
                at6=STRIDED_D[7],
                at7=STRIDED_D[6],
            ),
        ),
        (
            "first convolution keeps",
            instead(STRIDED_D, at0="nn.Conv2d(1, 32, 4, 2, 1, bias=False)"),
        ),
        (
            "side 3",
            instead(
                STRIDED_D, at5="nn.Conv2d(64, 128, 4, 2, 1, bias=False)", at9="nn.Linear(1152, 1)"
            ),
        ),
        ("block by block", instead(STRIDED_D, at2="nn.Conv2d(32, 64, 4, 1, 1, bias=False)")),
        ("return", sequential(*STRIDED_D).replace("return", "D =")),
    ],
    "02.7": [
        ("Tanh is missing", without(STRIDED_G, 11)),
        ("not Sigmoid", instead(STRIDED_G, at11="nn.Sigmoid()")),
        ("leak belongs to D", sequential(*STRIDED_G).replace("nn.ReLU()", "nn.LeakyReLU(0.2)")),
        ("after each batch norm", without(STRIDED_G, 3, 6, 9)),
        ("second ReLU is missing", without(STRIDED_G, 6)),
        ("Tanh is the last", sequential(*STRIDED_G).replace("nn.ReLU()", "nn.Tanh()")),
        ("takes it away again", sequential(*STRIDED_G).replace(", bias=False", "")),
        ("first three", without(STRIDED_G, 2, 5, 8)),
        ("missing after the second", without(STRIDED_G, 5)),
        ("follows at once", instead(STRIDED_G, at10=STRIDED_G[10] + ", nn.BatchNorm2d(1)")),
        (
            "before its ReLU",
            sequential(
                *STRIDED_G[:2],
                *STRIDED_G[3:1:-1],
                STRIDED_G[4],
                *STRIDED_G[6:4:-1],
                STRIDED_G[7],
                *STRIDED_G[9:7:-1],
                *STRIDED_G[10:],
            ),
        ),
        ("argument `noise_dim`", sequential(*STRIDED_G).replace("noise_dim", "64")),
        ("side 3", instead(STRIDED_G, at4="nn.ConvTranspose2d(128, 64, 4, 2, 1, bias=False)")),
        ("padding off", instead(STRIDED_G, at4="nn.ConvTranspose2d(128, 64, 3, 2, bias=False)")),
        ("block by block", without(STRIDED_G, 0)),
        ("return", sequential(*STRIDED_G).replace("return", "G =")),
    ],
    "02.8": [
        ("biased variance", swap(NORM, ("unbiased=False, ", ""))),
        ("eps is missing", swap(NORM, (" + 1e-5", ""))),
        ("under the root", swap(NORM, ("torch.sqrt(variance + 1e-5)", "(variance.sqrt() + 1e-5)"))),
        (
            "under the root",
            swap(
                NORM, ("torch.sqrt(variance + 1e-5)", "(x.std(dim=(0, 2, 3), keepdim=True) + 1e-5)")
            ),
        ),
        ("root of the variance", swap(NORM, ("torch.sqrt(variance + 1e-5)", "(variance + 1e-5)"))),
        ("spread as well", swap(NORM, (" / torch.sqrt(variance + 1e-5)", ""))),
        ("subtract the mean", swap(NORM, ("(x - mean)", "x"))),
        ("brackets", swap(NORM, ("(x - mean)", "x - mean"))),
        ("each image alone", NORM.replace("(0, 2, 3)", "(2, 3)")),
        ("each image alone", NORM.replace("(0, 2, 3)", "(1, 2, 3)")),
        ("each place alone", NORM.replace("(0, 2, 3)", "0")),
        ("own mean", NORM.replace("(0, 2, 3)", "(0, 1, 2, 3)")),
        ("eps is 1e-5", swap(NORM, ("1e-5", "1e-3"))),
        ("print both shapes", NORM.replace(", keepdim=True", "")),
        ("keepdim=True", "return x.mean(dim=(0, 2, 3), keepdim=True)"),
        ("return", swap(NORM, ("return ", "y = "))),
    ],
    "02.9": [
        ("clockwise", swap(ROTATION, ("-sin, zero", "sin, zero"), ("[sin, cos", "[-sin, cos"))),
        ("deg2rad", swap(ROTATION, ("torch.deg2rad(degrees)", "degrees"))),
        ("has a minus, the first", swap(ROTATION, ("-sin, zero", "sin, zero"))),
        ("not both", swap(ROTATION, ("[sin, cos", "[-sin, cos"))),
        ("row for x", swap(ROTATION, ("[first, second]", "[second, first]"))),
        ("diagonal", swap(ROTATION, ("[cos, -sin", "[-sin, cos"), ("[sin, cos", "[cos, sin"))),
        ("third column", swap(ROTATION, ("torch.zeros_like", "torch.ones_like"))),
        (
            "comes last",
            swap(
                ROTATION,
                ("[cos, -sin, zero]", "[zero, cos, -sin]"),
                ("[sin, cos, zero]", "[zero, sin, cos]"),
            ),
        ),
        ("dim=1", ROTATION.replace(", dim=1", "")),
        ("the last stack", swap(ROTATION, ("[first, second], dim=1", "[first, second]"))),
        ("column of zeros", ROTATION.replace(", zero]", "]")),
        ("180 degrees", swap(ROTATION, ("torch.deg2rad(degrees)", "degrees * torch.pi / 360"))),
        (
            "do not join",
            swap(ROTATION, ("torch.stack([first, second]", "torch.cat([first, second]")),
        ),
        ("not the first", swap(ROTATION, ("(degrees)", "(degrees[:1].expand(5))"))),
        ("return", swap(ROTATION, ("return ", "m = "))),
    ],
}
