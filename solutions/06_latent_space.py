# %% [markdown]
# # Lesson 6: walking in latent space
#
# All the noise vectors z that a generator can start from are its **latent space**. So far we took random ones. But between
# any two digits lie others, along some directions strokes tilt or grow, and somewhere in there is, nearly, *your* digit. Here
# you find the ways. *From our run:*
#
# ![Rows of generated digits, first along single coordinates, then along principal directions; the latter change more](../docs/figures/06_directions.png)

# %% [markdown]
# **What you need to know:** lesson 1, and what a convolutional generator is (lesson 2). Nothing is trained here: a shipped
# generator works at once.
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
from course_utils import by_profile, check, show_images
from course_utils.checkpoints import load_newest
from course_utils.metrics import extract
from course_utils.models import build_strided_generator

cu.start("06")
cu.set_seed(6)

# %% [markdown]
# ## Part 1: play first
#
# *About 10 minutes.* The generator G turns a **latent vector** z, here 64 numbers, into a digit. In training each coordinate was drawn from a normal distribution with mean 0 and standard deviation 1,
# and nobody said what any of them should mean.

# %%
G = cu.load_pretrained("dcgan_strided")
print(f"a latent: {G.noise_size} numbers, {G.noise}")
print("trained with:", G.facts["command"])

# %% [markdown]
# The window below moves one coordinate for each slider, by mouse or with the arrow keys. Play for a few minutes. Then try to
# answer: **which slider makes the digit thicker?**
#
# - *New* draws another z, *Reset* takes the sliders back.
# - *Keep* puts the picture into a row; *Linear* and *Spherical* go from one kept picture to another.
# - *Walk* plays a moving picture through random latents; sliders and words belong to where it ends.
# - *Nearest real* looks for copies of the digit you see, among the training digits.

# %%
cu.explore(G)

# %% [markdown]
# Where no kernel runs, as on GitHub, a still grid stands here: a row for each slider. If it stands in a running notebook, too,
# the widgets are missing: `python -m course_utils doctor` says what to install.
#
# You probably found that no slider has *one* meaning. The next part shows why.

# %% [markdown]
# ## Part 2: one coordinate means little
#
# *About 10 minutes.* Each picture depends on all 64 numbers. Take one z and let a single coordinate run through some
# values, while all others stay.
#
# **Exercise 06.1.** From one latent z `(dim,)` make as many copies as there are values `(count,)`, and put the values into the
# coordinate `index` of the copies. Return `(count, dim)`; z itself must stay as it is.


# %%
def sweep(z, index, values):
    # BEGIN SOLUTION
    path = z.repeat(len(values), 1)
    path[:, index] = values
    return path
    # END SOLUTION


sweep = check(sweep, "06.1")

# %% [markdown]
# Six coordinates of one z, each from −3 to 3: a row each. **What to expect:** many rows hardly change, and a row that does
# changes the digit, not its thickness or its slant.


# %%
@torch.no_grad()
def draw(latents):
    """The pictures (N, 1, 28, 28) of latents (N, 64)."""
    return torch.cat([G(part) for part in latents.split(500)])


z = torch.randn(64)
values = torch.linspace(-3, 3, 13)
rows = [draw(sweep(z, index, values)) for index in range(6)]

# %% tags=["figure:coordinates"]
show_images(
    torch.cat(rows),
    nrow=len(values),
    titles="One coordinate a row, from -3 to 3",
    alt="Six rows of 13 generated digits. In each row one coordinate of the latent runs from -3 to 3, and most rows "
    "change little.",
    kind="fake",
)

# %% [markdown]
# A number for it: by how much do pixels, which are in [−1, 1], change on average when a coordinate grows by one standard
# deviation, which is 1? And by how much when z is replaced by another z?

# %%
many = torch.randn(200, 64)
one_more = torch.eye(64)
changes = torch.stack([(draw(many + step) - draw(many)).abs().mean() for step in one_more])
another = (draw(torch.randn(200, 64)) - draw(many)).abs().mean()
print(f"one coordinate: {changes.mean():.3f} (from {changes.min():.3f} to {changes.max():.3f})")
print(f"another latent: {another:.3f}")

# %% [markdown]
# So 64 coordinates share the work, and none of them is much. Nothing in the game asks for meaning: turn the whole space,
# let the first layer turn it back, and G draws the same digits from the same noise. Directions that matter exist; they
# lie across the axes. Part 5 finds them.

