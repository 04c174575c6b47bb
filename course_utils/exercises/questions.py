"""What each exercise is asked after its fixed examples: random arguments of all sizes.

A question is a function of `Draw` that makes the arguments anew, the same for the same seed. They
hold boundaries and extremes, so that an answer that fits the examples alone is found out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn


class Draw:
    """Random sizes and values."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.source = torch.Generator().manual_seed(seed)

    def whole(self, low: int, high: int) -> int:
        """From `low` to `high`, both included."""
        return int(torch.randint(low, high + 1, (), generator=self.source))

    def choose(self, *values: Any) -> Any:
        return values[self.whole(0, len(values) - 1)]

    def number(self, low: float, high: float) -> float:
        return low + (high - low) * float(torch.rand((), generator=self.source))

    def real(self, *shape: int, scale: float = 1.0) -> Tensor:
        return scale * torch.randn(shape, generator=self.source)

    def unit(self, *shape: int) -> Tensor:
        return torch.rand(shape, generator=self.source) * 0.98 + 0.01

    def images(self, *shape: int) -> Tensor:
        return torch.rand(shape, generator=self.source) * 1.96 - 0.98

    def labels(self, *shape: int, classes: int = 10) -> Tensor:
        return torch.randint(0, classes, shape, generator=self.source)

    def batch(self) -> tuple[int, ...]:
        """The shape of some scores."""
        return self.choose((self.whole(1, 6),), (self.whole(1, 6), 1), (self.whole(2, 4), 3))

    def covariance(self, size: int, rank: int | None = None) -> Tensor:
        """Symmetric, no eigenvalue below 0; float64."""
        columns = self.real(size, rank or size + 1).double()
        return columns @ columns.T

    def network(self, *layers: nn.Module) -> nn.Sequential:
        """The layers with weights of some size."""
        network = nn.Sequential(*layers)
        with torch.no_grad():
            for weight in network.parameters():
                weight.copy_(self.real(*weight.shape, scale=0.5))
        return network


Arguments = tuple[Any, ...]


def densities(d: Draw) -> Arguments:
    shape = d.choose((4,), (d.whole(1, 5),), (3, 2))
    p, q = d.unit(*shape), d.unit(*shape)
    if d.whole(0, 1):
        p[0] = 0
    return p, q


def _players(d: Draw) -> tuple[nn.Sequential, nn.Sequential, Tensor, Tensor]:
    """G and D on digits of four pixels. Without batch norm: D may see both batches in one pass."""
    count = d.whole(2, 6)
    G = d.network(
        nn.Linear(3, 5), nn.ReLU(), nn.Linear(5, 4), nn.Tanh(), nn.Unflatten(1, (1, 2, 2))
    )
    D = d.network(nn.Flatten(), nn.Linear(4, 5), nn.LeakyReLU(0.2), nn.Linear(5, 1), nn.Sigmoid())
    fakes = G(d.real(count, 3))
    if d.whole(0, 1):  # gradients that are left over
        D(fakes.detach()).sum().backward()
        G(d.real(count, 3)).sum().backward()
    return G, D, d.images(count, 1, 2, 2), fakes


def _solver(d: Draw, network: nn.Module) -> torch.optim.Optimizer:
    """Plain: Adam would make a step of full size from a gradient that is only rounding."""
    return torch.optim.SGD(network.parameters(), lr=d.choose(0.3, 0.1))


class Given(tuple):
    """Arguments with further objects that belong to them: `Given(arguments).also(G)`."""

    more: tuple[Any, ...] = ()

    def also(self, *more: Any) -> Given:
        self.more = more
        return self


def discriminator_step(d: Draw) -> Arguments:
    G, D, images, fakes = _players(d)
    return Given((D, _solver(d, D), nn.BCELoss(), images, fakes)).also(G)


def generator_step(d: Draw) -> Arguments:
    G, D, _, fakes = _players(d)
    return Given((D, _solver(d, G), nn.BCELoss(), fakes)).also(G)


def averages(d: Draw) -> Arguments:
    def network() -> nn.Module:
        return d.network(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))

    average, model = network(), network()
    model(d.real(5, 3)).sum().backward()
    return average, model, d.choose(0.0, 0.5, 0.9, 0.999, 1.0)


def layer(d: Draw) -> Arguments:
    bias = bool(d.whole(0, 1))
    return (
        d.choose(
            nn.Linear(d.whole(2, 9), d.whole(2, 9), bias=bias),
            nn.Conv2d(d.whole(1, 4), d.whole(1, 4), d.whole(1, 3), bias=bias),
            nn.ConvTranspose2d(d.whole(1, 4), d.whole(1, 4), d.whole(1, 3), bias=bias),
            d.network(nn.BatchNorm2d(3))[0],
            d.network(nn.Embedding(3, 2))[0],
            nn.ReLU(),
            d.network(nn.Linear(3, 2)),
        ),
    )


