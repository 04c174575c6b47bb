# %% [markdown]
# # Lesson 8: digits at any resolution
#
# A convolutional G makes 28 x 28 pixels; enlarge them, and you see squares or fog. Here you build a G that can be asked **at any point**, train it on the
# same small digits, and draw them as large as you like: large print for readers with poor sight. *From our run:*
#
# ![One generated digit at 28, 112, 448 and 1,024 pixels, with a close-up of each: squares become a smooth stroke](../docs/figures/08_sizes.png)

# %% [markdown]
# **What you need to know:** lessons 1 and 2. Lesson 6 helps.
#
# **What it takes:** about an hour and a half of yours with the exercises, and of the machine, measured on real runs
# of the solved edition:
#
# <!-- measured -->

# %% [markdown]
# **The exercises** work as in lesson 1. Each asks for a *new* result: leave the arguments as they are, and
# let gradients through, unless the text says otherwise. An answer draws no random numbers and changes no
# settings. The check tries more cases than the text names.

# %%
import math

import torch
from matplotlib.figure import Figure
from torch import nn
from torch.nn import functional as F

import course_utils as cu
from course_utils import by_profile, check, legibility, show_images
from course_utils.coordinates import build_coordinate_generator
from course_utils.models import build_strided_discriminator

cu.start("08")
cu.set_seed(8)

# %% [markdown]
# ## Part 1: a picture is a function
#
# *About 15 minutes.* Think of a picture as a function: at each point (x, y) it has a grey value. Pixels are only the places where we have asked. Ask at more places, and the
# picture has more pixels; nothing has to be enlarged. Such a network is called a **CPPN**, a compositional pattern producing network (Stanley 2007).

# %% [markdown]
# Let x go from -1 at the left edge to 1 at the right one. A row of `side` pixels cuts that into `side` equal parts, and each pixel stands for the **centre** of its part: with
# two pixels, -0.5 and 0.5. Then a point keeps its coordinates at every size.
#
# **Exercise 08.1.** Return the centres `(side,)`.


# %%
def centres(side):
    # BEGIN SOLUTION
    return (torch.arange(side) + 0.5) * (2 / side) - 1
    # END SOLUTION


centres = check(centres, "08.1")

# %% [markdown]
# Each point gets four numbers: x, y, the distance from the middle (the *radius*, which makes round things easy), and a 1 (it will carry the bias).
#
# **Exercise 08.2.** The grid `(side, side, 4)`: x grows from left to right, y from top to bottom. `torch.meshgrid(..., indexing="ij")` gives two
# tables: the first grows from row to row, the second along each row. `torch.hypot(x, y)` is the radius.


# %%
def grid(side):
    # BEGIN SOLUTION
    line = centres(side)
    y, x = torch.meshgrid(line, line, indexing="ij")
    return torch.stack([x, y, torch.hypot(x, y), torch.ones_like(x)], dim=2)
    # END SOLUTION


grid = check(grid, "08.2")

# %% [markdown]
# Where does the latent come in? An ordinary small network reads it and answers with four numbers a, b, c, d for each of 64 **features**. A feature is
#
# $$a\,x + b\,y + c\,r + d$$
#
# with r the radius: a tilted plane with a cone on it. Another latent, other planes.

# %% [markdown]
# **Exercise 08.3.** From numbers `(N, F, 4)` and points `(P, 4)` make the features `(N, F, P)` of all points. One product of matrices does it.


# %%
def features(numbers, points):
    # BEGIN SOLUTION
    return numbers @ points.T
    # END SOLUTION


features = check(features, "08.3")

# %% [markdown]
# **What to expect:** a plane; a cone; both together. Of each the line where it is 0 is drawn: straight, a circle, and a curve. LeakyReLU folds the feature
# there. Strokes are made of such folds.

