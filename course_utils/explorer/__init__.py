"""Walking in latent space: a window with sliders, and a generator as a file to send to a friend.

Read in this order:

- `generator.py` a generator as it is now, with the noise it was trained on
- `latent.py`    lines, arcs, walks and principal directions
- `pictures.py`  pictures of latents: single ones, rows, GIFs, the still grid
- `opinions.py`  what the classifier and a discriminator make of a picture
- `latest.py`    a burst of requests that becomes a single one
- `panel.py`     the widgets, and where they stand
- `window.py`    what the widgets do: all of these, wired together
- `share.py`     a generator as one HTML file; `page.html` is what it fills in
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from ..coordinates import SIDE as SIDE_TRAINED
from ..coordinates import CoordinateGenerator
from ..data import ImageSet
from ..validation import need_choice, need_count
from .generator import FrozenGenerator
from .latent import lerp, principal_directions, slerp
from .opinions import Critic
from .pictures import SIDE
from .share import share

if TYPE_CHECKING:
    from .window import Explorer

__all__ = ["explore", "lerp", "principal_directions", "share", "slerp"]


def explore(
    generator: nn.Module,
    noise_dim: int | None = None,
    n_sliders: int = 8,
    discriminator: nn.Module | None = None,
    *,
    space: str = "coordinates",
    noise: str | None = None,
    classes: int | None = None,
    real: ImageSet | Tensor | None = None,
    as_probability: Callable[[Tensor], Tensor] | None = torch.sigmoid,
    seed: int = 0,
    side: int = SIDE,
) -> Explorer:
    """A window to walk in a generator's latent space: sliders beside the picture they change.

    It works on copies, on the CPU: training may go on. Where no kernel runs (GitHub, an HTML
    export), a still grid shows what the sliders do.

    Args:
        generator: a network that turns latents `(N, noise_dim)` into images `(N, 1 or 3, H, W)`,
            or digits `(N, 784)`, in [-1, 1].
        noise_dim: the size of a latent, without a label; read off the generator if not given.
        n_sliders: how many; there are fewer where a latent has fewer coordinates.
        discriminator: if given, a bar shows what it thinks of the picture.
        space: "coordinates" or "directions", what the sliders begin with; a switch changes it.
        noise: "uniform" or "normal", what the generator was trained with; if not given, what a
            shipped generator says of itself, else "uniform".
        classes: how many labels stand behind the noise, one-hot; if not given, what a shipped
            generator says of itself, else 0. A row of buttons then chooses among them.
        real: the images that "Nearest real" searches; the training images of MNIST or CIFAR-10 if
            not given.
        as_probability: what turns D's score into a probability; `None` where it is no logit. A D
            that ends in a Sigmoid layer is taken as it is.
        seed: of the first latent; later ones follow from it.
        side: pixels of the picture's longer side, about. A generator of coordinates draws so many;
            the pixels of any other are enlarged.

    Returns:
        The window: a cell's last value shows itself.

    Raises:
        TypeError, ValueError: anything else.
        ImportError: ipywidgets is missing.
    """
    need_count(n_sliders, "n_sliders")
    need_choice(space, "space", ("coordinates", "directions"))
    need_count(seed, "seed", minimum=0)
    need_count(side, "side")
    if isinstance(generator, CoordinateGenerator):
        generator = generator.at(SIDE_TRAINED)  # as classifier and D know its pictures
    frozen = FrozenGenerator(generator, noise_dim, noise, classes)
    critic = None if discriminator is None else Critic(discriminator, frozen, as_probability)
    from .window import Explorer  # only here are widgets needed

    return Explorer(frozen, critic, n_sliders, space, real, seed, side)
