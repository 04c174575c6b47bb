# %% [markdown]
# # Lesson 3: least squares
#
# The loss is where the game is decided: it says how hard each mistake pulls. In this lesson you replace
# cross-entropy by squares, find out what that changes and what it does not, and learn when a
# comparison of two trainings means anything. Both losses in one picture, *from our run:*
#
# ![Four panels: the losses of D and of G against the score, and below them their gradients; cross-entropy flattens out, least squares does not](../docs/figures/03_gradients.png)

# %% [markdown]
# **What you need to know:** lesson 1 (logits, the two losses) and the convolutions of lesson 2. What a
# derivative is.
#
# **What it takes:** about an hour and a half of yours with the exercises, and of the machine, measured on
# real runs of the solved edition:
#
# <!-- measured -->

# %% [markdown]
# **The exercises** work as in lesson 1. Each asks for a *new* result: leave the arguments as they are, and
# let gradients through, unless the text says otherwise. An answer sets no seed and changes no
# settings. The check tries more cases than the text names.

# %%
import itertools
from fractions import Fraction
from statistics import median

import torch
from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatter
from torch import nn
from torch.nn import functional as F

import course_utils as cu
from course_utils import by_profile, check, show_grids
from course_utils.metrics import extract
from course_utils.models import build_strided_discriminator, build_strided_generator
from course_utils.results import load_results

cu.start("03")
cu.set_seed(3)
device = cu.get_device()

# %% [markdown]
# ## Part 1: satisfied too soon
#
# *About 15 minutes.* With logits, D(x) = sigmoid(s). Lesson 1 used three terms: −log D(x) for D on a real image,
# −log(1 − D(G(z))) for D on a fake, and −log D(G(z)) for G on a fake. How hard does each of them pull at the score
# s of one image?

# %% [markdown]
# The first and the third are log(1 + e⁻ˢ), which PyTorch calls `softplus(-s)`; the second is log(1 + eˢ),
# `softplus(s)`. The derivative of log(1 + eˢ) is eˢ / (1 + eˢ) = sigmoid(s). The chain rule gives the
# other one: −sigmoid(−s), which is the same as sigmoid(s) − 1.

# %% [markdown]
# **Exercise 03.1.** For scores of any shape, return the gradient of each term by the score, each score by
# itself (no mean): D on a real image, D on a fake, G on a fake.


# %%
def bce_gradients(scores):
    # BEGIN SOLUTION
    belief = torch.sigmoid(scores)
    return belief - 1, belief, belief - 1
    # END SOLUTION


bce_gradients = check(bce_gradients, "03.1")

# %% [markdown]
# Derived by hand is not yet right: autograd computes the same from the losses themselves.
#
# <details><summary>When yours is right: what do the three have in common?</summary>
#
# All three are **sigmoid(s) minus the label**.
#
# </details>

# %% tags=["nbval-check-output"]
scores = torch.tensor([-6.0, -2.0, 0.0, 2.0, 6.0], requires_grad=True)
terms = {
    "D on a real image": F.softplus(-scores),
    "D on a fake": F.softplus(scores),
    "G on a fake": F.softplus(-scores),
}
for (name, term), by_hand in zip(terms.items(), bce_gradients(scores.detach())):
    (slope,) = torch.autograd.grad(term.sum(), scores)
    print(f"{name:18s}", [f"{value:6.3f}" for value in by_hand.tolist()])
    print("    autograd agrees:", torch.allclose(slope, by_hand, atol=1e-6))

# %% [markdown]
# Read the last line from left to right. A fake that D rejects (s = −6) pulls G with nearly full force. A fake that
# D **believes** (s = 6) does not pull at all. That sounds right, until you ask what "believed" means.

# %% [markdown]
# D draws a **boundary**: on one side it says "real", on the other "fake". A fake far over on the real side
# may be nowhere near the data, and still D is sure of it. Its gradient is almost 0: nothing moves it. Mao et al.
# (2016, arXiv 1611.04076) proposed another loss for this reason.

# %% [markdown]
# ### One number in place of a picture
#
# Let the real data be numbers around 3 and the fakes numbers around −3, both with standard deviation 1. The best D
# on logits is the logarithm of the ratio of both densities, −(x − 3)²/2 + (x + 3)²/2: the straight line **s = 6x**. Its boundary
# is at 0.

# %% [markdown]
# Hold this D still, and let five fakes go down G's loss. By the chain rule, the gradient by the place x is the
# gradient by the score times the slope of the line.