def seeds(d: Draw) -> Arguments:
    if d.whole(0, 2) == 0:  # the largest of one is the smallest of the other
        return d.choose(([1.0, 2.0], [2.0, 3.0]), ([2.0, 3.0], [1.0, 2.0]), ([2.0], [2.0]))
    low, high = d.number(0, 10), d.number(0, 10)
    first = [low + d.number(0, 4) for _ in range(d.whole(1, 4))]
    return first, [high + d.number(0, 4) for _ in range(d.whole(1, 4))]


def stretch(d: Draw) -> Arguments:
    rows, columns = d.whole(1, 5), d.whole(1, 5)
    return d.real(rows, columns), d.real(rows), d.whole(1, 6)


def balls(d: Draw) -> Arguments:
    real, size = d.whole(3, 9), d.whole(1, 4)
    return d.real(real, size).double(), d.real(d.whole(1, 9), size).double(), d.whole(1, real - 1)


def axes(d: Draw) -> Arguments:
    count, dim, wide = d.whole(8, 20), d.whole(1, 4), d.whole(2, 6)
    latents = d.real(count, dim).double() + 1
    mixed = latents @ d.real(dim, wide).double() * (1 + torch.arange(wide)) + d.real(wide).double()
    noise = 0.1 * d.real(count, wide).double()
    return latents, mixed + noise, d.whole(1, min(dim, wide))


def paths(d: Draw) -> Arguments:
    size, count = d.whole(2, 6), d.whole(1, 5)
    a, b = d.real(size), d.real(size)
    kind = d.whole(0, 5)
    if kind == 0:
        b = -a + 0.05 * b
    return a, b, d.choose(torch.linspace(0, 1, count), d.unit(count), d.real(count))


def search(d: Draw) -> Arguments:
    size = d.whole(2, 4)
    G = d.network(nn.Linear(size, 6), nn.Tanh(), nn.Unflatten(1, (1, 2, 3)))
    G.requires_grad_(bool(d.whole(0, 1)))
    if d.whole(0, 1):
        G = nn.Sequential(nn.Linear(size, 6), nn.BatchNorm1d(6), *G[1:])
        G.train(False)
    target = G(d.real(1, size)).detach()
    return G, target, d.real(1, size), d.whole(1, 8), d.choose(0.1, 0.03, 0.3)


def belief(d: Draw) -> Arguments:
    size = d.whole(2, 5)
    G = d.network(nn.Linear(size, 6), nn.Tanh(), nn.Unflatten(1, (1, 2, 3)))
    D = d.network(nn.Flatten(), nn.Linear(6, 1))
    training = bool(d.whole(0, 1))
    return G.train(training), D.train(training), d.real(d.whole(2, 6), size, scale=2)


class Critic(nn.Module):
    """A D that is told labels; without batch norm, so that one pass may serve both batches."""

    def __init__(self, d: Draw) -> None:
        super().__init__()
        self.layers = d.network(nn.Flatten(), nn.Linear(6, 5), nn.LeakyReLU(0.2))
        self.vectors = nn.Parameter(d.real(10, 5))

    def forward(self, images: Tensor, labels: Tensor) -> Tensor:
        return (self.layers(images) * self.vectors[labels]).sum(dim=1, keepdim=True)


def _conditional(d: Draw) -> tuple[nn.Module, Tensor, Tensor, Tensor]:
    count, D = d.whole(2, 6), Critic(d)
    fakes = d.images(count, 1, 2, 3).requires_grad_(bool(d.whole(0, 1)))
    return D, d.images(count, 1, 2, 3), fakes, d.labels(count)


def d_loss(d: Draw) -> Arguments:
    return _conditional(d)


def g_loss(d: Draw) -> Arguments:
    D, _, fakes, labels = _conditional(d)
    return D, fakes, labels


def digits(d: Draw) -> Arguments:
    count = d.whole(1, 8)
    certainty = d.choose(d.unit(count), 0.98 + 0.02 * d.unit(count))
    certainty[0] = d.choose(0.99, 1.0, 0.5)
    return d.labels(count, classes=3), certainty, d.whole(0, 2)


def edges(d: Draw) -> Arguments:
    side = d.whole(4, 12)
    image = d.choose(d.images(side, side), d.real(side, side).tanh(), d.images(side, side).sign())
    if d.whole(0, 1):
        image[0, 0] = 0.8
    return (image,)


