"""What students write for the exercises of lesson 1: right in many ways, and wrong in many.

An answer is the text below the exercise's first line (`HEADS`), or a whole cell where it begins
with `def`, `class` or `@`. With each wrong answer stand words that its verdict must hold.
"""

from __future__ import annotations

import textwrap
from typing import Any

from helpers import define_answer, swap

NAMES = {
    "01.1": "best_discriminator",
    "01.2": "generator_losses",
    "01.3": "to_model_range",
    "01.4": "Generator",
    "01.5": "Discriminator",
    "01.6": "discriminator_step",
    "01.7": "generator_step",
    "01.8": "bce_with_logits",
    "01.9": "discriminator_loss",
    "01.10": "generator_loss",
    "01.11": "update_average",
}

HEADS = {
    "01.1": "def best_discriminator(p, q):",
    "01.2": "def generator_losses(d_fake):",
    "01.3": "def to_model_range(pixels):",
    "01.6": "def discriminator_step(D, D_solver, criterion, images, fakes):",
    "01.7": "def generator_step(D, G_solver, criterion, fakes):",
    "01.8": "def bce_with_logits(logits, labels):",
    "01.9": "def discriminator_loss(logits_real, logits_fake):",
    "01.10": "def generator_loss(logits_fake):",
    "01.11": "@torch.no_grad()\ndef update_average(average, model, decay):",
}


def define(exercise_id: str, answer: str) -> Any:
    """The function or class that a notebook cell with this answer defines."""
    name = NAMES[exercise_id]
    whole = ("def ", "class ", "@", name)
    return define_answer(answer, name, HEADS.get(exercise_id, ""), whole)


def generator(
    layers: str, forward: str = "return self.layers(noise).reshape(-1, 1, 28, 28)"
) -> str:
    return f"""\
class Generator(nn.Module):
    def __init__(self, noise_size, hidden_size):
        super().__init__()
{textwrap.indent(textwrap.dedent(layers).strip(), " " * 8)}

    def forward(self, noise):
{textwrap.indent(textwrap.dedent(forward).strip(), " " * 8)}
"""


def discriminator(layers: str, forward: str = "return self.layers(images)") -> str:
    return f"""\
class Discriminator(nn.Module):
    def __init__(self, hidden_size):
        super().__init__()
{textwrap.indent(textwrap.dedent(layers).strip(), " " * 8)}

    def forward(self, images):
{textwrap.indent(textwrap.dedent(forward).strip(), " " * 8)}
"""


def g_layers(one="nn.ReLU(), ", two="nn.ReLU(), ", last=", nn.Tanh()", **forward: str) -> str:
    """The generator with other text between its three Linear layers."""
    return generator(
        f"""
        self.layers = nn.Sequential(
            nn.Linear(noise_size, hidden_size), {one}
            nn.Linear(hidden_size, 2 * hidden_size), {two}
            nn.Linear(2 * hidden_size, 784){last})
        """,
        **forward,
    )


def d_layers(
    first="nn.Flatten(), ",
    one="nn.LeakyReLU(0.2), ",
    two="nn.LeakyReLU(0.2), ",
    last=", nn.Sigmoid()",
    **forward: str,
) -> str:
    """The discriminator with other text around its three Linear layers."""
    return discriminator(
        f"""
        self.layers = nn.Sequential(
            {first}nn.Linear(784, 2 * hidden_size), {one}
            nn.Linear(2 * hidden_size, hidden_size), {two}
            nn.Linear(hidden_size, 1){last})
        """,
        **forward,
    )


RETURN = "return loss.detach(), real_scores.detach(), fake_scores.detach()"

D_STEP = f"""\
real_scores = D(images)
fake_scores = D(fakes.detach())
loss_real = criterion(real_scores, torch.ones_like(real_scores))
loss_fake = criterion(fake_scores, torch.zeros_like(fake_scores))
loss = loss_real + loss_fake
D_solver.zero_grad()
loss.backward()
D_solver.step()
{RETURN}
"""

G_STEP = """\
scores = D(fakes)
loss = criterion(scores, torch.ones_like(scores))
G_solver.zero_grad()
loss.backward()
G_solver.step()
return loss.detach()
"""


SEPARATE_G = """
self.one = nn.Linear(noise_size, hidden_size)
self.two = nn.Linear(hidden_size, 2 * hidden_size)
self.three = nn.Linear(2 * hidden_size, 28 * 28)
"""
SEPARATE_D = """
self.one = nn.Linear(28 * 28, 2 * hidden_size)
self.two = nn.Linear(2 * hidden_size, hidden_size)
self.three = nn.Linear(hidden_size, 1)
"""
BACKWARDS_D = """
self.three = nn.Linear(hidden_size, 1)
self.two = nn.Linear(2 * hidden_size, hidden_size)
self.one = nn.Linear(28 * 28, 2 * hidden_size)
"""