# %%
def slide(places, slope, offset, gradients, lr, steps=100):
    """Let fakes move down G's loss, with D(x) = slope · x + offset held still; returns the paths."""
    paths = [places]
    for _ in range(steps):
        _, _, of_G = gradients(slope * paths[-1] + offset)
        paths.append(paths[-1] - lr * slope * of_G)
    return torch.stack(paths)


starts = torch.tensor([-4.0, -2.0, 0.5, 6.0, 8.0])
bce_paths = slide(starts, 6.0, 0.0, bce_gradients, lr=0.05)

# %%
for start, end in zip(starts.tolist(), bce_paths[-1].tolist()):
    print(f"from {start:5.1f} to {end:5.2f}   (the data are around 3)")

# %% [markdown]
# The first three end just past the boundary: there they are believed, and hardly move any more, though the data are further on. Those that began
# at 6 and 8 are believed from the start and stay. In a real game D would move, too. But **this** D has nothing more
# to say to them.

# %% [markdown]
# ## Part 2: least squares
#
# *About 15 minutes.* So let a score be too high, too. Give every kind of image a number that its score should
# have, and punish the **squared distance** to it. Mao et al. call the numbers a (fakes), b (real images) and c (what G
# wants for its fakes). With **E** for the mean over a batch:
#
# $$L_D = \tfrac12 E\,(D(x) - b)^2 + \tfrac12 E\,(D(G(z)) - a)^2 \qquad L_G = \tfrac12 E\,(D(G(z)) - c)^2$$

# %% [markdown]
# We take a = 0, b = 1, c = 1. **A score is now no logit and no probability**: it is any number, and no sigmoid comes after
# it. D's boundary is at ½, halfway between the labels.
#
# **Exercise 03.2, the loss of D.** Each batch has its own mean; the two may differ in length.


# %%
def ls_discriminator_loss(scores_real, scores_fake):
    # BEGIN SOLUTION
    loss_real = 0.5 * (scores_real - 1).square().mean()
    loss_fake = 0.5 * scores_fake.square().mean()
    return loss_real + loss_fake
    # END SOLUTION


ls_discriminator_loss = check(ls_discriminator_loss, "03.2")

# %% [markdown]
# **Exercise 03.3, the loss of G.** Its fakes should score 1.


# %%
def ls_generator_loss(scores_fake):
    # BEGIN SOLUTION
    return 0.5 * (scores_fake - 1).square().mean()
    # END SOLUTION


ls_generator_loss = check(ls_generator_loss, "03.3")

# %% [markdown]
# A draw means that D says ½ to everything. Then each half of D's loss is ½ · (½)² = ⅛. **New numbers to
# remember**: ¼ for D and ⅛ for G, where cross-entropy had 1.386 and 0.693.

# %% tags=["nbval-check-output"]
half = torch.full((4, 1), 0.5)
print(f"at a draw: D {ls_discriminator_loss(half, half):.3f}, G {ls_generator_loss(half):.3f}")
sure = torch.ones(4, 1), torch.zeros(4, 1)
print(f"D sure and right: D {ls_discriminator_loss(*sure):.3f}, G {ls_generator_loss(sure[1]):.3f}")

# %% [markdown]
# Look at the second line: with D perfectly right, G's loss is ½, and its gradient is as alive as ever.
#
# **Exercise 03.4.** The gradients of the three terms by the score, in the same order as before: D on a real image, D
# on a fake, G on a fake.


# %%
def ls_gradients(scores):
    # BEGIN SOLUTION
    return scores - 1, scores, scores - 1
    # END SOLUTION


ls_gradients = check(ls_gradients, "03.4")

# %% [markdown]
# <details><summary>When yours is right: what is the difference to cross-entropy?</summary>
#
# **Score minus label**: where cross-entropy has sigmoid(s) minus the label, least squares has s itself. That is the
# whole difference. It is also what the ½ is for: it cancels the 2 of the square.
#
# </details>

# %% [markdown]
# Now the picture from the top of the lesson. In the lower row, look at the right end: the gradient of
# cross-entropy on believed images goes to 0; that of least squares **passes through 0 at the label and changes its
# sign**. Too much belief pulls back.