# %% tags=["figure:folds"]
numbers = torch.tensor([[[1.5, 1.0, 0, 0.2], [0, 0, 2.0, -1.2], [1.5, 1.0, 2.0, -1.0]]])
maps = features(numbers, grid(112).flatten(0, 1))[0].reshape(3, 112, 112)
figure = Figure(figsize=(8, 2.9))
names = ["1.5 x + y + 0.2", "2 r - 1.2", "1.5 x + y + 2 r - 1"]
for axis, values, name in zip(figure.subplots(1, 3), maps, names, strict=True):
    axis.imshow(values.numpy(), cmap="gray", extent=(-1, 1, 1, -1))
    axis.contour(centres(112), centres(112), values, [0], colors=cu.G_COLOUR, linewidths=2)
    axis.set(title=name, xlabel="x", ylabel="y", xticks=[-1, 0, 1], yticks=[-1, 0, 1])
figure.tight_layout()
cu.show_figure(
    figure,
    "Three grey maps over x and y: a tilted plane, which is 0 on a straight line; a cone, 0 on a circle; and their sum, 0 on a curve "
    "like an egg's.",
)

# %% [markdown]
# Then a small network turns a point's 64 features into its grey value: two layers of 64, the same for every point and every picture. It sees one point at a time and no
# neighbours. PyTorch has that as `nn.Conv2d(64, 64, kernel_size=1)`.
#
# **Exercise 08.4.** One such layer, as a product of matrices: values `(N, F, P)`, weight `(G, F)`, bias `(G,)`; return `(N, G, P)`.


# %%
def pointwise(values, weight, bias):
    # BEGIN SOLUTION
    return weight @ values + bias[:, None]
    # END SOLUTION


pointwise = check(pointwise, "08.4")

# %% [markdown]
# Here is all of G. Count: its 67,000 parameters know nothing of pixels. What grows with the picture is the work.
#
# **Exercise 08.5.** How many multiplications does a picture of `side` x `side` points take, if each point passes layers of these widths? From 4 to 64 numbers are 4 x 64 of them.


# %%
def products(side, widths):
    # BEGIN SOLUTION
    each = sum(widths[n] * widths[n + 1] for n in range(len(widths) - 1))
    return side * side * each
    # END SOLUTION


products = check(products, "08.5")

# %%
G = build_coordinate_generator(noise_dim=64)
print(G)
print(f"{cu.count_params(G):,} parameters")
for side in (28, 112, 448, 1024):
    print(f"{side:5} pixels: {products(side, [4, 64, 64, 64, 1]) / 1e6:7,.0f} million products")

# %% [markdown]
# ## Part 2: train it on small digits
#
# *About 10 minutes.* Nothing about the game changes: the same D as in lesson 2, which sees 28 x 28 pixels. So G is asked at the 784 centres. Batch norm stands between
# the layers (without it, in our trials D won at once, and samples stayed as good as black).

# %% [markdown]
# **What to expect:** crumpled shapes in the first hundred steps, strokes within the first five hundred, many digits after one epoch. They look like cut paper rather than ink: folds have edges.
# On two quiet cores it takes a minute or two.

# %% tags=["figure:own"]
train_set = cu.load_mnist("train", limit=by_profile(short=1000, cpu=None, gpu=None))
device = cu.get_device()
D, G = build_strided_discriminator().to(device), G.to(device)
step = cu.AdversarialStep(
    D,
    G,
    cu.get_optimizer(D, lr=5e-4),
    cu.get_optimizer(G, lr=5e-4),
    cu.discriminator_loss,
    cu.generator_loss,
    noise_size=64,
    noise="normal",
)
history = cu.train(
    step,
    cu.BatchLoader(train_set, 64, device, drop_last=True),
    num_epochs=by_profile(short=1, cpu=2, gpu=12),
    show_every=by_profile(short=15, cpu=400, gpu=400),
    ema=0.99,
)
own = history.averaged.cpu().eval()
fixed = torch.randn(30, 64)
show_images(
    own(fixed),
    nrow=10,
    titles="Yours, at 28 x 28",
    alt="Three rows of ten generated digits at 28 by 28 pixels: bright strokes on black; many are digits, some are none.",
    kind="fake",
)

# %% [markdown]
# ## Part 3: draw it large
#
# *About 10 minutes.* The course ships the same pair after twelve epochs, as `cppn`. `G.draw(latents, side)` asks it at `side` x `side` points. It does so for a few
# thousand points at a time: all at once would not fit into the processor's cache.

