"""What students write for the exercises of lesson 7: right in many ways, and wrong in many.

An answer is the text below the exercise's first line (`HEADS`), or a whole cell where it begins
with its `def` or its name. With each wrong answer stand words that its verdict must hold.
"""

from __future__ import annotations

import math
from typing import Any

from helpers import define_answer, swap

NAMES = {
    "07.1": "join",
    "07.2": "every_digit",
    "07.3": "projection_score",
    "07.4": "d_loss",
    "07.5": "g_loss",
    "07.6": "obedience",
    "07.7": "half_and_half",
    "07.8": "gain",
    "07.9": "share_of_copies",
}

HEADS = {
    "07.1": "def join(noise, labels):",
    "07.2": "def every_digit(noise):",
    "07.3": "def projection_score(h, w, b, vectors, labels):",
    "07.4": "def d_loss(D, images, fakes, labels):",
    "07.5": "def g_loss(D, fakes, labels):",
    "07.6": "def obedience(logits, labels):",
    "07.7": "def half_and_half(real, samples):",
    "07.8": "def gain(without, with_samples):",
    "07.9": "def share_of_copies(samples, training, others):",
}


def define(exercise_id: str, answer: str) -> Any:
    """The function that a notebook cell with this answer defines, after the cells before it."""
    name = NAMES[exercise_id]
    whole = (f"def {name}(", name)
    return define_answer(answer, name, HEADS[exercise_id], whole, math=math)


JOIN = """\
one_hot = F.one_hot(labels, 10).float()
return torch.cat([noise, one_hot], dim=1)
"""

EVERY = """\
latents = noise.repeat_interleave(10, dim=0)
labels = torch.arange(10).repeat(len(noise))
return latents, labels
"""

SCORE = """\
is_digit = h @ w + b
is_this_one = (h * vectors[labels]).sum(dim=1)
return is_digit + is_this_one
"""

D_LOSS = """\
real = D(images, labels)
fake = D(fakes.detach(), labels)
return F.softplus(-real).mean() + F.softplus(fake).mean()
"""

G_LOSS = "return F.softplus(-D(fakes, labels)).mean()\n"

OBEDIENCE = "return (logits.argmax(dim=1) == labels).float().mean()\n"

HALF = """\
half = len(real) // 2
return torch.cat([real[:half], samples[:half]])
"""

GAIN = """\
differences = with_samples - without
error = differences.std() / math.sqrt(len(differences))
return differences.mean(), error
"""

COPIES = """\
to_training = torch.cdist(samples, training).amin(dim=1)
to_others = torch.cdist(samples, others).amin(dim=1)
return (to_training < to_others).float().mean()
"""