# %%
axis_of_scores = torch.linspace(-5, 5, 201)
bce_losses = [F.softplus(-axis_of_scores), F.softplus(axis_of_scores), F.softplus(-axis_of_scores)]
ls_losses = [(axis_of_scores - label).square() / 2 for label in (1, 0, 1)]
rows = [
    ("loss", bce_losses, ls_losses, (-0.5, 6)),
    ("gradient by the score", bce_gradients(axis_of_scores), ls_gradients(axis_of_scores), (-3, 3)),
]
looks = [("D, real image", cu.REAL, 0), ("D, fake", cu.FAKE, 0), ("G, fake", cu.G_COLOUR, 1)]

# %% tags=["figure:gradients"]
figure = Figure(figsize=(10, 6.4))
axes = figure.subplots(2, 2, sharex=True)
for panels, (what, bce, ls, limits) in zip(axes, rows):
    for (name, colour, column), of_bce, of_ls in zip(looks, bce, ls):
        marked = {"color": colour, "marker": "s" if "fake" in name else "o", "markevery": 25}
        panels[column].plot(axis_of_scores, of_bce, "-", label=f"{name}: cross-entropy", **marked)
        panels[column].plot(axis_of_scores, of_ls, "--", label=f"{name}: squares", **marked)
    for panel, player in zip(panels, "DG"):
        panel.axhline(0, color="grey", linewidth=0.8, linestyle=":")
        panel.set(ylim=limits, title=f"{player}: {what}")
for panel in axes[1]:
    panel.set_xlabel("score s")
    panel.legend(fontsize=8, loc="upper left", handlelength=3.5)
figure.tight_layout()
cu.show_figure(
    figure,
    "Losses of D and of G against the score, and their gradients below. Cross-entropy (solid) is "
    "flat on one side, its gradient 0 there and at most 1 in size; squares (dashed) are parabolas "
    "around the labels 0 and 1, with straight lines as gradients.",
)

# %% [markdown]
# The left end tells the other half: a gradient that **grows without limit**. One badly scored image can outweigh the
# rest of its batch. Cross-entropy never pulls harder than 1.

# %% [markdown]
# ### The five fakes again
#
# What D does least squares want for the numbers around 3 and −3? Among straight lines, it is linear
# regression on the labels 1 and 0. By hand it is s = 0.15x + ½; here it is fitted to points.

# %%
real, fake = 3 + torch.randn(20_000), -3 + torch.randn(20_000)
inputs = torch.stack([torch.cat([real, fake]), torch.ones(40_000)], dim=1)
labels = torch.cat([torch.ones(20_000), torch.zeros(20_000)])
slope, offset = torch.linalg.lstsq(inputs, labels[:, None]).solution.flatten().tolist()
ls_paths = slide(starts, slope, offset, ls_gradients, lr=2.0)
print(f"the line: s = {slope:.3f} x + {offset:.3f}; it says 1 at x = {(1 - offset) / slope:.2f}")

# %% [markdown]
# **What to expect:** on the left (cross-entropy) three paths end just past the boundary, and two lie still; on
# the right all five meet near the data, those from above as well. (Each panel has a step size that suits its
# scale: compare where the paths end, not how fast they are.) *From our run:*
#
# ![Paths of five fakes under each loss; with least squares all of them end near the data](../docs/figures/03_pull.png)

# %% tags=["figure:pull"]
figure = Figure(figsize=(9, 3.6))
panels = figure.subplots(1, 2, sharey=True)
sides = [("cross-entropy", bce_paths, 0), ("least squares", ls_paths, (0.5 - offset) / slope)]
for panel, (name, paths, boundary) in zip(panels, sides):
    panel.axhspan(2, 4, color=cu.REAL, alpha=0.2, label="real data, 3 ± 1")
    panel.axhline(boundary, color=cu.D_COLOUR, linestyle=":", label="D's boundary")
    lines = panel.plot(paths, color=cu.FAKE, marker="x", markevery=20)
    lines[0].set_label("a fake")
    panel.set(title=name, xlabel="step", ylim=(-4.5, 8.5))
panels[0].set_ylabel("place x")
panels[0].legend(fontsize=8, loc="lower right")
figure.tight_layout()
cu.show_figure(
    figure,
    "Five fakes moving down the loss of G. With cross-entropy those from below stop just above the "
    "boundary and those from above stay; with least squares all end at one place near the data.",
)

# %% [markdown]
# Be fair to cross-entropy: the line helped. A D that may bend freely could be flat around a far fake, and then
# its slope is 0, whatever the loss. Least squares mends the **first** factor of the chain rule, the gradient by the
# score. The second factor, D's own slope, is not in its hands.