def cluster(d: Draw, count: int, size: int) -> Tensor:
    return d.real(count, size, scale=d.choose(0.1, 1.0, 3.0))


def copies(d: Draw) -> Arguments:
    size = d.whole(1, 4)
    training, others = cluster(d, d.whole(1, 6), size), cluster(d, d.whole(1, 6), size)
    samples = cluster(d, d.whole(1, 7), size)
    return samples, training, others


def predicted(d: Draw) -> Arguments:
    count, classes = d.whole(1, 8), 10
    return d.real(count, classes, scale=3), d.labels(count)


def step_of(d: Draw) -> Arguments:
    return d.number(-3, 3), d.number(-3, 3), d.number(0, 0.5)


def probabilities(d: Draw) -> Arguments:
    return (d.real(d.whole(1, 7), d.whole(2, 10), scale=d.choose(0.2, 1.0, 4.0)).softmax(dim=1),)


def scored(d: Draw) -> Arguments:
    count = d.whole(10, 45)
    return d.real(count, d.whole(1, 5)), d.choose(d.unit(count), d.real(count))


def projection(d: Draw) -> Arguments:
    count, size = d.whole(1, 6), d.whole(1, 5)
    return d.real(count, size), d.real(size), d.real(), d.real(10, size), d.labels(count)


def layers_of(d: Draw) -> Arguments:
    count, wide, out, places = (d.whole(1, 6) for _ in range(4))
    return d.real(count, wide, places), d.real(out, wide), d.real(out)


def pair_of(make: Callable[[Draw], Tensor]) -> Callable[[Draw], Arguments]:
    return lambda d: (make(d), make(d))


def scores(d: Draw) -> Tensor:
    return d.real(*d.batch(), scale=d.choose(0.5, 3.0))


def column(d: Draw) -> Tensor:
    """Scores as D gives them."""
    return d.real(d.whole(1, 6), 1, scale=d.choose(0.5, 3.0))


def same_columns(d: Draw) -> Arguments:
    count, scale = d.whole(1, 6), d.choose(0.5, 3.0)
    return d.real(count, 1, scale=scale), d.real(count, 1, scale=scale)


def two_covariances(d: Draw) -> Arguments:
    size = d.whole(1, 5)
    rank = d.choose(None, 1)
    return d.covariance(size, rank), d.covariance(size)


def frechet(d: Draw) -> Arguments:
    size = d.whole(1, 5)
    first, second = d.real(size).double(), d.real(size).double()
    return first, d.covariance(size), second, d.covariance(size)


def two_sets(d: Draw) -> Arguments:
    size = d.whole(1, 6)
    return d.real(d.whole(2, 6), size), d.real(d.whole(2, 6), size)


def near(d: Draw) -> Arguments:
    shape = d.choose((1, 4, 4), (3, 2, 5), (1, 28, 28))
    return d.images(d.whole(1, 5), *shape), d.images(d.whole(1, 6), *shape)


def swept(d: Draw) -> Arguments:
    dim = d.whole(1, 6)
    return d.real(dim), d.whole(0, dim - 1), d.real(d.whole(1, 5), scale=2)


def gained(d: Draw) -> Arguments:
    count = d.whole(2, 7)
    return d.unit(count), d.unit(count)


def logits_and_labels(d: Draw) -> Arguments:
    logits = d.real(d.whole(1, 6), scale=d.choose(1.0, 60.0))
    labels = d.choose(d.unit(*logits.shape), d.labels(*logits.shape, classes=2).float())
    return logits, labels


def best_of(d: Draw) -> Arguments:
    count = d.whole(4, 21)
    return d.images(count, 3, 4, 4), d.unit(count)