# %% [markdown]
# ## Part 3: how long is a latent?
#
# *About 10 minutes.* For the way from one digit to another we must know where latents lie. A coordinate is mostly near 0. Is the
# whole vector near 0, too? Its squared length is the sum of the squares of its coordinates:
#
# $$|z|^2 = z_1^2 + z_2^2 + \dots + z_{dim}^2$$

# %% [markdown]
# Each square has the same mean, the *mean square*. For normal noise it is 1. For uniform noise in [−1, 1) it is
# $\tfrac12 \int_{-1}^{1} z^2\,dz = \tfrac13$.
#
# **Exercise 06.2.** The root of the mean of |z|², for `dim` coordinates and the kind "normal" or "uniform". A formula
# for plain numbers (`math.sqrt`), no sampling.


# %%
def typical_length(dim, kind):
    # BEGIN SOLUTION
    mean_square = {"normal": 1, "uniform": 1 / 3}[kind]
    return math.sqrt(dim * mean_square)
    # END SOLUTION


typical_length = check(typical_length, "06.2")

# %% [markdown]
# **Before you run the cell:** of 10,000 latents with 64 coordinates, how many have less than half the typical length?

# %%
lengths = {}
for dim, kind in [(2, "normal"), (64, "normal"), (64, "uniform")]:
    lengths[dim, kind] = cu.sample_noise(10_000, dim, kind).norm(dim=1)
    typical = typical_length(dim, kind)
    short = (lengths[dim, kind] < typical / 2).sum()
    print(
        f"{kind}, {dim} coordinates: typically {typical:.2f}; less than half of it: {short} of 10,000"
    )

# %% tags=["figure:lengths"]
figure = Figure(figsize=(7, 2.8))
axis = figure.subplots()
styles = [(cu.REAL, "-", ""), (cu.FAKE, "--", "//"), (cu.G_COLOUR, ":", "..")]
for ((dim, kind), length), (colour, line, hatch) in zip(lengths.items(), styles, strict=True):
    axis.hist(
        length,
        bins=80,
        range=(0, 12),
        density=True,
        histtype="stepfilled",
        alpha=0.45,
        facecolor=colour,
        edgecolor=colour,
        linestyle=line,
        hatch=hatch,
        label=f"{kind}, {dim} coordinates",
    )
axis.set(xlabel="length of a latent", ylabel="density")
axis.legend()
cu.show_figure(
    figure,
    "Histograms of lengths. With 2 coordinates they spread from 0 to 4; with 64 they stand in a narrow peak far from "
    f"0, at {typical_length(64, 'normal'):.1f} for normal and {typical_length(64, 'uniform'):.1f} for uniform noise.",
)

# %% [markdown]
# In many dimensions a random vector is nearly always about as long as every other: latents lie in a thin **shell**, and the
# middle of the space is empty. G has hardly ever seen a z from there.

# %% [markdown]
# ## Part 4: from one digit to another
#
# *About 15 minutes.* The straight line from a to b is *linear interpolation*: at t = 0 it is at a, at t = 1 at b.
#
# $$z(t) = (1 - t)\,a + t\,b$$
#
# **Exercise 06.3.** The latents `(count, dim)` at all `t` `(count,)` at once. A row for each t: `t[:, None]` makes a
# column of it.


# %%
def lerp(a, b, t):
    # BEGIN SOLUTION
    t = t[:, None]
    return (1 - t) * a + t * b
    # END SOLUTION


lerp = check(lerp, "06.3")

# %% [markdown]
# Two random latents stand nearly at a right angle. The line between two points on a sphere cuts through its inside; halfway it is
# down to about |z|/√2. The **arc** stays on the sphere. With α the angle between a and b, *spherical interpolation* is
#
# $$z(t) = \frac{\sin((1 - t)\,\alpha)\;a + \sin(t\,\alpha)\;b}{\sin \alpha}$$

# %% [markdown]
# **Exercise 06.4.** The same shapes as before. The cosine of α is the dot product of a and b, each divided by its
# length. Rounding may push it over 1, where `acos` gives NaN: `.clamp(-1, 1)`.


# %%
def slerp(a, b, t):
    # BEGIN SOLUTION
    cosine = torch.dot(a / a.norm(), b / b.norm())
    angle = torch.acos(cosine.clamp(-1, 1))
    t = t[:, None]
    return (torch.sin((1 - t) * angle) * a + torch.sin(t * angle) * b) / torch.sin(angle)
    # END SOLUTION