# %% [markdown]
# ## Part 3: what the best D would say
#
# *About 10 minutes.* Lesson 1 asked this for cross-entropy, and the answer was p / (p + q), with p the density of real
# data at some place and q that of the fakes. Now with squares: at that place, D pays
#
# $$\tfrac12\, p\,(s - b)^2 + \tfrac12\, q\,(s - a)^2$$

# %% [markdown]
# for its score s. Where the derivative by s is 0, it pays least: p (s − b) + q (s − a) = 0. Solve for s.
#
# **Exercise 03.5.** Return the best score, for tensors p and q and for any labels a (fakes) and b (real).


# %%
def best_score(p, q, a, b):
    # BEGIN SOLUTION
    return (b * p + a * q) / (p + q)
    # END SOLUTION


best_score = check(best_score, "03.5")

# %% [markdown]
# Three pairs of densities, with two choices of labels. Compare the first line with the second. A perfect D would not care which of the
# two losses it was taught with.
#
# <details><summary>When yours is right: how can one read the formula?</summary>
#
# It is the mean of the labels, each weighed by its density. With a = 0 and b = 1 it is **p / (p + q)**: the same answer as
# with cross-entropy.
#
# </details>

# %% tags=["nbval-check-output"]
p, q = torch.tensor([0.4, 0.3, 0.1]), torch.tensor([0.1, 0.3, 0.4])
print("labels 0 and 1: ", [f"{s:.2f}" for s in best_score(p, q, 0, 1).tolist()])
print("p / (p + q):    ", [f"{s:.2f}" for s in (p / (p + q)).tolist()])
print("labels -1 and 1:", [f"{s:.2f}" for s in best_score(p, q, -1, 1).tolist()])

# %% [markdown]
# Other labels are possible. Take a = −1, b = 1, c = 0. Put the best score into the mean of (s − c)² over real data plus that over fakes, and
#
# $$\int \frac{(p - q)^2}{p + q}$$
#
# is left: the *Pearson χ² divergence* between p + q and 2q. It says how far the two densities differ, and is 0 only for
# p = q (Mao et al.; it needs b − c = 1 and b − a = 2).

# %% [markdown]
# ## Part 4: both losses, one machine
#
# *About 20 minutes, some of them waiting.* Now digits. The same networks, from the same seed, with the same digits in the same
# order: **only the loss differs**. We play it with two pairs: the MLPs, and strided convolutions with batch norm, which are
# small and fast.

# %%
mnist = cu.load_mnist(limit=by_profile(short=1280, cpu=None, gpu=None))
batch_size = 128
learning_rate = 1e-3
seed = 1
decay = by_profile(
    short=0.9, cpu=0.995, gpu=0.999
)  # of the average of G; short runs look back less
pairs = {  # the networks, the size of the noise, the epochs
    "MLP": (cu.build_discriminator, cu.build_generator, 96, by_profile(short=1, cpu=3, gpu=30)),
    "strided": (
        build_strided_discriminator,
        build_strided_generator,
        64,
        by_profile(short=1, cpu=2, gpu=20),
    ),
}

# %% [markdown]
# Three things go together in a **loss**: what D minimises, what G minimises, and how a score becomes the D(x) of the
# history. For logits that is the sigmoid; scores of least squares are shown as they are.

# %%
losses = {
    "cross-entropy": (cu.discriminator_loss, cu.generator_loss, torch.sigmoid),
    "least squares": (ls_discriminator_loss, ls_generator_loss, None),
}


# %%
def play(pair, loss):
    """Train one pair with one loss, always from the same seed; returns the history."""
    build_D, build_G, noise_size, epochs = pairs[pair]
    d_loss, g_loss, as_probability = losses[loss]
    cu.set_seed(seed)
    D, G = build_D().to(device), build_G(noise_size).to(device)
    D_solver, G_solver = cu.get_optimizer(D, learning_rate), cu.get_optimizer(G, learning_rate)
    loader = cu.BatchLoader(mnist, batch_size, device, drop_last=True, seed=seed)
    options = {"noise_size": noise_size, "as_probability": as_probability, "ema": decay}
    options |= {"num_epochs": epochs, "progress": True}
    return cu.run_a_gan(D, G, D_solver, G_solver, d_loss, g_loss, loader, **options)


# %% [markdown]
# **What to expect:** four runs, a few minutes on two cores, and rough digits at the end of each. Do not compare the heights of the
# losses: they are measured in different units. Compare how they move, and what comes out.

