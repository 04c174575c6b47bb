"""Every adversarial loss of the course, and penalty, schedule and optimiser that go with them.

A discriminator gives one score an image, `(N, 1)` or `(N,)`. For the losses on logits the
score is the log-odds of "real": `sigmoid(logit)` is D(x). Every loss is a mean over the batch,
so a scalar tensor that `backward` can start from.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .validation import may_look, need_module, need_number, need_tensor


def bce_loss(input: Tensor, target: Tensor) -> Tensor:
    """Binary cross-entropy of logits `input` against labels `target`, averaged.

    With p = sigmoid(input): mean of -[target log p + (1 - target) log(1 - p)], computed from the
    logits, so that it stays finite where p rounds to 0 or 1.

    Args:
        input: logits, any shape, at least one.
        target: labels in [0, 1], the same shape.
    """
    need_tensor(input, "input")
    need_tensor(target, "target", shape=tuple(input.shape))
    if input.numel() == 0:
        raise ValueError(f"input: expected at least one logit, got shape {tuple(input.shape)}")
    if may_look(target) and not ((target >= 0) & (target <= 1)).all():
        low, high = target.min().item(), target.max().item()
        raise ValueError(
            f"target: expected labels in [0, 1], got values from {low:.4g} to {high:.4g}"
        )
    return F.binary_cross_entropy_with_logits(input, target)


def discriminator_loss(logits_real: Tensor, logits_fake: Tensor) -> Tensor:
    """What D minimises: real images should score "real", fakes "fake".

    E[-log D(x)] + E[-log(1 - D(G(z)))]; 2 ln 2 = 1.386 when D cannot tell them apart.
    Source: Goodfellow et al. 2014 (arXiv 1406.2661), equation 1.
    """
    real, fake = _scores(logits_real, "logits_real"), _scores(logits_fake, "logits_fake")
    return bce_loss(real, torch.ones_like(real)) + bce_loss(fake, torch.zeros_like(fake))


def generator_loss(logits_fake: Tensor) -> Tensor:
    """What G minimises: fakes should score "real". E[-log D(G(z))]; ln 2 = 0.693 at a draw.

    This is the non-saturating form: Goodfellow et al. 2014 (arXiv 1406.2661), end of section 3.
    """
    fake = _scores(logits_fake, "logits_fake")
    return bce_loss(fake, torch.ones_like(fake))


def ls_discriminator_loss(scores_real: Tensor, scores_fake: Tensor) -> Tensor:
    """Least squares for D: ½ E[(D(x) - 1)²] + ½ E[D(G(z))²]; ¼ when every score is ½.

    Source: Mao et al. 2016 (arXiv 1611.04076), equation 9 (labels a = 0, b = 1).
    """
    real, fake = _scores(scores_real, "scores_real"), _scores(scores_fake, "scores_fake")
    return 0.5 * (real - 1).square().mean() + 0.5 * fake.square().mean()


def ls_generator_loss(scores_fake: Tensor) -> Tensor:
    """Least squares for G: ½ E[(D(G(z)) - 1)²].

    Source: Mao et al. 2016 (arXiv 1611.04076), equation 9 (label c = 1).
    """
    return 0.5 * (_scores(scores_fake, "scores_fake") - 1).square().mean()


def probability_discriminator_loss(d_real: Tensor, d_fake: Tensor) -> Tensor:
    """`discriminator_loss` for a D that ends in a sigmoid: takes D(x) and D(G(z)) in [0, 1].

    -log 0 counts as 100 (`nn.BCELoss` cuts it off there). Source: as `discriminator_loss`.
    """
    real, fake = _probabilities(d_real, "d_real"), _probabilities(d_fake, "d_fake")
    bce = nn.BCELoss()
    return bce(real, torch.ones_like(real)) + bce(fake, torch.zeros_like(fake))


def probability_generator_loss(d_fake: Tensor) -> Tensor:
    """`generator_loss` for a D that ends in a sigmoid: takes D(G(z)) in [0, 1]."""
    fake = _probabilities(d_fake, "d_fake")
    return nn.BCELoss()(fake, torch.ones_like(fake))


def r1_penalty(weight: float) -> Callable[[nn.Module, Tensor, Tensor], Tensor]:
    """A penalty on D's slope at real images, for `AdversarialStep(..., penalty=...)`.

    weight / 2 · E[|gradient of D(x) by x|²]. Where G has reached the data D should be flat, and
    this is what makes it so. D must look at each image by itself: no batch norm in it.
    Source: Mescheder et al. 2018 (arXiv 1801.04406), equation 9.

    Raises:
        TypeError, ValueError: `weight` is not a number above 0.
    """
    need_number(weight, "weight", above=0)

    def penalty(D: nn.Module, images: Tensor, fakes: Tensor) -> Tensor:
        images = images.detach().requires_grad_(True)
        # the sum: each score depends on its own image alone, so each gets its own gradient
        (slope,) = torch.autograd.grad(D(images).sum(), images, create_graph=True)
        return weight / 2 * slope.square().flatten(1).sum(dim=1).mean()

    return penalty


def linear_decay(share: float) -> float:
    """A factor for the learning rate: 1 for the first half of the training, then straight to 0.

    For `train(..., schedule=linear_decay)`.

    Args:
        share: of the training that is done, in [0, 1].
    """
    need_number(share, "share", low=0, high=1)
    return min(1.0, 2 * (1 - share))


def get_optimizer(
    model: nn.Module, lr: float = 1e-3, betas: tuple[float, float] = (0.5, 0.999)
) -> torch.optim.Adam:
    """Adam for one network. `betas[0]` is 0.5, not Adam's 0.9: less momentum, fewer overshoots
    of a target that moves (Radford et al. 2015, arXiv 1511.06434, section 4).

    Args:
        model: the network whose parameters to train.
        lr: the learning rate, above 0.
        betas: how slowly the averages of the gradient and of its square forget, each in [0, 1).
    """
    need_module(model, "model")
    need_number(lr, "lr", above=0)
    if not isinstance(betas, (tuple, list)) or len(betas) != 2:
        raise TypeError(f"betas: expected two numbers, got {betas!r}")
    beta1, beta2 = (need_number(beta, "betas", low=0, below=1) for beta in betas)
    # fused: one kernel updates all parameters at once; the same mathematics, less time
    return torch.optim.Adam(model.parameters(), lr=lr, betas=(beta1, beta2), fused=True)


def _probabilities(value: Tensor, name: str) -> Tensor:
    """`value` if it is one probability an image."""
    _scores(value, name)
    if may_look(value) and not ((value >= 0) & (value <= 1)).all():
        low, high = value.min().item(), value.max().item()
        raise ValueError(
            f"{name}: expected probabilities in [0, 1], got values from {low:.4g} to {high:.4g}; "
            "does D end in a Sigmoid?"
        )
    return value


def _scores(value: Tensor, name: str) -> Tensor:
    """`value` if it is one score an image: `(N, 1)` or `(N,)`, N at least 1."""
    need_tensor(value, name)
    if value.ndim not in (1, 2) or value.shape[1:] not in ((), (1,)) or value.numel() == 0:
        raise ValueError(
            f"{name}: expected one score per image, (N, 1) or (N,), got {tuple(value.shape)}"
        )
    return value