slerp = check(slerp, "06.4")

# %%
a, b = torch.randn(2, 64)
t = torch.linspace(0, 1, 13)
for name, path in {"line": lerp(a, b, t), "arc": slerp(a, b, t)}.items():
    print(f"{name}: lengths {[round(length, 1) for length in path.norm(dim=1)[::3].tolist()]}")

# %% tags=["figure:paths"]
starts, ends = torch.randn(2, 3, 64)
ways = [way(a, b, t) for a, b in zip(starts, ends, strict=True) for way in (lerp, slerp)]
show_images(
    draw(torch.cat(ways)),
    nrow=len(t),
    titles="Three pairs of latents: each on the line, then on the arc",
    alt="Six rows of 13 generated digits, two for each of three pairs: the first digit turns into the last one, on the line "
    "and on the arc.",
    kind="fake",
)

# %% [markdown]
# Both ways turn one digit into the other. Look at the strokes in the middle: on the lines they are a little thicker. Do not trust
# the eye with three pairs: lesson 5 has a number for this. How far are **all middles** from real digits?

# %%
count = by_profile(short=2000, cpu=5000, gpu=5000)
first, second = torch.randn(2, count, 64)
half = torch.tensor([0.5])
middles = {
    "random latents": first,
    "middles of lines": torch.cat([lerp(a, b, half) for a, b in zip(first, second, strict=True)]),
    "middles of arcs": torch.cat([slerp(a, b, half) for a, b in zip(first, second, strict=True)]),
}
seen = {name: extract(draw(latents)) for name, latents in middles.items()}

# %%
for name, features in seen.items():
    distance = cu.frechet_classifier_distance(features, floor=False)
    mean = draw(middles[name]).mean()
    print(f"{name}: distance {float(distance):.1f}, mean pixel {mean:.3f}")

# %% [markdown]
# **What you should see:** middles of arcs are as good as any sample, and
# middles of lines are clearly worse. The mean pixel, or **ink**, says in which way: there is too much of it. So the difference is real, though
# small in any single picture: this G copes well with latents that are a little short.

# %% [markdown]
# And **uniform** noise? It fills a cube, not a ball. The line between two points of a cube stays inside it; the arc may
# leave it. On the shipped MLP of lesson 1, trained with uniform noise, arcs are the better way all the same. Here, too, the length matters more:

# %%
G_mlp = cu.load_pretrained("mlp_logits")
first, second = cu.sample_noise(2 * count, 96, "uniform").split(count)
for name, way in {"lines": lerp, "arcs": slerp}.items():
    middle = torch.cat([way(a, b, half) for a, b in zip(first, second, strict=True)])
    outside = (middle.abs() > 1).float().mean()
    distance = float(cu.frechet_classifier_distance(G_mlp(middle), floor=False))
    print(
        f"middles of {name}: distance {distance:.1f}; {outside:.0%} of coordinates outside the cube"
    )

# %% [markdown]
# ## Part 5: directions that matter
#
# *About 15 minutes.* Look at what G does first with z: its first layer gives 2,048 numbers, the *activations*. Over many z, these do
# not vary alike in all directions. The ones in which they vary most are their **principal components**, and what moves
# them in latent space is what G listens to (Härkönen et al. 2020, *GANSpace*).

# %%
layers = G[:5]  # up to the first ReLU
latents = torch.randn(by_profile(short=300, cpu=2000, gpu=2000), 64)
with torch.no_grad():
    activations = layers(latents).flatten(1)
print([type(layer).__name__ for layer in layers], tuple(activations.shape))

# %% [markdown]
# **Exercise 06.5.** Three steps. (1) Subtract from each activation its mean over the samples. Of these *centred* activations
# `torch.linalg.svd(centred, full_matrices=False)` gives three results, U, S and Vh. The axes are the **rows of the third**,
# Vh, the most important first. (2) The coordinates along the first `count` axes: centred activations times axes, `(N, count)`.

# %% [markdown]
# (3) Back to latent space: the direction that belongs to a coordinate is the sum of all latents, each weighted by its
# coordinate. Divide each direction by its length. Return `(count, dim)`; the sign of a direction is arbitrary.