RIGHT: dict[str, list[str]] = {
    "07.1": [
        JOIN,
        "return torch.hstack([noise, F.one_hot(labels, num_classes=10)])",
        "return torch.cat((noise, torch.eye(10)[labels]), 1)",
        """
        one_hot = torch.zeros(len(labels), 10)
        one_hot[torch.arange(len(labels)), labels] = 1
        return torch.cat([noise, one_hot], dim=-1)
        """,
        """
        rows = []
        for z, label in zip(noise, labels):
            rows.append(torch.cat([z, (torch.arange(10) == label).float()]))
        return torch.stack(rows)
        """,
    ],
    "07.2": [
        EVERY,
        """
        latents = torch.stack([z for z in noise for _ in range(10)])
        labels = torch.tensor([k for _ in noise for k in range(10)])
        return latents, labels
        """,
        """
        n, dim = noise.shape
        return noise[:, None].expand(n, 10, dim).reshape(-1, dim), torch.arange(10 * n) % 10
        """,
        """
        latents = torch.repeat_interleave(noise, 10, dim=0)
        return [latents, torch.arange(10).expand(len(noise), 10).flatten()]
        """,
    ],
    "07.3": [
        SCORE,
        "return (h * (w + vectors[labels])).sum(dim=1) + b",
        "return F.linear(h, w[None], b[None])[:, 0] + torch.einsum('nd,nd->n', h, vectors[labels])",
        """
        scores = []
        for row, label in zip(h, labels):
            scores.append(row @ w + b + row @ vectors[label])
        return torch.stack(scores)
        """,
        "return h @ w + b + (h @ vectors.T).gather(1, labels[:, None]).squeeze(1)",
    ],
    "07.4": [
        D_LOSS,
        """
        real, fake = D(images, labels), D(fakes.detach(), labels)
        ones, zeros = torch.ones_like(real), torch.zeros_like(fake)
        bce = F.binary_cross_entropy_with_logits
        return bce(real, ones) + bce(fake, zeros)
        """,
        """
        real = -F.logsigmoid(D(images, labels)).mean()
        fake = -F.logsigmoid(-D(fakes.detach(), labels)).mean()
        return real + fake
        """,
        """
        both = D(torch.cat([images, fakes.detach()]), labels.repeat(2))
        real, fake = both.chunk(2)
        return F.softplus(-real).mean() + F.softplus(fake).mean()
        """,
    ],
    "07.5": [
        G_LOSS,
        "return -F.logsigmoid(D(fakes, labels)).mean()",
        """
        fake = D(fakes, labels)
        return F.binary_cross_entropy_with_logits(fake, torch.ones_like(fake))
        """,
        "return torch.log1p(torch.exp(-D(fakes, labels))).mean()",
    ],
    "07.6": [
        OBEDIENCE,
        "return logits.argmax(1).eq(labels).double().mean()",
        "return int((logits.max(dim=1).indices == labels).sum()) / len(labels)",
        """
        right = 0
        for row, label in zip(logits, labels):
            right += int(row.argmax() == label)
        return right / len(labels)
        """,
    ],
    "07.7": [
        HALF,
        "n = len(real)\nreturn torch.cat((real[: n // 2], samples[: n // 2]), 0)",
        "return torch.cat([real.chunk(2)[0], samples.chunk(2)[0]])",
        "half = real.shape[0] // 2\nreturn torch.stack([*real[:half], *samples[:half]])",
    ],
    "07.8": [
        GAIN,
        """
        d = with_samples - without
        return d.mean(), d.std() / len(d) ** 0.5
        """,
        """
        d = (with_samples - without).tolist()
        mean = sum(d) / len(d)
        variance = sum((x - mean) ** 2 for x in d) / (len(d) - 1)
        return mean, math.sqrt(variance / len(d))
        """,
        """
        d = with_samples - without
        return [d.mean().item(), (d.var() / d.numel()).sqrt().item()]
        """,
    ],
    "07.9": [
        COPIES,
        """
        near = torch.cdist(samples, training).min(dim=1).values
        far = torch.cdist(samples, others).min(dim=1).values
        return (near < far).double().mean()
        """,
        """
        count = 0
        for sample in samples:
            near = (training - sample).norm(dim=1).min()
            count += int(near < (others - sample).norm(dim=1).min())
        return count / len(samples)
        """,
        """
        table = torch.cdist(samples, torch.cat([training, others]))
        return (table.argmin(dim=1) < len(training)).float().mean()
        """,
    ],
}