RIGHT: dict[str, list[str]] = {
    "01.1": [
        "return p / (p + q)",
        "return 1 / (1 + q / p)",
        "return torch.div(p, torch.add(p, q))",
        "return p / (p + q + 1e-8)",
        "return 1 - q / (p + q)",
        "total = p + q\nprint(total)\nreturn p.div(total)",
        "return torch.sigmoid(torch.log(p) - torch.log(q))",
        "best_discriminator = lambda p, q: p / (q + p)",
    ],
    "01.2": [
        "return torch.log(1 - d_fake).mean(), -torch.log(d_fake).mean()",
        "return [(1 - d_fake).log().mean(), -d_fake.log().mean()]",
        "return torch.mean(torch.log1p(-d_fake)), torch.mean(-torch.log(d_fake))",
        """
        ones, zeros = torch.ones_like(d_fake), torch.zeros_like(d_fake)
        bce = nn.BCELoss()
        return -bce(d_fake, zeros), bce(d_fake, ones)
        """,
        "eps = 1e-8\nreturn torch.log(1 - d_fake + eps).mean(), -torch.log(d_fake + eps).mean()",
        "n = d_fake.numel()\nreturn (1 - d_fake).log().sum() / n, -d_fake.log().sum() / n",
    ],
    "01.3": [
        "return pixels.float() / 127.5 - 1",
        "return pixels / 255 * 2 - 1",
        "return (pixels.float() - 127.5) / 127.5",
        "return ((pixels / 255) - 0.5) / 0.5",
        "return 2 * (pixels / 255) - 1",
        "return 2 * pixels.to(torch.float32) / 255 - 1",
        "return pixels.float().div_(127.5).sub_(1)",
        "return torch.lerp(torch.tensor(-1.0), torch.tensor(1.0), pixels / 255)",
        "return (pixels.double() / 127.5 - 1).float()",
        """
        from torchvision import transforms
        return transforms.Normalize((0.5,), (0.5,))(pixels / 255)
        """,
    ],
    "01.4": [
        g_layers(),
        g_layers(one="nn.ReLU(inplace=True), ", two="nn.Threshold(0, 0), "),
        generator(
            SEPARATE_G,
            """
            x = F.relu(self.one(noise))
            x = F.relu(self.two(x))
            return torch.tanh(self.three(x)).view(noise.size(0), 1, 28, 28)
            """,
        ),
        generator(
            """
            self.out = nn.Linear(2 * hidden_size, 784)
            self.activation = nn.ReLU()
            self.hidden = nn.ModuleList(
                [nn.Linear(noise_size, hidden_size), nn.Linear(hidden_size, 2 * hidden_size)])
            """,
            """
            for layer in self.hidden:
                noise = self.activation(layer(noise))
            return self.out(noise).tanh().unflatten(1, (1, 28, 28))
            """,
        ),
        """
        class Generator(nn.Sequential):
            def __init__(self, noise_size, hidden_size):
                sizes = [noise_size, hidden_size, 2 * hidden_size, 784]
                layers = []
                for a, b in zip(sizes, sizes[1:]):
                    layers += [nn.Linear(a, b), nn.ReLU()]
                layers[-1] = nn.Tanh()
                super().__init__(*layers, nn.Unflatten(1, (1, 28, 28)))
        """,
        """
        def Generator(noise_size, hidden_size):
            return nn.Sequential(
                nn.Linear(noise_size, hidden_size), nn.ReLU(),
                nn.Linear(hidden_size, hidden_size * 2), nn.ReLU(),
                nn.Linear(hidden_size * 2, 784), nn.Tanh(), nn.Unflatten(1, (1, 28, 28)))
        """,
        generator(
            SEPARATE_G,
            """
            x = F.linear(noise, self.one.weight, self.one.bias).clamp(min=0)
            x = torch.maximum(F.linear(x, self.two.weight, self.two.bias), torch.tensor(0.0))
            print(x.shape)
            x = F.linear(x, self.three.weight, self.three.bias)
            return (2 * torch.sigmoid(2 * x) - 1)[:, None].reshape(len(x), 1, 28, 28)
            """,
        ),
        g_layers().replace("super().__init__()", "nn.Module.__init__(self)"),
        g_layers().rstrip() + "\n\n    def __len__(self):\n        return 0\n",
    ],
    "01.5": [
        d_layers(),
        d_layers(first="", forward="return self.layers(images.view(images.size(0), -1))"),
        d_layers(last="", forward="return torch.sigmoid(self.layers(images))"),
        discriminator(
            SEPARATE_D,
            """
            x = images.flatten(1)
            x = F.leaky_relu(self.one(x), 0.2)
            x = F.leaky_relu(self.two(x), negative_slope=0.2)
            return F.sigmoid(self.three(x))
            """,
        ),
        discriminator(
            BACKWARDS_D,
            """
            x = self.one(images.reshape(-1, 784))
            x = self.two(torch.where(x > 0, x, 0.2 * x))
            x = self.three(torch.max(x, 0.2 * x))
            return 1 / (1 + torch.exp(-x))
            """,
        ),
        d_layers(one="nn.LeakyReLU(0.2, inplace=True), ", two="nn.LeakyReLU(2e-1), "),
        d_layers(one="nn.LeakyReLU(0.2), nn.Dropout(0.0), "),
        discriminator(
            """
            act = nn.LeakyReLU(0.2)
            self.body = nn.Sequential(
                nn.Flatten(), nn.Linear(784, 2 * hidden_size), act,
                nn.Linear(2 * hidden_size, hidden_size), act)
            self.head = nn.Sequential(nn.Linear(hidden_size, 1), nn.Sigmoid())
            """,
            "return self.head(self.body(images))",
        ),
    ],
    "01.6": [
        D_STEP,
        swap(D_STEP, ("return loss.detach(),", "return loss.item(),")),
        "D_solver.zero_grad()\n" + swap(D_STEP, ("D_solver.zero_grad()\n", "")),
        swap(
            D_STEP,
            ("loss.backward()", "loss_real.backward()\nloss_fake.backward()"),
            (
                RETURN,
                RETURN.replace("return", "return [") + "]",
            ),
        ),
        """
        D.zero_grad()
        batch = len(images)
        d_real, d_fake = D(images).view(-1), D(fakes.detach()).view(-1)
        loss = criterion(d_real, torch.full((batch,), 1.0)) + criterion(d_fake, torch.zeros(batch))
        loss.backward()
        D_solver.step()
        return loss.detach(), d_real.detach().mean(), d_fake.detach().mean()
        """,
        """
        fakes = fakes.detach()
        labels = torch.cat([torch.ones(len(images), 1), torch.zeros(len(fakes), 1)])
        scores = D(torch.cat([images, fakes]))
        loss = 2 * criterion(scores, labels)
        for p in D.parameters():
            p.grad = None
        loss.backward()
        D_solver.step()
        return loss.detach(), *scores.detach().split([len(images), len(fakes)])
        """,
        """
        D_solver.zero_grad(set_to_none=False)
        real = D(images)
        loss_real = F.binary_cross_entropy(real, torch.ones_like(real))
        loss_real.backward()
        fake = D(fakes.data)
        loss_fake = F.binary_cross_entropy(fake, torch.zeros_like(fake))
        loss_fake.backward()
        D_solver.step()
        print("loss", (loss_real + loss_fake).item())
        return (loss_real + loss_fake).item(), real.data, fake.data
        """,
        swap(
            D_STEP,
            ("criterion(real_scores, torch.ones_like(real_scores))", "-real_scores.log().mean()"),
        ),
    ],
    "01.7": [
        G_STEP,
        swap(G_STEP, ("loss.detach()", "loss.item()")),
        "G_solver.zero_grad()\n" + swap(G_STEP, ("G_solver.zero_grad()\n", "")),
        swap(G_STEP, ("G_solver.zero_grad()\n", ""), ("return", "G_solver.zero_grad()\nreturn")),
        """
        labels = torch.ones(fakes.size(0), 1)
        g_loss = criterion(D(fakes), labels)
        D.zero_grad()
        G_solver.zero_grad()
        g_loss.backward(retain_graph=True)
        G_solver.step()
        return float(g_loss.detach())
        """,
        """
        D.requires_grad_(False)
        loss = -torch.log(D(fakes)).mean()
        G_solver.zero_grad()
        loss.backward()
        G_solver.step()
        D.requires_grad_(True)
        return loss.detach().clone()
        """,
    ],
    "01.8": [
        "return F.binary_cross_entropy_with_logits(logits, labels)",
        "return nn.BCEWithLogitsLoss()(logits, labels)",
        "return (F.softplus(logits) - logits * labels).mean()",
        "return (torch.logaddexp(logits, torch.zeros_like(logits)) - logits * labels).mean()",
        """
        loss = torch.relu(logits) - labels * logits + torch.log(1 + torch.exp(-torch.abs(logits)))
        return torch.mean(loss)
        """,
        "return -(labels * F.logsigmoid(logits) + (1 - labels) * F.logsigmoid(-logits)).mean()",
        """
        zero = torch.zeros_like(logits)
        total = 0
        for s, y in zip(torch.max(logits, zero) - logits * labels, logits):
            total = total + s + torch.log1p(torch.exp(-abs(y)))
        return total / len(logits)
        """,
    ],
    "01.9": [
        """
        bce = nn.BCEWithLogitsLoss()
        real_labels = torch.ones(logits_real.shape)
        return bce(logits_fake, torch.zeros(len(logits_fake), 1)) + bce(logits_real, real_labels)
        """,
        "return F.softplus(-logits_real).mean() + F.softplus(logits_fake).mean()",
        "return -F.logsigmoid(logits_real).mean() - F.logsigmoid(-logits_fake).mean()",
        """
        n = logits_real.shape[0]
        logits = torch.cat((logits_real, logits_fake))
        labels = torch.cat((torch.ones(n, 1), torch.zeros(n, 1)))
        return F.binary_cross_entropy_with_logits(logits, labels, reduction="sum") / n
        """,
        "return -torch.log(torch.sigmoid(logits_real)).mean() "
        "- torch.log(1 - torch.sigmoid(logits_fake)).mean()",
    ],
    "01.10": [
        "return nn.BCEWithLogitsLoss()(logits_fake, torch.ones_like(logits_fake))",
        "return F.softplus(-logits_fake).mean()",
        "return -F.logsigmoid(logits_fake).mean()",
        "p = torch.sigmoid(logits_fake)\nreturn F.binary_cross_entropy(p, torch.ones(len(p), 1))",
        "loss = torch.log1p(torch.exp(-logits_fake))\nreturn loss.sum() / loss.numel()",
    ],
    "01.11": [
        """
        for a, m in zip(average.parameters(), model.parameters()):
            a.lerp_(m, 1 - decay)
        """,
        """
        for a, m in zip(average.parameters(), model.parameters()):
            a.copy_(decay * a + (1 - decay) * m)
        return average
        """,
        """
        def update_average(average, model, decay):
            for a, m in zip(average.parameters(), model.parameters()):
                a.data = decay * a.data + (1 - decay) * m.data
        """,
        """
        def update_average(average, model, decay):
            with torch.no_grad():
                for (name, a), (_, m) in zip(average.named_parameters(), model.named_parameters()):
                    print(name)
                    a *= decay
                    a += (1 - decay) * m
        """,
        """
        old, new = average.state_dict(), model.state_dict()
        average.load_state_dict({k: decay * old[k] + (1 - decay) * new[k] for k in old})
        """,
        """
        for a, m in zip(average.parameters(), model.parameters()):
            a.sub_((1 - decay) * (a - m))
        """,
    ],
}