# %%
def principal_directions(latents, activations, count):
    # BEGIN SOLUTION
    centred = activations - activations.mean(dim=0)
    _, _, axes = torch.linalg.svd(centred, full_matrices=False)
    coordinates = centred @ axes[:count].T
    directions = coordinates.T @ latents
    return directions / directions.norm(dim=1, keepdim=True)
    # END SOLUTION


principal_directions = check(principal_directions, "06.5")

# %%
directions = principal_directions(latents, activations, 6)
for name, steps in {"coordinates": torch.eye(64)[:6], "directions": directions}.items():
    changes = [(draw(many + step) - draw(many)).abs().mean() for step in steps]
    print(f"six {name}: pixels change by {torch.stack(changes).mean():.3f}")

# %% [markdown]
# A step of the same length changes nearly three times as much. Beside each other, coordinates above and directions below. **What
# to expect:** changes of the digit, and some rows in which one digit tilts or widens.


# %%
def follow(z, direction, values):
    """z with its part along a direction of length 1 replaced by each of the values."""
    return z - z @ direction * direction + values[:, None] * direction


values = torch.linspace(-3, 3, 13)
by_coordinate = [draw(sweep(z, index, values)) for index in range(3)]
by_direction = [draw(follow(z, direction, values)) for direction in directions]

# %% tags=["figure:directions"]
show_images(
    torch.cat(by_coordinate + by_direction),
    nrow=len(values),
    titles="Three coordinates, then the first six directions, from -3 to 3",
    alt="Nine rows of 13 generated digits. In the first three a coordinate runs from -3 to 3 and little changes; in the "
    "six below the latent moves along a principal direction and digits turn into others, tilt or widen.",
    kind="fake",
)

# %% [markdown]
# The window has this built in. Its switch turns the sliders into directions; here they are from the start. Try again:
# **which slider tilts the digit?** Press *New* and see whether it still does.

# %%
cu.explore(G, space="directions", seed=5)

# %% [markdown]
# Directions are found without labels, and most of them mean a mixture of things. For a direction with a *name* you have to say
# what you want.

# %% [markdown]
# ## Part 6: arithmetic with digits
#
# *About 15 minutes.* "Thick minus thin": the mean latent of thick digits minus the mean latent of thin ones is a direction from thin
# to thick, if there is one. As thickness we take the ink, the mean pixel.
#
# **Exercise 06.6.** From latents `(N, dim)` and a score each `(N,)`: the mean of the tenth of the latents with the highest scores
# minus the mean of the tenth with the lowest. A tenth is `len(scores) // 10`; `scores.argsort()` gives the order.


# %%
def attribute_direction(latents, scores):
    # BEGIN SOLUTION
    order = scores.argsort()
    tenth = len(scores) // 10
    return latents[order[-tenth:]].mean(dim=0) - latents[order[:tenth]].mean(dim=0)
    # END SOLUTION


attribute_direction = check(attribute_direction, "06.6")

# %%
pool = torch.randn(by_profile(short=1000, cpu=20_000, gpu=20_000), 64)
pictures = draw(pool)
ink = pictures.mean(dim=(1, 2, 3))
more_ink = attribute_direction(pool, ink)
print(f"mean pixel of all: {ink.mean():.3f}, standard deviation {ink.std():.3f}")

# %% [markdown]
# Add it to some digits, and subtract it. **Before you run the cell:** what will happen?

# %%
features = extract(pictures)
sure = features.logits.softmax(dim=1).amax(dim=1) > 0.99  # clear digits only
places = [(sure & (features.classes == digit)).nonzero()[0, 0] for digit in (2, 3, 5, 8)]
some = pool[torch.stack(places)]
amounts = torch.linspace(-1, 1, 9)


def add(latents, direction):
    """A row for each latent: plus -1 to 1 times the direction."""
    return torch.cat([latent + amounts[:, None] * direction for latent in latents])


# %% tags=["figure:ink"]
show_images(
    draw(add(some, more_ink)),
    nrow=len(amounts),
    titles="A 2, a 3, a 5 and an 8, less ink to the left and more to the right",
    alt="Four rows of nine generated digits, the original in the middle. From left to right the white grows; which digits "
    "they are read as, the next cell counts.",
    kind="fake",
)