# %%
histories = {}
for pair in pairs:
    for loss in losses:
        histories[pair, loss] = history = play(pair, loss)
        print(f"{pair}, {loss}: {history.images_per_second:,.0f} digits a second")

# %% [markdown]
# The curves of the MLPs, cross-entropy first. The dotted lines are the draw, which for least squares is at ¼ and ⅛:
# `plot_losses` has to be told.

# %% tags=["figure:losses_bce"]
cu.plot_losses(histories["MLP", "cross-entropy"])

# %% tags=["figure:losses_ls"]
cu.plot_losses(histories["MLP", "least squares"], draw=(1 / 4, 1 / 8))

# %% [markdown]
# On the right of the second figure stand mean **scores**. Nothing holds them between 0 and 1, yet the loss pulls them
# there: real images to 1, fakes to 0. A mean outside that range for a while is no error; scores that run away are
# one.

# %% [markdown]
# Now 25 samples of each, from the averaged G, and from the same noise in both grids of a pair. *From our run:*
#
# ![Four grids of generated digits: two pairs of networks, each trained with cross-entropy and with least squares](../docs/figures/03_samples.png)


# %%
@torch.no_grad()
def draw_samples(pair, loss, count):
    """Samples of the averaged G, from the same noise for both losses, on the CPU."""
    cu.set_seed(4)
    noise = cu.sample_noise(count, pairs[pair][2]).to(device)
    return torch.cat([histories[pair, loss].averaged(part).cpu() for part in noise.split(500)])


samples = {key: draw_samples(*key, 2000) for key in histories}

# %% tags=["figure:samples"]
show_grids(
    [
        (cu.label_run(f"{pair}, {loss}", histories[pair, loss], "\n"), images[:25])
        for (pair, loss), images in samples.items()
    ],
    "Four grids of 25 generated digits: MLPs and strided convolutions, each with cross-entropy and "
    "with least squares.",
    kind="fake",
)

# %% [markdown]
# Which grid is best? Decide with your eyes first. Then look at the distance of lesson 5 and the classes that come up, from 2,000 samples each
# (smaller is better; in brackets stands what real test digits get):

# %%
seen = {key: extract(images) for key, images in samples.items()}  # what the classifier sees
scores = {key: cu.frechet_classifier_distance(features) for key, features in seen.items()}
for (pair, loss), score in scores.items():
    print(f"{pair}, {loss}")
    print("   ", score)
    print("   ", cu.class_coverage(seen[pair, loss]))

# %% [markdown]
# **Which loss won?** You see a smaller number and a larger one. Before you believe it: change `seed` to 2, run part 4
# again, and look whether the order stays. A GAN from another seed is another run, and two runs of **one** loss differ as
# well.

# %% [markdown]
# ## Part 5: one seed says nothing
#
# *About 15 minutes.* So train each several times. That takes too long
# for a notebook, but it has been done: this command trains every recipe of the course from three seeds and stores
# what came out, and the cell below reads it.
#
# `python -m course_utils results`

# %% [markdown]
# A **recipe** is a training with a name. `mlp_logits` and `mlp_ls` are the MLPs of part 4; `dcgan` and `dcgan_ls`
# have a D with max pooling. The rows below are of the profile `cpu`. One recipe alone trains with `python -m course_utils train mlp_ls`, or `train dcgan_ls`.

# %%
duels = [("mlp_logits", "mlp_ls"), ("dcgan", "dcgan_ls")]
runs = {name: [] for duel in duels for name in duel}
for row in load_results():
    if row["recipe"] in runs and row["profile"] == "cpu" and row["main"]:
        runs[row["recipe"]].append(row)


def get_distances(name):
    """The distance of each seed; a run that broke down has none, and counts as endlessly far."""
    return [float("inf") if r["distance"] is None else r["distance"] for r in runs[name]]


# %% [markdown]
# One row a recipe: the distance of each seed, their **median** (the middle one), in how many classes the **worst** seed has
# at least 5 % of its samples (an equal share would be 10 %), and the median of the minutes.

# %%
print(
    f"{'recipe':12s} {'distances of the seeds':26s} {'median':>7s} {'classes':>8s} {'minutes':>8s}"
)
for name, made in runs.items():
    if made:
        distances = get_distances(name)
        each = "  ".join(f"{distance:7.1f}" for distance in distances)
        reached = min(sum(share >= 0.05 for share in run["shares"]) for run in made)
        minutes = median(run["minutes"] for run in made)
        print(f"{name:12s} {each:26s} {median(distances):7.1f} {reached:8d} {minutes:8.1f}")