# %%
G = cu.load_pretrained("cppn")
latents = torch.randn(300, 64)
digits, certainty = legibility.read_digits(G(latents))
clear = latents[certainty > 0.999]
print(f"{len(clear)} of {len(latents)} digits are read with more than 99.9 % certainty")

# %% [markdown]
# **What to expect:** above, one digit in four sizes; below, its middle from near. At 28 you can count the pixels, from 448 on there are none to be seen. The stroke has a smooth edge, as
# G has never learned where pixels end.

# %% tags=["figure:sizes"]
figure = Figure(figsize=(8, 4.1), layout="tight")
above, below = figure.subplots(2, 4)
for side, whole, near in zip((28, 112, 448, 1024), above, below, strict=True):
    picture = G.draw(clear[:1], side)[0, 0]
    part = slice(side * 5 // 14, side * 9 // 14)  # the middle two sevenths
    for axis, values in [(whole, picture), (near, picture[part, part])]:
        axis.imshow(values.numpy(), cmap="gray", vmin=-1, vmax=1, interpolation="nearest")
        axis.axis("off")
    whole.set_title(f"{side} x {side}")
cu.show_figure(
    figure,
    "One generated digit at 28, 112, 448 and 1,024 pixels, and below each its middle enlarged: coarse squares at 28, small ones at 112, a smooth "
    "edge at 448 and 1,024.",
)

# %% [markdown]
# The window draws in its own size, too: here with 448 x 448 points, computed anew for every move of a slider. D's bar and the classifier's words still look at 28 x 28.

# %%
cu.explore(
    G,
    discriminator=cu.load_pretrained("cppn", "D"),
    space="directions",
    side=by_profile(short=112, cpu=448, gpu=448),
)

# %% [markdown]
# ## Part 4: against enlarging
#
# *About 25 minutes.* One can enlarge any picture: repeat pixels (*nearest*), draw straight lines between their centres (*bilinear*), or smooth curves (*bicubic*). Is our G better than the
# DCGAN of lesson 2, enlarged?
#
# **Exercise 08.6.** Nearest: make of each pixel of `(N, 1, H, W)` a square of `factor` x `factor`.


# %%
def nearest(images, factor):
    # BEGIN SOLUTION
    tall = images.repeat_interleave(factor, dim=2)
    return tall.repeat_interleave(factor, dim=3)
    # END SOLUTION


nearest = check(nearest, "08.6")

# %% [markdown]
# An edge has a **slope**, and it can be made steeper without moving: what is 0 stays 0, light grey becomes white, dark grey black. Pictures end in a tanh; undo it
# (`torch.atanh`), multiply, and do it again.
#
# **Exercise 08.7.** Make all edges `factor` times as steep. Values are between -1 and 1, ends excluded.


# %%
def steepen(images, factor):
    # BEGIN SOLUTION
    return torch.tanh(factor * torch.atanh(images))
    # END SOLUTION


steepen = check(steepen, "08.7")

# %% [markdown]
# To be fair, the enlarged DCGAN gets steeper edges as well. For each generator only digits count that the classifier is sure of. The next
# cells draw 120 of them in seven ways, 448 pixels wide: some ten seconds on two cores.

# %%
side, count = by_profile(short=112, cpu=448, gpu=448), by_profile(short=10, cpu=120, gpu=200)


def draw_sure(G, count):
    """Latents, pictures and readings of digits that are read with 99 % certainty or more."""
    latents = torch.randn(1000, 64, generator=torch.Generator().manual_seed(0))
    images = torch.cat([G(part) for part in latents.split(250)])
    digits, certainty = legibility.read_digits(images)
    sure = (certainty >= 0.99).nonzero()[:count, 0]
    return latents[sure], images[sure], digits[sure]


# %%
_, small, dcgan_digits = draw_sure(cu.load_pretrained("dcgan_strided"), count)
latents, cppn_small, cppn_digits = draw_sure(G, count)
inside = 1 - 1e-6  # atanh(1) is infinite
smooth = legibility.enlarge(small, side, "bicubic")
drawn = G.draw(latents, side)
ways = {
    "DCGAN, nearest": (nearest(small, side // 28), dcgan_digits),
    "DCGAN, bilinear": (legibility.enlarge(small, side, "bilinear"), dcgan_digits),
    "DCGAN, bicubic": (smooth, dcgan_digits),
    "DCGAN, bicubic, steep": (steepen(smooth.clamp(-inside, inside), 8), dcgan_digits),
    "cppn, bicubic": (legibility.enlarge(cppn_small, side, "bicubic"), cppn_digits),
    "cppn, drawn": (drawn, cppn_digits),
    "cppn, drawn, steep": (steepen(drawn.clamp(-inside, inside), 8), cppn_digits),
}

# %% tags=["figure:ways"]
shown = ["DCGAN, nearest", "DCGAN, bilinear", "DCGAN, bicubic", "cppn, drawn", "cppn, drawn, steep"]
figure = Figure(figsize=(9, 3.8), layout="tight")
above, below = figure.subplots(2, 5)
part = slice(side * 5 // 14, side * 9 // 14)
for name, whole, near in zip(shown, above, below, strict=True):
    images, read = ways[name]
    picture = images[(read - 3).abs().argmin(), 0]  # the first 3, if there is one
    for axis, values in [(whole, picture), (near, picture[part, part])]:
        axis.imshow(values.numpy(), cmap="gray", vmin=-1, vmax=1, interpolation="nearest")
        axis.axis("off")
    whole.set_title(name, fontsize=9)
cu.show_figure(
    figure,
    "Five large digits and their middles from near. Of the enlarged DCGAN: squares (nearest), a lattice of fog (bilinear), soft edges (bicubic). Of the "
    "cppn: a smooth edge, and with steep edges a sharp one.",
)

# %% [markdown]
# Now as numbers. **Sharpness:** how wide is an edge? Count the grey pixels (10 to 90 % of the way from black to white, here between -0.8 and 0.8), and divide by the length of all edges. That length is
# the sum of all slopes, divided by the 2 that an edge climbs.

# %% [markdown]
# **Exercise 08.8.** The width of the edges of a square picture `(H, H)` as a share of its height. The slope at a pixel is `torch.hypot(down, right)`: the differences to the pixel below and to that on the
# right; leave out the last row and the last column.


# %%
def edge_width(image):
    # BEGIN SOLUTION
    down = image[1:, :-1] - image[:-1, :-1]
    right = image[:-1, 1:] - image[:-1, :-1]
    length = torch.hypot(down, right).sum() / 2
    grey = (image.abs() < 0.8).sum()
    return grey / length / len(image)
    # END SOLUTION


edge_width = check(edge_width, "08.8")

# %% [markdown]
# **Contrast:** the web's accessibility rules (WCAG 2.2) take the light of both colours (their *luminance*, from 0, black, to 1, white), add 0.05 that any page reflects, and divide the lighter by the darker. They ask for 4.5
# at least, and for 7 in their strictest level.
#
# **Exercise 08.9.** The contrast of two luminances, plain numbers; the order does not matter.


# %%
def contrast(one, other):
    # BEGIN SOLUTION
    light, dark = max(one, other), min(one, other)
    return (light + 0.05) / (dark + 0.05)
    # END SOLUTION


contrast = check(contrast, "08.9")


# %%
def mean_contrast(images):
    """The contrast of the mean light of ink (above 0) and that of paper."""
    light = legibility.luminance((images + 1) / 2)
    return contrast(light[images > 0].mean().item(), light[images <= 0].mean().item())


for name, (images, _) in ways.items():
    width = torch.stack([edge_width(image[0]) for image in images]).mean()
    print(f"{name:>21}: edges {100 * width:4.1f} % wide, contrast {mean_contrast(images):4.1f}")

# %% [markdown]
# Smaller is sharper; 21 is black on white. Drawn edges are sharper than bicubic ones, of the same G as well. But the slope does most: steep bicubic edges of the DCGAN come
# close. (Nearest looks better here than it is: its squares have sharp edges, in the wrong places.)

# %% [markdown]
# ## Part 5: poor sight
#
# *About 15 minutes.* Does it help a reader? To an eye of poor sight a point is a spot. We spread each point as a bell curve (a Gaussian), its standard deviation a share of the
# digit's height: that is the **blur**. Then we shrink to 28 x 28 and ask the classifier. It is no eye, and it has never seen blurred digits; it can only compare.

# %% [markdown]
# **What to expect:** about a quarter of a minute, then a table: a row for each way, a column for each blur, and in it the share of digits
# that are still read rightly.

# %%
shares = [0, 0.02, 0.025, 0.03, 0.035, 0.04, 0.05]
readable = {
    name: [legibility.legibility(images, digits, share) for share in shares]
    for name, (images, digits) in ways.items()
}
print(f"{'blur':>21}: " + "  ".join(f"{share:5.1%}" for share in shares))
for name, values in readable.items():
    print(f"{name:>21}: " + "  ".join(f"{value:5.0%}" for value in values))

# %% tags=["figure:sight"]
figure = Figure(figsize=(7, 3.6))
axis = figure.subplots()
styles = {
    "DCGAN, nearest": (cu.FAKE, "^:"),
    "DCGAN, bicubic": (cu.REAL, "o-"),
    "DCGAN, bicubic, steep": (cu.D_COLOUR, "s--"),
    "cppn, drawn": (cu.G_COLOUR, "d-."),
    "cppn, drawn, steep": ("black", "x-"),
}
for name, (colour, style) in styles.items():
    axis.plot(shares, readable[name], style, color=colour, label=name)
axis.set(xlabel="blur, as a share of the digit's height", ylabel="still read rightly", ylim=(0, 1))
axis.legend(loc="lower left", fontsize=9)
cu.show_figure(
    figure,
    "The share of digits still read against blur, for five ways. All stay near 1 up to a blur of 0.03 and fall steeply after 0.035; those with steep "
    "edges fall a little later.",
)

# %% [markdown]
# The curves are close together. Blur takes away first what the enlargement has added: to poor sight a sharp edge and a soft one look alike. What helps more is contrast (*steep*), because blur
# thins out light.

# %% [markdown]
# What helps most is not in the legend but **below the axis**. The eye's blur is fixed; print the digit twice as large, and it is half the share. That moves you along the curve from 5 % to 2.5 %: from about
# a quarter of the digits to all of them. **Size, then contrast, then edges.** Drawing at any size earns its place where a print is large and seen from near.

# %% tags=["figure:eye"]
eye = [
    legibility.blur(drawn[:10, :, :: side // 112, :: side // 112], share)
    for share in (0, 0.025, 0.05)
]
show_images(
    torch.cat(eye),
    nrow=10,
    titles="As drawn, and through a blur of 2.5 % and 5 % of their height",
    alt="Three rows of the same ten digits: sharp, soft, and so blurred that their holes close.",
    kind="fake",
)

# %% [markdown]
# You still read most of the last row, and the classifier does not: it has never seen grey digits. So take its curves for a comparison of pictures, not for a
# measurement of eyes.

# %% [markdown]
# ## Part 6: a sheet in large print
#
# *About 10 minutes.* A sheet for somebody of poor sight must not hold a doubtful 7. So draw many, let the classifier read them, and take only those that it is sure of.
#
# **Exercise 08.10.** From digits `(N,)` and certainty `(N,)`: the place, an int, of the surest picture that is read as `wanted`. If none reaches 0.99, return None.


# %%
def surest(digits, certainty, wanted):
    # BEGIN SOLUTION
    right = (digits == wanted) & (certainty >= 0.99)
    if not right.any():
        return None
    return int(torch.where(right, certainty, 0).argmax())
    # END SOLUTION


surest = check(surest, "08.10")

# %% tags=["figure:surest"]
latents = torch.randn(1000, 64)
digits, certainty = legibility.read_digits(torch.cat([G(part) for part in latents.split(250)]))
places = [surest(digits, certainty, wanted) for wanted in range(10)]
found = [place for place in places if place is not None]
show_images(
    G.draw(latents[found], 112),
    nrow=10,
    titles="The surest of each digit, among 1,000",
    alt=f"{len(found)} large generated digits in a row, from 0 to 9, each easy to read.",
    kind="fake",
)

# %% [markdown]
# `large_print` does the same and more: among the sure ones it takes those that are still read best **through blur**; it makes edges steep, prints black on white, and has the
# classifier read the finished sheet again. It returns the sheet with its alternative text.

# %% tags=["figure:print"]
folder = cu.get_runs_folder() / "lesson08"
folder.mkdir(parents=True, exist_ok=True)
sheet = cu.large_print("2026", folder / "out.png")
sheet

# %%
print(sheet.alt)
print("certainty:", ", ".join(f"{value:.2%}" for value in sheet.certainty))

# %% [markdown]
# Some readers prefer white on black: `paper="black"`. And as a page to play with, in 112 x 112 points; a browser is slower than PyTorch, so pages stay smaller.

# %%
page = cu.share(G.at(112), folder / "large_digits.html", title="Digits at any resolution")

# %% [markdown]
# ### Before you print for others
#
# - **Ask the reader.** Size, contrast, colours: eyes differ, and no formula here has asked one. A good typeface in large print beats generated handwriting in all of them.
# - **A number that matters** (a dose, a sum) is not to be read from generated digits. 99 % certain of each means: one sheet in 25 of four digits may be wrong.

# %% [markdown]
# ## When it goes wrong
#
# | what you see | what it usually is | what helps |
# | --- | --- | --- |
# | samples stay black | no batch norm in G, or D learns too fast | the builder's layers; a smaller learning rate |
# | the picture shifts a little with its size | corners instead of centres | exercise 08.1 |
# | digits lie on their side | x and y swapped | exercise 08.2, `indexing="ij"` |
# | `RuntimeError: ... eval mode` | `draw` of a G in training | `G.eval()` |
# | out of memory at 1,024 | `G.at(1024)(latents)` keeps all features | `G.draw(latents, 1024)` |
# | `got others for 7` | the sheet would not be read surely | another `seed`, more training |
# | red `NameError: name 'check' is not defined`, or another name | the kernel was restarted, or cells ran out of order | JupyterLab: Run > Run All Above Selected Cell; Colab: Runtime > Run before |
# | red broken chains, `Error displaying widget: model not found`, or sliders that move and nothing happens | the kernel has ended since | run the cells above, then this cell |

# %% [markdown]
# ## Questions
#
# Think first, then unfold.
#
# <details><summary>G was trained at 784 points. Who decides what it draws between them?</summary>
#
# Nobody. Its folds are straight or round and few, so it goes on smoothly; D has never looked there. A network with many sharp folds could do anything between two pixels.
#
# </details>

# %% [markdown]
# <details><summary>Why is the radius among the inputs? Could the network not compute it?</summary>
#
# From x and y it could come near to it, with many folds. As an input it costs nothing, and one cone makes a round stroke.
#
# </details>

# %% [markdown]
# <details><summary>At 1,024 pixels the picture has 1,300 times as many as at 28. Does it hold more?</summary>
#
# No: it is the same function of the same 64 numbers. Sharper edges, no new details. An "enlargement by AI" shown as evidence shows what the network takes for likely.
#
# </details>

# %% [markdown]
# <details><summary>Edges 8 times as steep look good at 448. And at 28?</summary>
#
# There they are stairs: a pixel is then nearly black or nearly white, and the grey that told where within the pixel the edge runs is gone.
#
# </details>

# %% [markdown]
# ## Summary
#
# - A picture is a function of x and y; its resolution is how often one asks.
# - The latent chooses planes and cones, a small network for every point folds them into strokes.
# - Drawn edges are sharper than enlarged ones; steep edges do most of it, and poor sight sees little of either.
# - For poor sight: size, then contrast, then edges, and a reader who checks.

# %% [markdown]
# ## What comes next
#
# This is the last lesson so far. You can make a generator, judge it, steer it, ask it, and say what it is good for. **One thing to try:** give `build_coordinate_generator`
# the labels of lesson 7 (ten numbers more behind the noise, `ConditionalStep`), and large print needs no search.