# %%
clear = pool[sure][:1000]
for amount in (-1, 0, 1):
    found = extract(draw(clear + amount * more_ink)).classes
    shares = torch.bincount(found, minlength=10) / len(clear)
    print(f"{amount:+}: {shares[1]:.0%} are read as 1, {shares[0]:.0%} as 0")

# %% [markdown]
# G did what we asked for, not what we meant. The digits with the least ink are 1s, and those with the most are 0s: our direction is
# mostly "0 minus 1". To get *thickness*, compare digits that differ in little else: choose among those of **one
# class**.

# %%
threes = features.classes == 3
thicker = attribute_direction(pool[threes], ink[threes])
before = extract(draw(clear)).classes
print(f"{threes.sum()} of {len(pool)} latents give a 3")
for name, direction in {"ink of all": more_ink, "ink of 3s": thicker}.items():
    for amount in (-0.5, 0.5):
        moved = draw(clear + amount * direction)
        same = (extract(moved).classes == before).float().mean()
        print(f"{name}, {amount:+}: mean pixel {moved.mean():.3f}, {same:.0%} are read as before")

# %% [markdown]
# At about the same ink, fewer digits lose what they are. And the direction comes from 3s alone, while most of these digits are none: that is
# the arithmetic, thick 3 − thin 3 + thin 2 = thick 2.

# %% tags=["figure:thickness"]
show_images(
    draw(add(some, thicker)),
    nrow=len(amounts),
    titles="The same four, thinner to the left and thicker to the right",
    alt="Four rows of nine generated digits, the original in the middle: strokes are thin on the left and thick on the right; "
    "far out some turn into another digit.",
    kind="fake",
)

# %% [markdown]
# Far out the direction no longer holds: it is a mean over 3s, and a straight line sooner or later ends at other digits. Half a
# step is safer than a whole one.

# %% [markdown]
# ## Part 7: where is this digit?
#
# *About 15 minutes.* G goes from z to pictures. For the way back, from a given picture to its z, there is no network, but there is what
# has trained all of ours: gradients. Only this time the weights stay, and **z** moves, until G(z) looks like the target.

# %% [markdown]
# **Exercise 06.7.** Start from a copy of z `(1, dim)` that requires gradients; the z that came stays as it is, and so do G's
# weights. Take `steps` steps on the mean squared difference between G(z) and the target. Return the copy detached.

# %% [markdown]
# The optimiser is `torch.optim.Adam([z], lr=lr)`, z being your copy, made **once, before the loop**. Adam remembers earlier
# steps, and that carries it along narrow valleys. Plain SGD has no such memory, and an Adam made anew in each step has
# forgotten everything: the check refuses both.


# %%
def find_latent(G, target, z, steps, lr):
    # BEGIN SOLUTION
    z = z.clone().requires_grad_()
    solver = torch.optim.Adam([z], lr=lr)
    for _ in range(steps):
        loss = (G(z) - target).square().mean()
        solver.zero_grad()
        loss.backward()
        solver.step()
    return z.detach()
    # END SOLUTION


find_latent = check(find_latent, "06.7")

# %% [markdown]
# Six real test digits, which G has never seen. Start each from five places and keep the best: a search like this gets stuck
# easily. **What to expect:** less than half a minute, and most digits hit well.

# %%
test_set = cu.load_mnist("test")
targets = test_set.images[:6].float() / 127.5 - 1
steps, starts = by_profile(short=(5, 2), cpu=(200, 5), gpu=(200, 5))


def error(z, target):
    return (draw(z) - target).square().mean().item()


results = [
    [find_latent(G, target[None], torch.randn(1, 64), steps, lr=0.1) for _ in range(starts)]
    for target in targets
]

# %%
best = []
for target, tries in zip(targets, results, strict=True):
    errors = [error(z, target) for z in tries]
    best.append(tries[errors.index(min(errors))])
    texts = [f"{value:.3f}" for value in errors]
    print("errors", "  ".join(texts), f" length of the best {best[-1].norm():.1f}")
found = torch.cat(best)

# %% tags=["figure:found"]
show_images(
    torch.cat([targets, draw(found), (targets - draw(found)) / 2]),
    nrow=6,
    titles="Real test digits, what was found, the difference",
    alt="Three rows of six: real handwritten digits, the pictures of the latents that were found for them, nearly the same, "
    "and their difference, mostly grey.",
)

# %% [markdown]
# Compare the tries in a row: the same target, another start, sometimes ten times the error. And look at the lengths: some latents
# are far outside the shell. The search went where no training noise ever was to draw a stroke that G does not
# have at home.