# %% [markdown]
# When may you say that one is better? A plain rule: if **every** seed of one is below **every** seed of the
# other. Where the ranges overlap, it is undecided.
#
# **Exercise 03.6.** Given two lists of distances, return `"first"`, `"second"` (the one that is better) or
# `"undecided"`.


# %%
def compare(first, second):
    # BEGIN SOLUTION
    if max(first) < min(second):
        return "first"
    if max(second) < min(first):
        return "second"
    return "undecided"
    # END SOLUTION


compare = check(compare, "03.6")

# %%
verdicts = {"undecided": "undecided: the ranges overlap"}
for first, second in duels:
    if runs[first] and runs[second]:
        names = {"first": f"{first} is lower", "second": f"{second} is lower"} | verdicts
        print(
            f"{first} against {second}: {names[compare(get_distances(first), get_distances(second))]}"
        )

# %% [markdown]
# In the runs stored with this text, least squares was lower from every seed with the **MLPs**. With the **convolutions** it is
# undecided: there the seeds of one loss differ more than the losses do. So "least squares is better" is true of one
# pair, and an open question for the other.

# %% [markdown]
# How strong is such a verdict? Suppose both losses were **equally good**, so that any order of the six distances is as
# likely as any other. How often would all three of one come out below all three of the other? Let us count, with your own
# rule.

# %% tags=["nbval-check-output"]
for seeds in (1, 2, 3, 4, 5):
    ranks = set(range(2 * seeds))
    splits = [(chosen, ranks - set(chosen)) for chosen in itertools.combinations(ranks, seeds)]
    decided = sum(compare(list(one), list(other)) != "undecided" for one, other in splits)
    print(f"{seeds} seeds each: {decided} of {len(splits)} orders look decided")

# %% [markdown]
# With one seed each, chance **always** names a winner. With three it does so in 2 of 20 cases, one in ten: 2 · (3! 3!) / 6!.
# That is weak. A verdict from three seeds is a reason to train five. "Undecided" is no proof that both are equal,
# either.

# %% [markdown]
# The whole way there: distance against minutes, one line a seed. Look for two things: whether the bundles of lines
# **part**, and whether one of them gets there sooner. *From our run:*
#
# ![Distance against minutes of training, one line a seed, for cross-entropy and least squares](../docs/figures/03_curves.png)

# %% tags=["figure:curves"]
figure = Figure(figsize=(10, 3.8))
styles = [("-", "o", cu.D_COLOUR), ("--", "s", cu.G_COLOUR)]
for panel, duel in zip(figure.subplots(1, 2), duels):
    for name, (line, marker, colour) in zip(duel, styles):
        look = {"color": colour, "linestyle": line, "linewidth": 0.9, "markersize": 4}
        for number, run in enumerate(run for run in runs[name] if run["curve"]):
            minutes, _, distances = zip(*run["curve"])
            label = name if number == 0 else None
            panel.plot(minutes, distances, marker=marker, label=label, **look)
    panel.set(xlabel="minutes of training", ylabel="distance", yscale="log")
    panel.yaxis.set_major_formatter(LogFormatter())
    panel.yaxis.set_minor_formatter(LogFormatter())
    if any(runs[name] for name in duel):
        panel.legend()
figure.tight_layout()
cu.show_figure(
    figure,
    "Distance against minutes of training, a thin line for each seed: on the left the MLPs, on the "
    "right the convolutions; solid with circles for cross-entropy, dashed with squares for least "
    "squares.",
)

# %% [markdown]
# This is about these networks, these digits and this length of training, and about nothing else. A loss that is
# lower here may be higher on faces. What carries over is the **way of asking**: change one thing, keep the rest, several
# seeds, a rule that was fixed beforehand.

# %% [markdown]
# ## Part 6: why the losses go in circles
#
# *About 20 minutes.* Whatever the loss, the curves of a GAN go to and fro. The smallest game that does so has two numbers. The data
# are a single number, 0. G is a number x: its only fake. D is a slope y, and scores a place z by −y·z.

# %% [markdown]
# The real one always scores 0, and the fake −x·y. D wants that low, so it moves y to make **x·y larger**. G wants it high, so it
# moves x to make **x·y smaller**. One function f(x, y) = x·y; one player goes down in it, the other goes up.