NO_HEAD = "is the return there?"
PAIR = "separated by a comma"


def _disturb(network: str) -> list[tuple[str, str]]:
    """Right networks that change more than themselves while they are made, or their own type."""
    last = "nn.Tanh())" if "nn.Tanh())" in network else "nn.Sigmoid())"
    made = "super().__init__()"
    return [
        ("no .double()", swap(network, (last, f"{last}.double()"))),
        ("chooses the seed", swap(network, (made, f"{made}\n        torch.manual_seed(0)"))),
        ("gradients switched on", swap(network, (made, f"torch.set_grad_enabled(False); {made}"))),
    ]


# (words of the verdict, what was written)
WRONG: dict[str, list[tuple[str, str]]] = {
    "01.1": [
        ("share of p, not of q", "return q / (p + q)"),
        ("divide by all", "return p / q"),
        ("brackets", "return p / p + q"),
        ("½ where both are equal", "return p + q"),
        ("½ where both are equal", "return p - q"),
        ("½ where both are equal", "return torch.full_like(p, 0.5)"),
        ("½ where both are equal", "return (p / (p + q)).to(torch.complex64).imag"),
        ("complex numbers", "return (p / (p + q)).to(torch.complex64)"),
        ("no mean", "return (p / (p + q)).mean()"),
        ("return missing", "p / (p + q)"),
        ("return a tensor", "return [p / (p + q)]"),
        ("return a tensor", "return True"),
        ("; hint: is it spelled as in", "return p_data / (p_data + q)"),
        ("count the arguments", "def best_discriminator(p): return p"),
        ("keep the shape", "return (p / (p + q))[:, None]"),
        ("make a new tensor", "p /= p + q\nreturn p"),
    ],
    "01.2": [
        ("swap the two", "return -torch.log(d_fake).mean(), torch.log(1 - d_fake).mean()"),
        ("no minus", "return -torch.log(1 - d_fake).mean(), -torch.log(d_fake).mean()"),
        ("is the minus there", "return torch.log(1 - d_fake).mean(), torch.log(d_fake).mean()"),
        ("not the sum", "return torch.log(1 - d_fake).sum(), -torch.log(d_fake).sum()"),
        ("not the sum", "return torch.log(1 - d_fake).mean(), -torch.log(d_fake).sum()"),
        (".mean() missing", "return torch.log(1 - d_fake), -torch.log(d_fake)"),
        ("first the logarithm", "m = d_fake.mean()\nreturn torch.log(1 - m), -torch.log(m)"),
        (
            "first the logarithm",
            "return torch.log(1 - d_fake).mean(), -torch.log(d_fake.mean())",
        ),
        ("natural", "return torch.log10(1 - d_fake).mean(), -torch.log10(d_fake).mean()"),
        (PAIR, "return torch.log(1 - d_fake).mean()"),
        (PAIR, "return {'s': torch.log(1 - d_fake).mean(), 'n': -torch.log(d_fake).mean()}"),
        (
            "return missing",
            "saturating = torch.log(1 - d_fake).mean()\nother = -torch.log(d_fake).mean()",
        ),
        (
            "no .item()",
            "return torch.log(1 - d_fake).mean().item(), -torch.log(d_fake).mean().item()",
        ),
        (
            "no .item()",
            "return torch.log(1 - d_fake).mean(), -torch.log(d_fake).mean().detach()",
        ),
        ("NumPy", "import numpy as np\nreturn np.log(1 - d_fake.numpy()).mean(), 0"),
        ("torch.log", "import math\nreturn math.log(1 - d_fake), -math.log(d_fake)"),
    ],
    "01.3": [
        ("0 to 1", "return pixels / 255"),
        ("0 to 1", "return pixels.float() / 255.0"),
        ("-½ to ½", "return pixels / 255 - 0.5"),
        ("subtract 1", "return pixels / 127.5"),
        ("half of 255", "return pixels.float() / 128 - 1"),
        ("comes out as 254", "return 2 * pixels / 255 - 1"),
        ("255 becomes 1", "return pixels.float() / 127.5 + 1"),
        ("255 becomes 1", "return 1 - pixels.float() / 127.5"),
        ("255 becomes 1", "return pixels // 127 - 1"),
        ("call .float()", "return pixels.double() / 127.5 - 1"),
        ("call .float()", "return (pixels.float() / 127.5 - 1).to(torch.float64)"),
        ("keep the shape", "return (pixels.float() / 127.5 - 1).flatten()"),
        ("return missing", "pixels = pixels.float() / 127.5 - 1"),
        ("return a tensor", "return (pixels.float() / 127.5 - 1).tolist()"),
        ("return a tensor", "return (pixels.numpy() / 127.5 - 1).astype('float32')"),
    ],
    "01.4": [
        ("end with a Tanh", g_layers(last="")),
        ("not Sigmoid", g_layers(last=", nn.Sigmoid()")),
        ("a ReLU after each hidden", g_layers(one="", two="")),
        ("after the first layer", g_layers(one="")),
        ("after the second layer", g_layers(two="")),
        ("Tanh is last", g_layers(one="nn.Tanh(), ", two="nn.Tanh(), ")),
        ("no leak", g_layers(one="nn.LeakyReLU(0.2), ", two="nn.LeakyReLU(0.2), ")),
        ("no leak", g_layers(one="nn.LeakyReLU(), ", two="nn.LeakyReLU(), ")),
        ("no ReLU after the last", g_layers(last=", nn.ReLU(), nn.Tanh()")),
        ("list of layers", g_layers(one="nn.GELU(), ", two="nn.GELU(), ")),
        ("no Dropout", g_layers(one="nn.ReLU(), nn.Dropout(0.3), ")),
        ("2 * hidden_size after the second", g_layers(last=", nn.Tanh(), nn.BatchNorm1d(784)")),
        ("2 * hidden_size after the second", g_layers().replace("2 * hidden_size", "hidden_size")),
        (
            "2 * hidden_size after the second",
            g_layers().replace("noise_size, hidden_size), nn", "96, 256), nn"),
        ),
        ("2 * hidden_size after the second", g_layers().replace("784)", "784, bias=False)")),
        ("reshape(-1, 1, 28, 28)", g_layers(forward="return self.layers(noise)")),
        (
            "reshape(-1, 1, 28, 28)",
            g_layers(forward="return self.layers(noise).view(-1, 28, 28)"),
        ),
        (
            "expected shape (6, 1, 28, 28), got shape (6, 28, 28, 1)",
            g_layers(forward="return self.layers(noise).view(-1, 28, 28, 1)"),
        ),
        (
            "leaves the batch size open",
            g_layers(forward="return self.layers(noise).view(1, 28, 28)"),
        ),
        (
            "leaves the batch size open",
            g_layers(forward="return self.layers(noise).view(64, 1, 28, 28)"),
        ),
        (
            "the first size is the batch's",
            g_layers(forward="return self.layers(noise).reshape(1, -1, 28, 28)"),
        ),
        (NO_HEAD, g_layers(forward="self.layers(noise).reshape(-1, 1, 28, 28)")),
        (NO_HEAD, g_layers(forward="return [self.layers(noise)]")),
        ("super().__init__() comes first", g_layers().replace("super().__init__()", "pass")),
        ("indented inside the class", g_layers().replace("def forward", "def foward")),
        (
            "attributes of self",
            generator(
                "self.layers = [nn.Linear(noise_size, hidden_size), nn.ReLU()]",
                "return self.layers[0](noise)",
            ),
        ),
        ("class ...(nn.Module)", "class Generator:\n    def __init__(self, a, b): pass"),
        ("count the arguments", "class Generator(nn.Module): pass"),
        ("bare name", g_layers() + "\nGenerator = Generator(5, 12)"),
        ("count the arguments", g_layers(last=", nn.Linear()")),
        ("is it spelled", g_layers(last=", Tanh()")),
        *_disturb(g_layers()),
    ],
    "01.5": [
        ("end with a Sigmoid", d_layers(last="")),
        ("not Tanh", d_layers(last=", nn.Tanh()")),
        (
            "the slope is 0.2; LeakyReLU() alone takes 0.01",
            d_layers(one="nn.LeakyReLU(), ", two="nn.LeakyReLU(), "),
        ),
        ("look at both", d_layers(one="nn.LeakyReLU(), ")),
        ("look at both", d_layers(two="nn.LeakyReLU(0.01), ")),
        ("not 0.02", d_layers(one="nn.LeakyReLU(0.02), ", two="nn.LeakyReLU(0.02), ")),
        (
            "activations and their slopes",
            d_layers(one="nn.LeakyReLU(0.3), ", two="nn.LeakyReLU(0.3), "),
        ),
        ("not ReLU", d_layers(one="nn.ReLU(), ", two="nn.ReLU(), ")),
        ("after each hidden layer", d_layers(one="", two="")),
        ("after each hidden layer", d_layers(one="")),
        ("after each hidden layer", d_layers(two="")),
        (
            "takes 0.01",
            discriminator(
                SEPARATE_D,
                """
                x = F.leaky_relu(self.one(images.flatten(1)))
                return torch.sigmoid(self.three(F.leaky_relu(self.two(x))))
                """,
            ),
        ),
        (
            "takes 0.01",
            discriminator(
                BACKWARDS_D,
                """
                x = F.leaky_relu(self.one(images.flatten(1)))
                return torch.sigmoid(self.three(F.leaky_relu(self.two(x))))
                """,
            ),
        ),
        ("Flatten images first", d_layers(first="")),
        ("as a column", d_layers(forward="return self.layers(images).squeeze(1)")),
        ("as a column", d_layers(forward="return self.layers(images).view(-1)")),
        ("first size is the batch's", d_layers(forward="return self.layers(images).mean()")),
        ("first size is the batch's", d_layers(forward="return self.layers(images)[0]")),
        (NO_HEAD, d_layers(forward="x = self.layers(images)")),
        (NO_HEAD, d_layers(forward="return self.layers(images), 0")),
        ("no Dropout", d_layers(one="nn.LeakyReLU(0.2), nn.Dropout(0.3), ")),
        ("hidden_size after the second", d_layers().replace("2 * hidden_size", "hidden_size")),
        ("hidden_size after the second", d_layers().replace("2 * hidden_size", "512")),
        *_disturb(d_layers()),
        ("indented inside the class", d_layers().replace("    def forward", "def forward")),
        ("activations and their slopes", d_layers(last=", nn.Sigmoid(), nn.Sigmoid()")),
        (
            "in that order",
            discriminator(
                "self.one = nn.Linear(2 * hidden_size, 784)\n"
                "self.two = nn.Linear(2 * hidden_size, hidden_size)\n"
                "self.three = nn.Linear(hidden_size, 1)\n"
                "self.one.bias = nn.Parameter(torch.zeros(2 * hidden_size))",
                "return torch.sigmoid(self.three(self.two(\n"
                "    images.flatten(1) @ self.one.weight + self.one.bias)))",
            ),
        ),
    ],
    "01.6": [
        ("detach the fakes", swap(D_STEP, ("fakes.detach()", "fakes"))),
        (
            "detach the fakes",
            swap(
                D_STEP, ("fakes.detach()", "fakes"), ("backward()", "backward(retain_graph=True)")
            ),
        ),
        ("detach_() changes the fakes", swap(D_STEP, ("fakes.detach()", "fakes.detach_()"))),
        ("detach_() changes the fakes", "fakes.detach_()\n" + D_STEP),
        ("old gradients", swap(D_STEP, ("D_solver.zero_grad()\n", ""))),
        (
            "old gradients",
            swap(
                D_STEP, ("D_solver.zero_grad()\n", ""), ("return", "D_solver.zero_grad()\nreturn")
            ),
        ),
        (
            "zero_grad comes before both",
            swap(
                D_STEP,
                ("D_solver.zero_grad()\n", ""),
                ("loss.backward()", "loss.backward()\nD_solver.zero_grad()"),
            ),
        ),
        (
            "then D_solver.step()",
            swap(D_STEP, ("loss.backward()\nD_solver.step()", "D_solver.step()\nloss.backward()")),
        ),
        ("then D_solver.step()", swap(D_STEP, ("D_solver.step()\n", ""))),
        ("loss.backward(), then", swap(D_STEP, ("loss.backward()\n", ""))),
        ("then one step", swap(D_STEP, ("D_solver.step()", "D_solver.step()\nD_solver.step()"))),
        ("on the whole loss", swap(D_STEP, ("loss.backward()", "loss_real.backward()"))),
        ("do not average", swap(D_STEP, ("loss_real + loss_fake", "(loss_real + loss_fake) / 2"))),
        ("fakes' half is missing", swap(D_STEP, ("loss_real + loss_fake", "loss_real"))),
        ("real half is missing", swap(D_STEP, ("loss_real + loss_fake", "loss_fake"))),
        ("no minus", swap(D_STEP, ("loss_real + loss_fake", "loss_real - loss_fake"))),
        ("no minus", swap(D_STEP, ("loss_real + loss_fake", "-loss_real - loss_fake"))),
        (
            "other way round",
            D_STEP.replace("ones", "tmp").replace("zeros", "ones").replace("tmp", "zeros"),
        ),
        ("fakes have label 0", swap(D_STEP, ("torch.zeros_like", "torch.ones_like"))),
        ("real images have label 1", swap(D_STEP, ("torch.ones_like", "torch.zeros_like"))),
        ("not the sum", swap(D_STEP, ("loss_real + loss_fake", "(loss_real + loss_fake) * 4"))),
        (
            "ones for real",
            swap(D_STEP, ("torch.ones_like(real_scores)", "torch.full_like(real_scores, 0.9)")),
        ),
        (
            "in this order",
            swap(
                D_STEP,
                (
                    RETURN,
                    "return loss.detach(), fake_scores.detach(), real_scores.detach()",
                ),
            ),
        ),
        (
            "scores of the real images",
            swap(D_STEP, ("real_scores.detach()", "images")),
        ),
        (
            "scores of the fakes",
            swap(D_STEP, ("fake_scores.detach()", "fakes.detach()")),
        ),
        ("scores of the fakes", swap(D_STEP, ("fake_scores.detach()", "fake_scores[:1].detach()"))),
        ("scores of the fakes", swap(D_STEP, ("fake_scores.detach()", "fake_scores[1:].detach()"))),
        ("loss.backward()", swap(D_STEP, ("loss.backward()", "loss.clamp(-1, 1).backward()"))),
        (
            "return all three",
            swap(
                D_STEP,
                (RETURN, "return loss"),
            ),
        ),
        (
            "return missing",
            swap(D_STEP, (RETURN, "")),
        ),
        (
            "no .item()",
            swap(D_STEP, ("real_scores.detach()", "real_scores.mean().item()")),
        ),
        ("ones_like", swap(D_STEP, ("torch.ones_like(real_scores)", "torch.ones(64, 1)"))),
        ("cut off", swap(D_STEP, ("loss_real + loss_fake", "(loss_real + loss_fake).detach()"))),
        ("no .item() before it", swap(D_STEP, ("loss.backward()", "loss.item().backward()"))),
        (
            "old gradients",
            swap(D_STEP, ("D_solver.zero_grad()", "images.grad = None")),
        ),
        *(
            ("stays in memory", swap(D_STEP, (f"{name}.detach()", name)))
            for name in ("loss", "real_scores", "fake_scores")
        ),
        ("mode", "D.eval()\n" + D_STEP),
        ("chooses the seed", "torch.manual_seed(0)\n" + D_STEP),
        ("make a new tensor", swap(D_STEP, ("return", "images.zero_()\nreturn"))),
    ],
    "01.7": [
        ("no detach", swap(G_STEP, ("D(fakes)", "D(fakes.detach())"))),
        ("not zeros", swap(G_STEP, ("ones_like", "zeros_like"))),
        (
            "saturating",
            swap(
                G_STEP, ("criterion(scores, torch.ones_like", "-criterion(scores, torch.zeros_like")
            ),
        ),
        ("no minus", swap(G_STEP, ("criterion(", "-criterion("))),
        ("not the sum", swap(G_STEP, ("criterion(", "4 * criterion("))),
        ("against ones", swap(G_STEP, ("torch.ones_like(scores)", "torch.full_like(scores, 0.9)"))),
        ("old gradients", swap(G_STEP, ("G_solver.zero_grad()\n", ""))),
        ("old gradients", swap(G_STEP, ("G_solver.zero_grad()", "D.zero_grad()"))),
        (
            "zero_grad comes before both",
            swap(
                G_STEP,
                ("G_solver.zero_grad()\n", ""),
                ("backward()", "backward()\nG_solver.zero_grad()"),
            ),
        ),
        (
            "then G_solver.step()",
            swap(G_STEP, ("loss.backward()\nG_solver.step()", "G_solver.step()\nloss.backward()")),
        ),
        ("then G_solver.step()", swap(G_STEP, ("G_solver.step()\n", ""))),
        ("call backward", swap(G_STEP, ("loss.backward()\n", ""))),
        ("loss.backward()", swap(G_STEP, ("loss.backward()", "loss.clamp(-1, 1).backward()"))),
        ("then one step", swap(G_STEP, ("G_solver.step()", "G_solver.step()\nG_solver.step()"))),
        ("return missing", swap(G_STEP, ("return loss.detach()", ""))),
        (
            "G_solver only",
            swap(
                G_STEP,
                ("return loss", "torch.optim.SGD(D.parameters(), lr=0.1).step()\nreturn loss"),
            ),
        ),
        ("requires_grad_(True)", "D.requires_grad_(False)\n" + G_STEP),
        ("is it spelled", swap(G_STEP, ("G_solver.step()", "solver.step()"))),
        (".mean() missing", swap(G_STEP, ("loss.detach()", "scores"))),
        ("against ones", swap(G_STEP, ("loss.detach()", "scores.mean()"))),
        ("stays in memory", swap(G_STEP, ("loss.detach()", "loss"))),
        ("mode", swap(G_STEP, ("return", "D.eval()\nreturn"))),
        ("chooses the seed", "torch.manual_seed(0)\n" + G_STEP),
    ],
    "01.8": [
        (
            "not the sum",
            "return F.binary_cross_entropy_with_logits(logits, labels, reduction='sum')",
        ),
        (".mean() missing", "return F.softplus(logits) - logits * labels"),
        ("the other sign", "return -F.binary_cross_entropy_with_logits(logits, labels)"),
        ("wrong way round", "return (F.softplus(logits) - logits * (1 - labels)).mean()"),
        ("no sigmoid", "return F.binary_cross_entropy_with_logits(torch.sigmoid(logits), labels)"),
        ("max(s, 0) - s·y", "return (F.softplus(logits) + logits * labels).mean()"),
        ("no log of a probability", "return F.binary_cross_entropy(logits.sigmoid(), labels)"),
        (
            "no log of a probability",
            """
            p = torch.sigmoid(logits)
            return -(labels * torch.log(p) + (1 - labels) * torch.log(1 - p)).mean()
            """,
        ),
        (
            "no log of a probability",
            """
            p = torch.sigmoid(logits)
            return -(labels * torch.log(p + 1e-8) + (1 - labels) * torch.log(1 - p + 1e-8)).mean()
            """,
        ),
        ("no exp of a large", "return (torch.log(1 + torch.exp(logits)) - logits * labels).mean()"),
        (
            "max(s, 0)",
            """
            last = torch.log1p(torch.exp(logits.abs()))
            return (logits.clamp(min=0) - logits * labels + last).mean()
            """,
        ),
        ("no clamp", "s = logits.clamp(-50, 50)\nreturn (F.softplus(s) - s * labels).mean()"),
        (
            "every score needs its gradient",
            """
            s = logits.clamp(-1000, 999.999)
            return (F.softplus(s) - s * labels).mean()
            """,
        ),
        ("clamp or torch.where", "return (max(logits, 0) - logits * labels).mean()"),
        ("s.clamp(min=0) cuts each", "return (torch.max(logits, 0) - logits * labels).mean()"),
        ("no .item()", "return F.binary_cross_entropy_with_logits(logits, labels).item()"),
        ("return missing", "loss = F.binary_cross_entropy_with_logits(logits, labels)"),
        ("leave arguments", "logits.clamp_(min=0)\nreturn logits.mean()"),
        ("are logits", "return F.binary_cross_entropy(logits, labels)"),
        (
            "no new torch.tensor",
            """
            loss = F.binary_cross_entropy_with_logits(logits, labels)
            return torch.tensor(loss.item(), requires_grad=True)
            """,
        ),
    ],
    "01.9": [
        (
            "no average",
            """
            bce = F.binary_cross_entropy_with_logits
            real, fake = torch.ones_like(logits_real), torch.zeros_like(logits_fake)
            return (bce(logits_real, real) + bce(logits_fake, fake)) / 2
            """,
        ),
        ("none left out", "return F.softplus(-logits_real).mean()"),
        ("none left out", "return F.softplus(logits_fake).mean()"),
        ("not the sum", "return F.softplus(-logits_real).sum() + F.softplus(logits_fake).sum()"),
        (
            "not the sum",
            "return (F.softplus(-logits_real).sum() + F.softplus(logits_fake).sum())",
        ),
        (
            "other way round",
            "return F.softplus(logits_real).mean() + F.softplus(-logits_fake).mean()",
        ),
        (
            "fakes have label 0",
            "return F.softplus(-logits_real).mean() + F.softplus(-logits_fake).mean()",
        ),
        (
            "label 1: ones_like",
            "return F.softplus(logits_real).mean() + F.softplus(logits_fake).mean()",
        ),
        ("no minus", "return F.softplus(-logits_real).mean() - F.softplus(logits_fake).mean()"),
        ("no minus", "return -F.softplus(-logits_real).mean() - F.softplus(logits_fake).mean()"),
        (
            "no sigmoid before",
            """
            bce = nn.BCEWithLogitsLoss()
            p, q = torch.sigmoid(logits_real), torch.sigmoid(logits_fake)
            return bce(p, torch.ones_like(p)) + bce(q, torch.zeros_like(q))
            """,
        ),
        (
            "use F.binary_cross_entropy_with_logits",
            """
            bce = nn.BCELoss()
            loss = bce(logits_real, torch.ones_like(logits_real))
            return loss + bce(logits_fake, torch.zeros_like(logits_fake))
            """,
        ),
        (
            "ones_like or zeros_like",
            "return F.binary_cross_entropy_with_logits(logits_real, torch.ones(128, 1))",
        ),
        (".mean() missing", "return F.softplus(-logits_real) + F.softplus(logits_fake)"),
        ("no .item()", "return (F.softplus(-logits_real) + F.softplus(logits_fake)).mean().item()"),
        (
            "a gradient for each",
            "return F.softplus(-logits_real).mean() + F.softplus(logits_fake.detach()).mean()",
        ),
        ("return missing", "loss = F.softplus(-logits_real) + F.softplus(logits_fake)"),
        (
            "return a tensor",
            "return F.softplus(-logits_real).mean(), F.softplus(logits_fake).mean()",
        ),
    ],
    "01.10": [
        ("not zeros", "return F.softplus(logits_fake).mean()"),
        ("saturating", "return -F.softplus(logits_fake).mean()"),
        ("no minus", "return F.logsigmoid(logits_fake).mean()"),
        ("not the sum", "return F.softplus(-logits_fake).sum()"),
        (".mean() missing", "return F.softplus(-logits_fake)"),
        (
            "use F.binary_cross_entropy_with_logits",
            "return F.binary_cross_entropy(logits_fake, torch.ones_like(logits_fake))",
        ),
        (
            "no sigmoid before",
            "p = logits_fake.sigmoid()\n"
            "return F.binary_cross_entropy_with_logits(p, torch.ones_like(p))",
        ),
        ("as ones; the mean", "return F.softplus(-logits_fake).mean() + 1"),
        ("no .item()", "return F.softplus(-logits_fake).mean().item()"),
        ("no .item()", "return F.softplus(-logits_fake.detach()).mean()"),
        (
            "ones_like or zeros_like",
            "return F.binary_cross_entropy_with_logits(logits_fake, torch.ones(128, 1))",
        ),
        ("return missing", "F.softplus(-logits_fake).mean()"),
        ("is it spelled", "return bce_loss(logits_fake, torch.ones_like(logits_fake))"),
    ],
    "01.11": [
        (
            "other way round",
            """
            for a, m in zip(average.parameters(), model.parameters()):
                a.mul_(1 - decay).add_(m, alpha=decay)
            """,
        ),
        (
            "other way round",
            """
            for a, m in zip(average.parameters(), model.parameters()):
                a.lerp_(m, decay)
            """,
        ),
        (
            "not `model`",
            """
            for a, m in zip(model.parameters(), average.parameters()):
                a.mul_(decay).add_(m, alpha=1 - decay)
            """,
        ),
        (
            "in place",
            """
            for a, m in zip(average.parameters(), model.parameters()):
                a = decay * a + (1 - decay) * m
            """,
        ),
        (
            "in place",
            """
            for a, m in zip(average.parameters(), model.parameters()):
                a.mul(decay).add(m, alpha=1 - decay)
            """,
        ),
        ("in place", "return [decay * a for a in average.parameters()]"),
        ("in place", "average = model"),
        (
            "some did not move",
            """
            for a, m in zip(average.parameters(), model.parameters()):
                a.mul_(decay).add_(m, alpha=1 - decay)
                return
            """,
        ),
        (
            "decay · average + (1 - decay) · model",
            """
            for a, m in zip(average.parameters(), model.parameters()):
                a.mul_(decay).add_(m)
            """,
        ),
        (
            "decay · average + (1 - decay) · model",
            """
            for a, m in zip(average.parameters(), model.parameters()):
                a.copy_((a + m) / 2)
            """,
        ),
        (
            "decay · average + (1 - decay) · model",
            "average.load_state_dict(model.state_dict())",
        ),
        (
            "the argument `decay`",
            """
            for a, m in zip(average.parameters(), model.parameters()):
                a.mul_(0.9).add_(m, alpha=0.1)
            """,
        ),
        (
            "under torch.no_grad()",
            """
            def update_average(average, model, decay):
                for a, m in zip(average.parameters(), model.parameters()):
                    a.mul_(decay).add_(m, alpha=1 - decay)
            """,
        ),
        (
            "call it: model.parameters()",
            """
            for a, m in zip(average.parameters, model.parameters):
                a.mul_(decay).add_(m, alpha=1 - decay)
            """,
        ),
        ("its parameters()", "average = decay * average + (1 - decay) * model"),
    ],
}