# %% [markdown]
# Once you have the z of a real digit, all of this lesson works on it. Thinner and thicker versions of real
# digits, by the direction of part 6:

# %% tags=["figure:edited"]
show_images(
    draw(add(found[:4], thicker)),
    nrow=len(amounts),
    titles="Four real digits, found and then made thinner and thicker",
    alt="Four rows of nine: in the middle a real digit as G draws it, to the left thinner, to the right thicker.",
    kind="fake",
)

# %% [markdown]
# ## Part 8: what does D say on the way?
#
# *About 10 minutes.* D has seen many fakes, but always from random z. Ask it along a path. (Here with the pair `dcgan_rotated`,
# which learned from turned digits: its D tells real digits from fakes. The path goes from a clear 2 to a clear 7.)
#
# **Exercise 06.8.** D's probability of being real for each latent of a path `(count, dim)`, as `(count,)`. D gives logits.
# Here nothing is trained: return plain numbers, computed under `torch.no_grad()`.


# %%
def belief_along(G, D, path):
    # BEGIN SOLUTION
    with torch.no_grad():
        return torch.sigmoid(D(G(path))).flatten()
    # END SOLUTION


belief_along = check(belief_along, "06.8")

# %%
turned = cu.load_pretrained("dcgan_rotated")
D = cu.load_pretrained("dcgan_rotated", part="D")
latents = torch.randn(500, 64)
read_as = extract(turned(latents)).logits.softmax(dim=1)
two, seven = latents[read_as[:, 2].argmax()], latents[read_as[:, 7].argmax()]

# %%
t = torch.linspace(0, 1, 61)
path = slerp(two, seven, t)
belief = belief_along(turned, D, path)
fakes = belief_along(turned, D, torch.randn(500, 64)).mean()
with torch.no_grad():
    reals = torch.sigmoid(D(test_set.images[:500].float() / 127.5 - 1)).mean()
print(f"on average: real digits {reals:.2f}, samples {fakes:.2f}, this path {belief.mean():.2f}")

# %% tags=["figure:belief"]
figure = Figure(figsize=(8, 3.2))
strip, axis = figure.subplots(2, 1, height_ratios=(1, 3))
pictures = turned(path[::5])
strip.imshow(torch.cat(list(pictures[:, 0]), dim=1).numpy(), cmap="gray", aspect="equal")
strip.axis("off")
axis.plot(t, belief, color=cu.D_COLOUR, label="D along the arc")
axis.axhline(reals, color=cu.REAL, linestyle="--", label="real digits, on average")
axis.axhline(fakes, color=cu.FAKE, linestyle=":", label="samples, on average")
axis.set(xlabel="t", ylabel="D: real", ylim=(0, 1.02), xlim=(0, 1))
axis.legend(loc="lower left", fontsize=8)
cu.show_figure(
    figure,
    f"Digits along an arc, and below them what D believes: between {belief.min():.2f} and {belief.max():.2f}; real digits get "
    f"{reals:.2f} on average, samples {fakes:.2f}.",
)

# %% [markdown]
# D falls where the picture is between two digits, and also at places where you and I see nothing wrong. It judges
# what *it* learned to look at. Do not read its number as beauty.
#
# In the window D is a bar. Can you find a picture that you like and D does not?

# %%
cu.explore(turned, discriminator=D, space="directions", seed=2)

# %% [markdown]
# ## Part 9: your own GAN
#
# *About 5 minutes.* If you ran lesson 2 on this machine (or with your Drive), it left a generator in the runs folder. Here it is in the
# window. If there is none, the shipped one of the same kind stands in, and the cell says so.


# %%
def load_own():
    """The averaged generator that lesson 2 kept last, or None."""
    folders = list(cu.get_runs_folder().glob("lesson02_rotated-*"))
    for folder in sorted(folders, key=lambda f: f.stat().st_mtime, reverse=True):
        state, _ = load_newest(folder)
        own = build_strided_generator(64)
        try:
            own.load_state_dict(state["averaged"])
        except (TypeError, RuntimeError):  # an empty folder, or a network of another shape
            print(f"{folder.name} holds no generator that fits")
            continue
        return own.eval()
    return None


# %%
own = load_own()
if own is None:
    print("no run of lesson 2 here: the shipped dcgan_rotated stands in")
    own = cu.load_pretrained("dcgan_rotated")