# %% [markdown]
# At (0, 0) neither has a reason to move: the fake is where the data are, and D is flat. That is the solution, a **saddle**. The
# classic question: do the two get there, if each follows its own slope?

# %% [markdown]
# **Exercise 03.7.** Both move at once, each from the old place: x down and y up, by lr times their slope. (The
# slope of x·y along x is y, along y it is x.) Return the new x and y.


# %%
def simultaneous_step(x, y, lr):
    # BEGIN SOLUTION
    return x - lr * y, y + lr * x
    # END SOLUTION


simultaneous_step = check(simultaneous_step, "03.7")

# %% [markdown]
# Square and add: (x − lr·y)² + (y + lr·x)² = (1 + lr²)(x² + y²). The mixed terms cancel. So in **every** step the distance to the
# solution grows by the factor √(1 + lr²), for any lr. They never get there: they spiral outwards.

# %% [markdown]
# Your loop in lesson 1 did not do this, though: D learned first, and G answered the **new** D.
#
# **Exercise 03.8.** The players take turns: first x moves, then y moves and sees the new x.


# %%
def alternating_step(x, y, lr):
    # BEGIN SOLUTION
    x = x - lr * y
    y = y + lr * x
    return x, y
    # END SOLUTION


alternating_step = check(alternating_step, "03.8")

# %% [markdown]
# One small difference, another fate. Here **x² + y² − lr·x·y** stays the same for ever. Try it on paper: put
# y + lr·x′ for the new y, x′ + lr·y for the old x, and everything else cancels. For lr below 2 that curve is a closed
# ellipse, for a small lr nearly a circle.

# %% [markdown]
# Is "the same" exact, or only about? Python's `Fraction` computes without rounding. Fifty steps of each kind from
# (1, 0), with lr = 1/5:


# %%
def walk(step, x, y, lr, count):
    """The places of `count` steps, with the start."""
    places = [(x, y)]
    for _ in range(count):
        places.append(step(*places[-1], lr))
    return places


# %% tags=["nbval-check-output"]
lr = Fraction(1, 5)
spiral = walk(simultaneous_step, Fraction(1), Fraction(0), lr, 50)
loop = walk(alternating_step, Fraction(1), Fraction(0), lr, 50)
x, y = spiral[-1]
print("both at once: x² + y² is (1 + lr²)^50:", x**2 + y**2 == (1 + lr**2) ** 50)
print(
    "in turns: x² + y² - lr·x·y is 1 at each step:",
    {x**2 + y**2 - lr * x * y for x, y in loop} == {1},
)

# %% [markdown]
# ### Averaging
#
# In turns they do not get closer, but they do not get away, either: they go round the solution. So the solution is
# the **centre**, and the mean of all places of a turn lies close to it. Below, the running mean of all places so far is drawn,
# too.