QUESTIONS: dict[str, Callable[[Draw], Arguments]] = {
    "01.1": densities,
    "01.2": lambda d: (d.unit(*d.batch()),),
    "01.3": lambda d: (torch.randint(0, 256, (d.whole(1, 3), 1, 4, 5), generator=d.source).byte(),),
    "01.4": lambda d: (d.whole(1, 9), d.whole(1, 20)),
    "01.5": lambda d: (d.whole(1, 20),),
    "01.6": discriminator_step,
    "01.7": generator_step,
    "01.8": logits_and_labels,
    "01.9": same_columns,
    "01.10": lambda d: (column(d),),
    "01.11": averages,
    "02.1": lambda d: (d.whole(5, 40), d.whole(1, 5), d.whole(1, 4), d.whole(0, 3)),
    "02.2": lambda d: (d.whole(1, 40), d.whole(1, 6), d.whole(1, 4), d.whole(0, 3)),
    "02.3": lambda d: (),
    "02.4": lambda d: (d.whole(1, 30),),
    "02.5": layer,
    "02.6": lambda d: (),
    "02.7": lambda d: (d.whole(1, 30),),
    "02.8": lambda d: (d.real(d.whole(2, 5), d.whole(1, 4), d.whole(1, 4), d.whole(2, 4)) + 1,),
    "02.9": lambda d: (d.real(d.whole(1, 6), scale=200),),
    "03.1": lambda d: (scores(d),),
    "03.2": lambda d: (column(d), column(d)),
    "03.3": lambda d: (column(d),),
    "03.4": lambda d: (scores(d),),
    "03.5": lambda d: (*densities(d), d.number(-2, 2), d.number(-2, 2)),
    "03.6": seeds,
    "03.7": step_of,
    "03.8": step_of,
    "04.1": lambda d: (d.images(d.whole(16, 22), 3, 32, 32),),
    "04.2": lambda d: (d.whole(1, 30),),
    "04.3": lambda d: (
        *(d.images(d.whole(1, 5), d.whole(1, 6), d.whole(1, 3), d.whole(1, 3)),),
        d.choose(0.0, 0.1, 0.25, 0.5, 0.9),
    ),
    "04.4": lambda d: (),
    "04.5": lambda d: (d.images(d.whole(1, 7), d.choose(1, 3), 4, 4),),
    "04.6": stretch,
    "04.7": lambda d: (
        d.images(d.whole(1, 8), d.whole(1, 3), d.whole(1, 4), d.whole(1, 5)),
        torch.Generator().manual_seed(d.whole(0, 99)),
    ),
    "04.8": lambda d: (d.choose(0.0, 0.5, 0.498, 0.502, 1.0, 0, 1, d.number(0, 1)),),
    "04.9": best_of,
    "05.1": probabilities,
    "05.2": lambda d: (d.labels(d.whole(1, 30), classes=d.choose(2, 10)),),
    "05.3": lambda d: (d.real(d.whole(2, 7), d.whole(2, 5)) + 2,),
    "05.4": two_covariances,
    "05.5": frechet,
    "05.6": two_sets,
    "05.7": balls,
    "05.8": near,
    "05.9": lambda d: (),
    "06.1": swept,
    "06.2": lambda d: (d.whole(1, 200), d.choose("normal", "uniform")),
    "06.3": paths,
    "06.4": paths,
    "06.5": axes,
    "06.6": scored,
    "06.7": search,
    "06.8": belief,
    "06.9": lambda d: (d.whole(1, 2000),),
    "07.1": lambda d: (lambda n: (d.real(n, d.whole(1, 6)), d.labels(n)))(d.whole(1, 6)),
    "07.2": lambda d: (d.real(d.whole(1, 5), d.whole(1, 5)),),
    "07.3": projection,
    "07.4": d_loss,
    "07.5": g_loss,
    "07.6": predicted,
    "07.7": lambda d: (lambda n: (d.images(n, 1, 2, 3), d.images(n, 1, 2, 3)))(2 * d.whole(1, 4)),
    "07.8": gained,
    "07.9": copies,
    "08.1": lambda d: (d.whole(1, 40),),
    "08.2": lambda d: (d.whole(1, 12),),
    "08.3": lambda d: (d.real(d.whole(1, 4), d.whole(1, 5), 4), d.real(d.whole(1, 6), 4)),
    "08.4": layers_of,
    "08.5": lambda d: (d.whole(1, 30), [d.whole(1, 9) for _ in range(d.whole(2, 5))]),
    "08.6": lambda d: (d.images(d.whole(1, 3), 1, d.whole(1, 4), d.whole(1, 4)), d.whole(1, 4)),
    "08.7": lambda d: (d.images(*d.batch()), d.choose(0.5, 1, 2, 3, 5.5)),
    "08.8": edges,
    "08.9": lambda d: (d.choose(0.0, 1.0, d.number(0, 1)), d.choose(0.0, 1.0, d.number(0, 1))),
    "08.10": digits,
}

# What goes into the networks that these exercises build, given the exercise's own arguments: these
# are asked by `expect_same_network` instead.
INPUTS: dict[str, Callable[..., tuple[int, ...]]] = {
    "01.4": lambda noise_size, hidden_size: (noise_size,),
    "01.5": lambda hidden_size: (1, 28, 28),
    "02.3": lambda: (1, 28, 28),
    "02.4": lambda noise_dim: (noise_dim,),
    "02.6": lambda: (1, 28, 28),
    "02.7": lambda noise_dim: (noise_dim,),
    "04.2": lambda noise_dim: (noise_dim,),
    "04.4": lambda: (3, 32, 32),
}

# Right answers to these differ in value: scores or their means, axes of either sign.
FREE_VALUES = {"01.6", "06.5"}