cu.explore(own, noise_dim=64, noise="normal", space="directions")

# %% [markdown]
# Any generator can be explored: `cu.explore(G, noise_dim=..., noise="uniform" or "normal")`. It looks at a copy, so training may go on.
# This one learned from turned digits: is there a slider that turns?

# %% [markdown]
# ## Part 10: send it to a friend
#
# *About 10 minutes.* A generator is only weights, and a browser can multiply. `cu.share` writes one HTML file with sliders that needs no
# Python and no network. The weights are inside, as text: 2 bytes each (half precision), in *base64*, which writes
# each group of 3 bytes as 4 characters and fills up the last group.

# %% [markdown]
# **Exercise 06.9.** How many characters do `count` weights take?


# %%
def base64_size(count):
    # BEGIN SOLUTION
    return 4 * math.ceil(2 * count / 3)
    # END SOLUTION


base64_size = check(base64_size, "06.9")

# %%
folder = cu.get_runs_folder()
folder.mkdir(parents=True, exist_ok=True)
path = cu.share(own, folder / "my_gan.html", noise_dim=64, noise="normal", title="My first GAN")
weights = cu.count_params(build_strided_generator(64))
print(f"{weights:,} weights take {base64_size(weights):,} characters")
print(f"the file has {path.stat().st_size:,}: the rest is the page and its sliders")

# %% [markdown]
# Open the file by a double click: `my_gan.html` in the runs folder (in Colab: the folder icon on the left, then download). It works
# on a phone, too. Nothing in it asks any server for anything, and anybody who has the file has your weights.

# %% [markdown]
# ## When it goes wrong
#
# | what you see | what it usually is | what helps |
# | --- | --- | --- |
# | a still grid instead of sliders | no kernel, or no widgets | run the cell; `python -m course_utils doctor` |
# | red broken chains, `Error displaying widget: model not found`, or sliders that move and nothing happens | the kernel has ended since | run the cells above, then this cell |
# | red `NameError: name 'check' is not defined`, or another name | the kernel was restarted, or cells ran out of order | JupyterLab: Run > Run All Above Selected Cell; Colab: Runtime > Run before |
# | sliders lag | the server waits before it sends | start by `make lab` |
# | `generator: expected one that takes latent vectors` | another size of noise | `noise_dim=` |
# | pictures look washed out | the wrong noise, or a G in train mode elsewhere | `noise="normal"` or `"uniform"` |
# | `find_latent` ends at a blot | a bad start | more starts, more steps |
# | `share` refuses a layer | the page cannot compute it | the message lists what it can |

# %% [markdown]
# ## Questions
#
# Think first, then unfold.
#
# <details><summary>A latent of zeros is the most likely single point of the normal distribution. Why do samples never look like G(0)?</summary>
#
# The density is highest there, but there is hardly any room: nearly all of the volume, and so nearly all samples,
# lie in the shell at √dim.
#
# </details>

# %% [markdown]
# <details><summary>Why may principal directions change when you train the same network again from another seed?</summary>
#
# Nothing ties an axis of the noise to a meaning, so every training chooses anew what lies where. Even what a direction mixes
# may differ.
#
# </details>

# %% [markdown]
# <details><summary>The direction from ink turned digits into 0s. Which other score would fail in the same way?</summary>
#
# Any that the class decides: the number of holes, the width, how round it is. Compare within a class, or subtract what
# the class explains.
#
# </details>

# %% [markdown]
# <details><summary>You find the z of a photograph of your cat in a generator of digits. What will G(z) look like?</summary>
#
# Like whatever G can draw that has the smallest squared error: bright blots where the cat is bright. The search always
# gives an answer; the error tells you that it is a poor one.
#
# </details>

# %% [markdown]
# ## Summary
#
# - One coordinate means little; directions that matter lie across the axes, and the first activations show them.
# - In many dimensions latents lie in a shell. Arcs stay on it, lines cut through it, and that costs quality.
# - Mean of these minus mean of those is a direction; it means what the two groups differ in, all of it.
# - With gradients on z instead of the weights, you find a given picture in G, if G has it.

# %% [markdown]
# ## What comes next
#
# So far you take what G gives, and search for what you want. **One thing to try before:** find a direction for *slant*. As score, take how
# far the upper half of the ink lies to the right of the lower half, within one class.