# %%
turns = 4
steps = round(turns * 2 * torch.pi / 0.2)  # a turn takes about 2π / lr steps
spiral = torch.tensor(walk(simultaneous_step, 1.0, 0.0, 0.2, steps // 2))
loop = torch.tensor(walk(alternating_step, 1.0, 0.0, 0.2, steps))
means = loop.cumsum(dim=0) / torch.arange(1, len(loop) + 1)[:, None]
print(f"both at once: from distance 1 to {spiral[-1].norm():.2f} in {steps // 2} steps")
print(f"in turns: between {loop.norm(dim=1).min():.2f} and {loop.norm(dim=1).max():.2f}")
print(f"the mean of all {steps} places: {means[-1].norm():.3f} from the solution")

# %% [markdown]
# **What to expect:** on the left a spiral; in the middle a closed loop, and the mean that winds inwards to the
# cross at (0, 0); on the right x·y against the step, which goes up and down and never settles. That third panel is
# what the loss curves of a GAN look like. *From our run:*
#
# ![Paths of both players: a spiral outwards, a closed loop with its mean at the centre, and the value of x times y swinging](../docs/figures/03_circles.png)

# %% tags=["figure:circles"]
figure = Figure(figsize=(11, 3.8))
left, middle, right = figure.subplots(1, 3)
left.plot(*spiral.T, color=cu.D_COLOUR, marker=".", label="both at once")
middle.plot(*loop.T, color=cu.G_COLOUR, linewidth=0.8, marker=".", label="in turns")
middle.plot(*means.T, "k--", linewidth=1.5, label="running mean")
for panel in (left, middle):
    panel.plot(1, 0, "ko", label="start")
    panel.plot(0, 0, "k+", markersize=12, label="solution")
    panel.set(xlabel="x (G)", ylabel="y (D)", aspect="equal")
right.plot(loop.prod(dim=1), color=cu.G_COLOUR, label="x·y, in turns")
right.plot(means.prod(dim=1), "k--", label="x·y of the mean")
right.set(xlabel="step", ylabel="x·y")
for panel in (left, middle, right):
    panel.legend(fontsize=8, loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2, frameon=False)
figure.tight_layout()
cu.show_figure(
    figure,
    "Left: both players at once spiral away from the solution. Middle: in turns they stay on a "
    "closed loop, and their running mean ends at the centre. Right: x·y swings without end, that of "
    "the mean goes to 0.",
)

# %% [markdown]
# That is why averaged weights (`ema`, lesson 1) give calmer samples than any single G: the newest G is somewhere **on** the circle, the
# average is nearer to its centre. It has to look back over whole turns for that; a shorter one only lags behind.

# %% [markdown]
# How far does this carry? A real game is not x·y: its curves also have slopes that pull inwards, and batches that throw about. But near a solution
# each player's slope depends on **where the other one stands**, and this part of the game turns. No loss of this lesson takes
# it away.

# %% [markdown]
# ## When it goes wrong
#
# | what you see | what it usually is | what helps |
# | --- | --- | --- |
# | losses in the thousands with least squares | scores run away: squares have no limit | a smaller learning rate; `cu.diagnose(history)` |
# | d_loss stays at 0.25, samples are noise | D says ½ to everything: it learns nothing | is D in its solver? is the learning rate far too small? |
# | least squares learns very slowly | D still ends in a sigmoid | scores are raw: remove it |
# | D(x) stays between 0.5 and 0.73 all the time | the history shows the sigmoid of a score | `as_probability=None` |
# | the dotted lines do not fit | those of cross-entropy | `plot_losses(history, draw=(1/4, 1/8))` |
# | today the other loss wins | another seed | several seeds, and a rule fixed beforehand |
# | red `NameError: name 'check' is not defined`, or another name | the kernel was restarted, or cells ran out of order | JupyterLab: Run > Run All Above Selected Cell; Colab: Runtime > Run before |
# | the stop button ■ during the four runs | it ends the cell | run the cell again: it trains all four |

# %% [markdown]
# ## Questions
#
# Think first, then unfold.
#
# <details><summary>Least squares gave 0.2 and cross-entropy 1.3 as loss of D. Which D is better?</summary>
#
# Nobody can tell: the two are in different units. Compare each with its own draw (0.25 and 1.386), and the samples by a
# distance.
#
# </details>

# %% [markdown]
# <details><summary>Can the gradient of G vanish with least squares?</summary>
#
# Yes. By the score it is 0 only at score 1. But D may be flat around the fakes (say 0 everywhere near them): then D's own
# slope is 0, and so is the product.
#
# </details>

# %% [markdown]
# <details><summary>In the game x·y, does a smaller learning rate cure the spiral?</summary>
#
# No, it only slows it down. The factor √(1 + lr²) is above 1 for every lr. Per turn, of about 2π/lr steps, it comes to
# about exp(π·lr): closer to 1, never below.
#
# </details>

# %% [markdown]
# <details><summary>And if both players went down in x·y?</summary>
#
# Then they would help each other: the saddle is left along the line y = −x, where x·y falls without end. It is a solution
# only of a game in which one wants it low and the other high.
#
# </details>

# %% [markdown]
# <details><summary>Three seeds of A are all below three of B. Someone tried ten such pairs and shows you this one. Now what?</summary>
#
# By chance alone, one in ten looks like that. Ask for new seeds of this one pair, or for all ten results.
#
# </details>

# %% [markdown]
# ## Summary
#
# - Cross-entropy: gradient sigmoid(s) − label; it ends where D is sure. Least squares: s − label; too sure pulls back.
# - A draw is ¼ and ⅛. Scores are raw: no sigmoid, `as_probability=None`.
# - The best D says p / (p + q) in both.
# - One seed says nothing, three seeds little. Fix the rule first.
# - Two players in turn go round the solution; the average lies nearer to it.

# %% [markdown]
# ## What comes next
#
# All digits so far were grey, and of one size. Lesson 4 goes on to colour; lesson 5 builds the distance that you
# used here. **One thing to try before:** labels a = −1, b = 1, c = 0 for the MLPs. What are the losses at a draw
# then?