WRONG: dict[str, list[tuple[str, str]]] = {
    "07.1": [
        ("first the noise", swap(JOIN, ("[noise, one_hot]", "[one_hot, noise]"))),
        ("cat both", "return F.one_hot(labels, 10).float()"),
        ("not the label as a number", "return torch.cat([noise, labels[:, None].float()], dim=1)"),
        ("ten columns", "return torch.cat([noise, torch.eye(3)[labels % 3]], dim=1)"),
        ("dim=1", swap(JOIN, ("dim=1", "dim=0"))),
        ("no + 1", swap(JOIN, ("one_hot(labels", "one_hot((labels + 1) % 10"))),
        ("own column", swap(JOIN, ("one_hot(labels", "one_hot(9 - labels"))),
        ("a 1 in the column", swap(JOIN, ("F.one_hot(labels, 10).float()", "torch.zeros(4, 10)"))),
        (
            "0 for the others",
            swap(JOIN, ("F.one_hot(labels, 10).float()", "1 - F.one_hot(labels, 10).float()")),
        ),
        ("not -1", swap(JOIN, (".float()", ".float() * 2 - 1"))),
        ("not the label itself", swap(JOIN, (".float()", ".float() * labels[:, None]"))),
        ("the noise as it is", swap(JOIN, ("[noise,", "[0 * noise,"))),
        ("one-hot", "return torch.cat([noise, labels[:, None].expand(-1, 10).float()], dim=1)"),
    ],
    "07.2": [
        ("goes round and round", swap(EVERY, ("repeat_interleave(10, dim=0)", "repeat(10, 1)"))),
        ("0 to 9 for each noise", swap(EVERY, (".repeat(len", ".repeat_interleave(len"))),
        ("from 0 to 9", swap(EVERY, ("arange(10)", "arange(1, 11)"))),
        (
            "again for each noise",
            swap(EVERY, ("arange(10).repeat(len(noise))", "arange(10 * len(noise))")),
        ),
        ("0 to 9 for each noise", swap(EVERY, ("arange(10)", "zeros(10).long()"))),
        ("in that order", swap(EVERY, ("arange(10)", "arange(9, -1, -1)"))),
        ("int64", swap(EVERY, ("arange(10)", "arange(10.0)"))),
        ("return latents, labels", swap(EVERY, ("return latents, labels", "return latents"))),
        ("ten of each row", swap(EVERY, ("noise.repeat_interleave(10, dim=0)", "noise"))),
        ("one label for each", swap(EVERY, (".repeat(len(noise))", "[:7]"))),
        (
            "no one-hot",
            "labels = torch.arange(10).repeat(len(noise))\n"
            "latents = noise.repeat_interleave(10, dim=0)\n"
            "return torch.cat([latents, F.one_hot(labels, 10).float()], dim=1), labels",
        ),
    ],
    "07.3": [
        ("label's vector is missing", "return h @ w + b"),
        ("is it a digit at all", "return (h * vectors[labels]).sum(dim=1)"),
        ("bias b is missing", swap(SCORE, (" + b", ""))),
        ("plus, not minus", swap(SCORE, ("is_digit + is", "is_digit - is"))),
        ("are added", swap(SCORE, ("is_digit + is", "is_digit * is"))),
        ("sum, not mean", swap(SCORE, (".sum(", ".mean("))),
        ("the product of h", swap(SCORE, ("(h * vectors[labels])", "vectors[labels]"))),
        ("not its number", swap(SCORE, ("(h * vectors[labels]).sum(dim=1)", "labels"))),
        ("a row for each", swap(SCORE, ("vectors[labels]", "vectors[:4]"))),
        ("its own label", "return h @ w + b + (h @ vectors.T).sum(dim=1)"),
        ("not the best", "return h @ w + b + (h @ vectors.T).amax(dim=1)"),
        (
            "no sigmoid",
            swap(
                SCORE,
                ("return is_digit + is_this_one", "return (is_digit + is_this_one).sigmoid()"),
            ),
        ),
        (
            "no keepdim",
            swap(
                SCORE, ("return is_digit + is_this_one", "return (is_digit + is_this_one)[:, None]")
            ),
        ),
        ("its own label", "return (h @ w + b)[:, None] + h @ vectors.T"),
        ("its own label", "return h @ w + b + h @ vectors[labels].T"),
    ],
    "07.4": [
        ("told the labels", D_LOSS.replace(", labels)", ")")),
        ("those of the fakes", swap(D_LOSS, ("detach(), labels", "detach()"))),
        ("those of the real", swap(D_LOSS, ("D(images, labels)", "D(images)"))),
        ("swap the signs", swap(D_LOSS, ("(-real)", "(real)"), ("(fake)", "(-fake)"))),
        ("fakes are fakes", swap(D_LOSS, ("(fake)", "(-fake)"))),
        ("with the fakes is missing", swap(D_LOSS, (" + F.softplus(fake).mean()", ""))),
        ("real images is missing", swap(D_LOSS, ("F.softplus(-real).mean() + ", ""))),
        (
            "not their mean",
            swap(D_LOSS, ("return F", "return 0.5 * (F"), ("(fake).mean()", "(fake).mean())")),
        ),
        ("not the sum", D_LOSS.replace("mean()", "sum()")),
        (
            "cross-entropy",
            swap(
                D_LOSS,
                ("F.softplus(-real).mean() + F.softplus(fake).mean()", "fake.mean() - real.mean()"),
            ),
        ),
        ("fakes.detach()", swap(D_LOSS, (".detach()", ""))),
        (
            "no .item()",
            swap(
                D_LOSS,
                (
                    "return F.softplus(-real).mean() + F.softplus(fake).mean()",
                    "return (F.softplus(-real).mean() + F.softplus(fake).mean()).item()",
                ),
            ),
        ),
        ("in their order", swap(D_LOSS, ("detach(), labels", "detach(), labels.roll(1)"))),
        (
            "detach only what is named",
            "with torch.no_grad():\n    f = D(fakes, labels)\n"
            "return F.softplus(-D(images, labels)).mean() + F.softplus(f).mean()",
        ),
        (
            "detach only what is named",
            "f = D(fakes, labels).detach()\n"
            "return F.softplus(-D(images, labels)).mean() + F.softplus(f).mean()",
        ),
    ],
    "07.5": [
        ("told the labels", "return F.softplus(-D(fakes)).mean()"),
        ("G wants high scores", swap(G_LOSS, ("(-D", "(D"))),
        ("does not fade", swap(G_LOSS, ("F.softplus(-D", "-F.softplus(D"))),
        ("not the sum", swap(G_LOSS, ("mean()", "sum()"))),
        ("softplus(-score)", "return -D(fakes, labels).mean()"),
        ("softplus(-score)", "return D(fakes, labels).sigmoid().mean()"),
        ("in their order", swap(G_LOSS, ("labels)", "labels.roll(1))"))),
        ("asked for", swap(G_LOSS, ("labels)", "torch.zeros_like(labels))"))),
        ("no half", "return F.softplus(-D(fakes, labels)).mean() / 2"),
        ("no .item()", "return F.softplus(-D(fakes, labels)).mean().item()"),
        ("nothing is detached", swap(G_LOSS, ("D(fakes,", "D(fakes.detach(),"))),
    ],
    "07.6": [
        ("not the number", swap(OBEDIENCE, (".float().mean()", ".sum()"))),
        ("==", swap(OBEDIENCE, ("==", "!="))),
        ("no .half()", swap(OBEDIENCE, (".float()", ".half()"))),
        ("no percent", swap(OBEDIENCE, ("return ", "return 100 * "))),
        (
            "the largest logit decides",
            "return logits.softmax(dim=1)[torch.arange(len(labels)), labels].mean()",
        ),
        ("compare the class", "return logits.softmax(dim=1).amax(dim=1).mean()"),
        ("argmax", swap(OBEDIENCE, ("argmax", "argmin"))),
        ("number of samples", swap(OBEDIENCE, (".float().mean()", ".sum() / 10"))),
        ("not a loss", "return F.cross_entropy(logits, labels)"),
        ("the mean", swap(OBEDIENCE, (".mean()", ""))),
        ("argmax(dim=1) equal", "return (logits > 0).float().mean()"),
    ],
    "07.7": [
        (
            "first the real ones",
            swap(HALF, ("real[:half], samples[:half]", "samples[:half], real[:half]")),
        ),
        ("samples[:half]", swap(HALF, ("samples[:half]", "samples[half:]"))),
        ("real[:half]", swap(HALF, ("real[:half]", "real[half:]"))),
        ("of each: [:half]", HALF.replace("[:half]", "[half:]")),
        ("not every other one", HALF.replace("[:half]", "[::2]")),
        (
            "real ones first",
            "half = len(real) // 2\n"
            "return torch.stack([real[:half], samples[:half]], dim=1).flatten(0, 1)",
        ),
        ("no mixed pictures", "return 0.7 * real + 0.3 * samples"),
        ("half of them are samples", "return real"),
        ("half of them are real", "return samples"),
        ("half of each", "return torch.cat([real, samples])"),
        ("cat them", "return real[: len(real) // 2]"),
        ("not stack", "half = len(real) // 2\nreturn torch.stack([real[:half], samples[:half]])"),
        ("one below the other", swap(HALF, ("samples[:half]])", "samples[:half]], dim=1)"))),
    ],
    "07.8": [
        ("minus without", swap(GAIN, ("with_samples - without", "without - with_samples"))),
        ("no percent", swap(GAIN, ("with_samples - without", "100 * (with_samples - without)"))),
        ("not the sum", swap(GAIN, ("differences.mean()", "differences.sum()"))),
        ("not the median", swap(GAIN, ("differences.mean()", "differences.median()"))),
        ("to those without", swap(GAIN, ("differences.mean()", "with_samples.mean()"))),
        ("not a ratio", swap(GAIN, ("differences.mean()", "differences.mean() / without.mean()"))),
        ("the root of their number", swap(GAIN, (" / math.sqrt(len(differences))", ""))),
        (
            "the root of their number",
            swap(GAIN, ("math.sqrt(len(differences))", "len(differences)")),
        ),
        (
            "not the variance",
            swap(GAIN, (".std() / math.sqrt(len(differences))", ".var() / len(differences)")),
        ),
        ("with n - 1", swap(GAIN, (".std()", ".std(correction=0)"))),
        (
            "a pair has the same digits",
            swap(
                GAIN,
                (
                    "differences.std() / math.sqrt(len(differences))",
                    "((without.var() + with_samples.var()) / len(without)).sqrt()",
                ),
            ),
        ),
        (
            "return mean, error",
            swap(GAIN, ("return differences.mean(), error", "return differences.mean()")),
        ),
        (
            "a pair has the same digits",
            "d = with_samples - without\n"
            "return d.mean(), (with_samples.std() + without.std()) / math.sqrt(len(d))",
        ),
    ],
    "07.9": [
        ("not the number", swap(COPIES, (".float().mean()", ".sum()"))),
        ("nearer to the training", swap(COPIES, ("to_training < to", "to_training > to"))),
        ("not the mean", COPIES.replace("amin(", "mean(")),
        ("not the farthest", COPIES.replace("amin(", "amax(")),
        ("the nearest of each", COPIES.replace(".amin(dim=1)", "")),
        ("over the digits", COPIES.replace("dim=1", "dim=0")),
        ("compare the two", swap(COPIES, ("(to_training < to_others).float()", "to_training"))),
        (
            "count how often",
            swap(COPIES, ("(to_training < to_others).float()", "(to_training - to_others)")),
        ),
        ("no fixed bound", swap(COPIES, ("< to_others", "< 1"))),
        ("one share", swap(COPIES, (".mean()", ""))),
        (
            ".min(dim=1) take .values",
            "return (torch.cdist(samples, training).min(1) < torch.cdist(samples, others).min(1))",
        ),
    ],
}
