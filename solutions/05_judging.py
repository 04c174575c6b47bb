# %% [markdown]
# # Lesson 5: how good is it?
#
# Lesson 1 ended with pictures and with curves, and neither told you how good the generator is. Here you
# build numbers that do, find out what each of them cannot see, and learn to name what goes wrong
# in a training. *From our run*, with a distance to real digits over its samples:
#
# ![Four grids of samples from the same noise at growing numbers of steps, each with its distance to real digits](../docs/figures/05_growth.png)

# %% [markdown]
# **What you need to know:** lesson 1; what a mean and a covariance are. No matrix theory beyond
# eigenvalues.
#
# **What it takes:** about an hour and a half of yours with the exercises, and of the machine, measured on
# real runs of the solved edition:
#
# <!-- measured -->

# %% [markdown]
# **The exercises** work as in lesson 1. Each asks for a *new* result: leave the arguments as they are, and
# let gradients through, unless the text says otherwise. An answer draws no random numbers and changes no
# settings. The check tries more cases than the text names.

# %%
import html
import math

import torch
from IPython.display import HTML
from matplotlib.figure import Figure
from torch import nn
from torch.nn import functional as F

import course_utils as cu
from course_utils import by_profile, check, gallery, show_grids, show_images
from course_utils.metrics import extract, load_judge
from course_utils.models import build_leaky_generator

cu.start("05")
cu.set_seed(5)
device = cu.get_device()

# %% [markdown]
# ## Part 1: why eyes and losses do not tell
#
# *About 10 minutes.* Eyes are good at one picture and bad at ten thousand: they do not notice that the 4
# never comes up, or that all the 7s are the same 7. And they get used to what they see. So we need a number
# that is computed from many samples at once.

# %% [markdown]
# First something to judge. We train a pair of MLPs as lesson 1 ended: on logits, and with the weights of G averaged
# (`ema=0.999`). A **callback** is a function that the training calls now and then. Ours is a **dashboard**: one
# figure, updated in place, with curves, samples and the numbers of this lesson. At the end you can read all of it.

# %%
train_set = cu.load_mnist("train", limit=by_profile(short=1280, cpu=None, gpu=None))
loader = cu.BatchLoader(train_set, batch_size=64, drop_last=True)
D = cu.build_discriminator().to(device)
G = build_leaky_generator(96).to(device)
D_solver, G_solver = cu.get_optimizer(D), cu.get_optimizer(G)
epochs = by_profile(short=1, cpu=6, gpu=30)

# %% [markdown]
# **What to expect:** less than a minute on two cores. The bars of the classes begin as one tall bar and
# become a row of ten. The distance first climbs, as the grey fog of the averaged G is further from digits than
# noise is; then it falls to below a hundred. The losses only go up and down.

# %% tags=["figure:dashboard"]
history = cu.run_a_gan(
    D,
    G,
    D_solver,
    G_solver,
    cu.discriminator_loss,
    cu.generator_loss,
    loader,
    num_epochs=epochs,
    ema=0.999,
    show_every=by_profile(short=5, cpu=100, gpu=1000),
    callbacks=[cu.LiveDashboard(share=0.2)],  # of the time, a fifth at most
)

# %% [markdown]
# Look at the losses alone. Where in these curves did noise become digits, and where did G stop getting
# better? They do not show it: that is what "the losses do not tell" means.

# %% tags=["figure:losses"]
cu.plot_losses(history)

# %% [markdown]
# ## Part 2: let a classifier look
#
# *About 15 minutes.* Pixels are bad at comparing pictures: move a digit by two pixels, and most pixels
# change, though nothing has happened. A classifier that was trained to read digits has learned what
# matters in them. The course ships a small one. It is asked two things: **which digit** is this, and
# **what do you see** in it (its last layer before the answer, 128 numbers, the *features*).

# %%
judge = load_judge("mnist")
print(judge)
print("trained with:", judge.facts["command"])

# %%
test_set = cu.load_mnist("test")
order = torch.randperm(len(test_set))  # the first half of MNIST's test digits is easier
real = test_set.images[order[: by_profile(short=2000, cpu=5000, gpu=5000)]]
real_seen = extract(real)
print(real_seen, tuple(real_seen.values.shape), tuple(real_seen.logits.shape))

# %% [markdown]
# And as many samples of our G, from new noise, a few hundred at a time.


# %%
@torch.no_grad()
def draw_samples(count):
    """Samples (count, 1, 28, 28) of the averaged G, on the CPU."""
    noise = cu.sample_noise(count, 96).to(device)
    return torch.cat([history.averaged(part).cpu() for part in noise.split(500)])


samples = draw_samples(len(real))
samples_seen = extract(samples)

# %% [markdown]
# ### Sure of each, and of all kinds
#
# A good set of samples makes the classifier **sure of each** digit, and **all classes** come up. One number
# for both is the formula of the *Inception score* (Salimans et al. 2016): let p(y|x) be the classifier's
# probabilities for sample x, and p(y) their mean over all samples. Then
#
# $$\text{score} = \exp\; \tfrac1N \sum_x \sum_y p(y|x)\,\log\frac{p(y|x)}{p(y)}$$

# %% [markdown]
# The sum over y is the Kullback-Leibler divergence of p(y|x) from p(y). If every p(y|x) equals p(y), the score
# is 1. If each sample is surely one class and all ten come up equally often, it is 10.
#
# **Exercise 05.1.** Compute it from probabilities `(N, C)`, one row a sample.


# %%
def classifier_score(probabilities):
    # BEGIN SOLUTION
    overall = probabilities.mean(dim=0)
    divergence = (probabilities * (probabilities / overall).log()).sum(dim=1)
    return divergence.mean().exp()
    # END SOLUTION


classifier_score = check(classifier_score, "05.1")

# %% [markdown]
# In float32 the softmax of a very sure classifier holds an exact 0, and 0 · log 0 is NaN. In float64 that does not
# happen here, so we convert first. (`cu.classifier_score` uses `torch.xlogy`, which knows that 0 · log 0 is 0.)

# %%
for name, seen in {"real digits": real_seen, "samples": samples_seen}.items():
    probabilities = seen.logits.double().softmax(dim=1)
    print(f"{name}: score {classifier_score(probabilities):.2f} of 10")

# %% [markdown]
# Now fool it. Take **ten real digits**, one of each class, and hand them out again and again. A generator that
# does this knows ten pictures. **Before you run the cell:** what will its score be?

# %%
first = [int((real_seen.classes == digit).nonzero()[0]) for digit in range(10)]
parrot = real_seen[torch.tensor(first).repeat(100)]
print(f"ten digits, repeated: {classifier_score(parrot.logits.double().softmax(dim=1)):.2f}")

# %% [markdown]
# As good as the real ones. The score never looks at a real picture, and it does not see that the ten
# are always the same. It is a fair first glance, no more.

# %% [markdown]
# ### Which classes come up?
#
# The simplest question about **mode collapse**: of which classes are the samples? With the share q of each
# class, the divergence from equal shares is
#
# $$\mathrm{KL} = \sum_y q_y \log \frac{q_y}{1/10}$$
#
# It is 0 for equal shares, and log 10 = 2.30 if only one class is left.

# %% [markdown]
# **Exercise 05.2.** From the classes `(N,)` that the classifier sees, numbers from 0 to 9, return the ten
# shares and the divergence. A class that never comes up has share 0, and must not give NaN:
# `torch.xlogy(x, y)` is x · log y, and 0 where x is 0.


# %%
def spread_of_classes(classes):
    # BEGIN SOLUTION
    shares = torch.bincount(classes, minlength=10) / len(classes)
    kl = torch.xlogy(shares, 10 * shares).sum()
    return shares, kl
    # END SOLUTION


spread_of_classes = check(spread_of_classes, "05.2")

# %% tags=["figure:classes"]
figure = Figure(figsize=(7, 2.8))
axis = figure.subplots()
for shift, (name, seen, colour, hatch) in enumerate(
    [("real", real_seen, cu.REAL, ""), ("samples", samples_seen, cu.FAKE, "//")]
):
    shares, kl = spread_of_classes(seen.classes)
    label = f"{name}: KL {kl:.3f}"
    places, heights = [digit + 0.4 * shift for digit in range(10)], shares.tolist()
    axis.bar(places, heights, 0.4, color=colour, hatch=hatch, label=label, edgecolor="white")
axis.set(xlabel="class", ylabel="share", xticks=range(10), ylim=(0, 0.3))
axis.legend(loc="upper right")
cu.show_figure(
    figure,
    "The share of each of the ten classes: about a tenth each among real digits; among the samples "
    f"from {shares.min():.0%} to {shares.max():.0%}.",
)

# %% [markdown]
# ## Part 3: a distance between two clouds
#
# *About 20 minutes.* Every picture is now a point with 128 coordinates. The real digits are one cloud of points,
# the samples another. How far are the clouds apart? Fit a Gaussian to each, and compare the
# two Gaussians.
#
# **Exercise 05.3.** The mean `(D,)` and the covariance `(D, D)` of features `(N, D)`, with N − 1 in the
# denominator.


# %%
def fit_gaussian(features):
    # BEGIN SOLUTION
    mean = features.mean(dim=0)
    centred = features - mean
    covariance = centred.T @ centred / (len(features) - 1)
    return mean, covariance
    # END SOLUTION


fit_gaussian = check(fit_gaussian, "05.3")

# %% [markdown]
# The **Fréchet distance** of two Gaussians with means m₁, m₂ and covariances C₁, C₂ is
#
# $$|m_1 - m_2|^2 + \mathrm{tr}\,C_1 + \mathrm{tr}\,C_2 - 2\,\mathrm{tr}\,(C_1 C_2)^{1/2}$$
#
# tr is the **trace**, the sum of the diagonal, and X^½ the matrix whose product with itself is X. The first term
# compares where the clouds are, the rest how they spread. If both spreads are equal, the rest is 0: (C C)^½ = C.

# %% [markdown]
# The root of a matrix is the part where programs go wrong, so here is a safe way. The trace is the sum of
# the eigenvalues, so what we need is the **sum of the roots of the eigenvalues of C₁C₂**. That product is
# not symmetric. But write C₁ = A Aᵀ: then Aᵀ C₂ A has the same eigenvalues, and it is symmetric.
#
# And A is easy: with `values, vectors = torch.linalg.eigh(C1)`, it is `vectors * values.sqrt()`.

# %% [markdown]
# **Exercise 05.4.** Return tr (C₁C₂)^½. Rounding can make an eigenvalue that should be 0 slightly negative, and
# its root NaN: use `.clamp(min=0)` before each root. `torch.linalg.eigvalsh` gives the eigenvalues of a
# symmetric matrix.


# %%
def root_trace(cov1, cov2):
    # BEGIN SOLUTION
    values, vectors = torch.linalg.eigh(cov1)
    root = vectors * values.clamp(min=0).sqrt()
    return torch.linalg.eigvalsh(root.T @ cov2 @ root).clamp(min=0).sqrt().sum()
    # END SOLUTION


root_trace = check(root_trace, "05.4")

# %% [markdown]
# **Exercise 05.5.** Put the distance together, from both means and both covariances. Use your `root_trace`.


# %%
def frechet_distance(mean1, cov1, mean2, cov2):
    # BEGIN SOLUTION
    between = (mean1 - mean2).square().sum()
    return between + cov1.trace() + cov2.trace() - 2 * root_trace(cov1, cov2)
    # END SOLUTION


frechet_distance = check(frechet_distance, "05.5")

# %% [markdown]
# The distance of our samples to **all 60,000 training digits**, whose mean and covariance are stored beside the
# classifier. In float64: the terms are large and nearly cancel.

# %%
train_mean, train_covariance = judge.moments["train"]
mean, covariance = fit_gaussian(samples_seen.values.double())
by_hand = frechet_distance(mean, covariance, train_mean, train_covariance)
of_the_course = cu.frechet_classifier_distance(samples_seen)
print(f"by hand: {by_hand:.2f}")
print(of_the_course)

# %% [markdown]
# With Inception's features this number is called FID (Heusel et al. 2017). Ours is on the features of our own
# classifier: it works for digits and without a download of 90 MB, but its values cannot be
# compared with any FID. So it has a name of its own: **Fréchet classifier distance**.
#
# ### What is a good value?
#
# Real digits, too, are some way from other real digits. What as many **real test digits** get is the **floor**:
# no generator needs to be better. That is why the course prints it beside every value.

# %% [markdown]
# How the number falls with training: the grids below come from the fixed noise of the run above, and the
# dashboard kept the distance of 2,000 samples whenever it had time to look. Where a grid shows grey fog, eyes
# forgive it; the number does not, as no real digit has any. Differences of a few points are chance.

# %% tags=["figure:growth"]
noted = {s: v for s, v in zip(history.step, history.extra["distance"]) if v == v}
seen_at = [(step, images) for step, images in history.samples if step in noted]
chosen = [seen_at[i * (len(seen_at) - 1) // 3] for i in range(4)]
show_grids(
    [(f"step {step}: distance {noted[step]:,.0f}", images) for step, images in chosen],
    "Four grids of samples from the same noise, from the start of the training to its end, each "
    f"with its distance: {', '.join(f'{noted[step]:,.0f}' for step, _ in chosen)}.",
    kind="fake",
)

# %% [markdown]
# ### Does it see what we see?
#
# Before you trust a number, spoil some real digits on purpose, a little and then more, and look whether it grows.
# Here with noise; `tests/test_metrics_images.py` does the same with blur, black boxes, shifts,
# missing classes and coarse pixels.

# %% tags=["figure:noise"]
count = by_profile(short=100, cpu=2000, gpu=2000)
clean = real[:count].float() / 127.5 - 1
spoiled = []
for strength in (0.0, 0.2, 0.4, 0.8):
    noisy = (clean + strength * torch.randn_like(clean)).clamp(-1, 1)
    distance = cu.kernel_classifier_distance(noisy, floor=False)
    spoiled.append((f"noise {strength}: {distance:,.2f}", noisy[:25]))
show_grids(
    spoiled,
    "Four grids of real digits with growing noise; the distance over each grows with the noise.",
    kind="real",
)

# %% [markdown]
# That was already the *kernel* distance, which compares pictures in pairs; part 4 builds it. The next cell shows why there is a
# second distance.
#
# ### How many samples?
#
# Few samples make a poor covariance: with fewer than 128 of them, the cloud does not even fill its space.
# **What to expect:** the Fréchet distance of the very same G, and of real digits, at different counts.


# %%
def at_counts(distance, seen, counts):
    """The distance of the first samples, at several counts."""
    return [float(distance(seen[:count])) for count in counts]


def frechet(seen):
    mean, covariance = fit_gaussian(seen.values.double())
    return frechet_distance(mean, covariance, train_mean, train_covariance)


counts = [c for c in (50, 100, 200, 500, 1000, 2000, 5000) if c <= len(samples_seen)]
print(f"{'count':>11}" + "".join(f"{count:8,}" for count in counts))
for name, seen in {"samples": samples_seen, "real digits": real_seen}.items():
    print(f"{name:>11}" + "".join(f"{value:8.1f}" for value in at_counts(frechet, seen, counts)))

# %% [markdown]
# Look at the real digits: their distance **shrinks with the count**, though nothing has become better. For G the same
# few points hide in its much larger value, and in chance. So compare only at the same count. Below 2,000 samples the
# course warns you.

# %% [markdown]
# ## Part 4: a distance without that error
#
# *About 15 minutes.* The **kernel distance** (Bińkowski et al. 2018) compares pictures in pairs. A kernel
# k(a, b) is large where two pictures are alike; theirs is (a·b / D + 1)³, with D the number of features.

# %% [markdown]
# If samples x and real images y come from the same distribution, three averages are equal: k within the x, within
# the y, and between both. So
#
# $$d = \overline{k(x, x')} + \overline{k(y, y')} - 2\,\overline{k(x, y)}$$
#
# is 0 on average. Only the pairs of a picture **with itself** must be left out of the first two: they
# are as alike as can be, and would push d up.

# %% [markdown]
# **Exercise 05.6.** Compute d for features x `(N, D)` and y `(M, D)`. All kernels of a set with itself are one
# matrix product; its diagonal holds the pairs to leave out. There are N(N − 1) others.


# %%
def kernel_distance(x, y):
    # BEGIN SOLUTION
    def kernel(a, b):
        return (a @ b.T / a.shape[1] + 1) ** 3

    n, m = len(x), len(y)
    within_x = (kernel(x, x).sum() - kernel(x, x).trace()) / (n * (n - 1))
    within_y = (kernel(y, y).sum() - kernel(y, y).trace()) / (m * (m - 1))
    return within_x + within_y - 2 * kernel(x, y).mean()
    # END SOLUTION


kernel_distance = check(kernel_distance, "05.6")

# %% [markdown]
# Both distances of **real digits** against the count. Both should be 0. **What to expect:** one curve comes down from
# far above; the other lies around 0 from the start, only shakier on the left.

# %% tags=["figure:counts"]
train_seen = cu.get_reference("mnist").features("train", 2000).values.double()
pairs = {
    "Fréchet": (frechet, "o-", cu.D_COLOUR),
    "kernel": (lambda seen: kernel_distance(seen.values.double(), train_seen), "s--", cu.G_COLOUR),
}
figure = Figure(figsize=(7, 3))
axis = figure.subplots()
for name, (distance, style, colour) in pairs.items():
    axis.plot(counts, at_counts(distance, real_seen, counts), style, color=colour, label=name)
axis.set(xscale="log", xlabel="real digits", ylabel="distance")
axis.axhline(0, color="grey", linewidth=0.8, linestyle=":")
axis.legend()
cu.show_figure(
    figure,
    "Two curves against the number of real digits. The Fréchet distance (solid) falls towards 0 "
    "from far above; the kernel distance (dashed) is near 0 everywhere.",
)

# %% [markdown]
# The course's own version also gives, after the ±, a **standard error**: by how much the number is typically off by
# chance. A difference between two generators that is not much larger than that is no difference.

# %%
print(cu.kernel_classifier_distance(samples_seen))

# %% [markdown]
# ## Part 5: two ways to be bad
#
# *About 10 minutes.* A generator can make poor digits, or good ones of a few kinds only. One number mixes
# both. **Precision** asks: how many samples look real? **Recall** asks: how much of the real world can the
# samples show? (Kynkäänniemi et al. 2019)

# %% [markdown]
# Around every real image, imagine a ball that reaches to its k-th nearest neighbour among the real ones. A
# sample "looks real" if it lies inside at least one ball. Recall is the same with the roles swapped: balls around
# the samples, and the share of real images inside.
#
# **Exercise 05.7.** Return the precision. `torch.cdist(a, b)` is the table of distances `(len(a), len(b))`. An image
# is its own nearest neighbour, at distance 0.


# %%
def precision(real, samples, k):
    # BEGIN SOLUTION
    reach = torch.cdist(real, real).sort(dim=1).values[:, k]  # place 0 is the image itself
    inside = torch.cdist(samples, real) <= reach
    return inside.any(dim=1).float().mean()
    # END SOLUTION


precision = check(precision, "05.7")

# %% [markdown]
# Four sets against the same real digits: other real ones, our samples, and two that we build. The third knows
# only the digits 0 to 4, **but real ones**. The fourth knows all, under noise. **Before you run it:**
# which of the two numbers falls for the third, and which for the fourth?

# %%
half = len(real) // 2
known, rest = real_seen[:half].values, real_seen[half:]  # no picture is in both
others = real[half:]
noisy = others.float() / 127.5 - 1
noisy = (noisy + 0.5 * torch.randn_like(noisy)).clamp(-1, 1)
sets = {
    "real digits": rest.values,
    "samples of G": samples_seen.values[: len(others)],
    "real 0 to 4 only": rest[rest.classes < 5].values,
    "real, with noise": extract(noisy).values,
}
for name, values in sets.items():
    p, r = precision(known, values, k=3), precision(values, known, k=3)
    print(f"{name:18s} precision {p:.2f}   recall {r:.2f}")

# %% [markdown]
# The half that is missing costs **recall** and leaves precision alone; the noise costs **precision** (and recall, as the
# noisy cloud has moved away from the real one). Recall is `precision` with the two sets swapped: look
# at the cell again.

# %% [markdown]
# ## Part 6: has it only learned by heart?
#
# *About 10 minutes.* All numbers so far are perfect for a generator that hands out the **training set
# itself**. Nothing in them punishes copying. So look for the nearest training image of a few samples: a copy is found out.

# %% [markdown]
# **Exercise 05.8.** For each sample the place of the nearest training image and its distance, from pixels.
# `flatten(1)` makes rows of 784.


# %%
def nearest(samples, training):
    # BEGIN SOLUTION
    distances = torch.cdist(samples.flatten(1), training.flatten(1))
    return distances.argmin(dim=1), distances.amin(dim=1)
    # END SOLUTION


nearest = check(nearest, "05.8")

# %% [markdown]
# Ten samples, and below each its nearest training digit. **What to expect:** alike, but not the same: other
# strokes, other slants.

# %% tags=["figure:neighbours"]
training = train_set.images.float() / 127.5 - 1
places, distances = nearest(samples[:10], training)
show_images(
    torch.cat([samples[:10], training[places]]),
    nrow=10,
    titles="Samples (above) and their nearest training digits (below)",
    alt="Ten samples in the first row, the nearest training digit of each in the second: alike, "
    "but not the same.",
)

# %% [markdown]
# How near is too near? Ask how near **real test digits** are to the training set: they cannot be copies. If samples are
# much nearer than that, be suspicious. `cu.nearest_neighbours` also searches by features, which finds copies
# that were moved by a pixel.

# %%
few = by_profile(short=20, cpu=300, gpu=300)
for name, images in {"samples": samples, "test digits": real.float() / 127.5 - 1}.items():
    _, distances = nearest(images[:few], training)
    print(f"{name:12s} median distance to the nearest training digit {distances.median():.2f}")

# %% [markdown]
# Everything at once, with 5,000 samples and its floor: `cu.judge_samples`. Every recipe of the course (a training with a
# name, such as `mlp_logits`) prints this table at its end. The last two rows are new, and again made of balls around the
# **real** images, each to its k-th nearest neighbour (Naeem et al. 2020):

# %% [markdown]
# - **Density**: in how many balls a sample lies, on average, divided by k. It is about 1 for real images; an outlier
#   among them, with its huge ball, counts for less than it does in precision.
# - **Coverage**: the share of real images whose ball holds a sample. Like recall it falls when kinds are missing.

# %%
print(cu.judge_samples(samples_seen))

# %% [markdown]
# ## Part 7: the gallery
#
# *About 15 minutes.* Five trainings, all from seed 0. One is healthy, four have one fault each. The settings
# are hidden for once: you are the doctor. The possible causes:
#
# | cause | in words |
# | --- | --- |
# | `"healthy"` | the settings of lesson 1 |
# | `"collapsed"` | D learns too slowly for G |
# | `"D too strong"` | G hardly learns |
# | `"learning rate too high"` | for both players |
# | `"mixed batches"` | D has batch norm, and sees real and fake digits in one batch |

# %% [markdown]
# **What to expect:** five runs of 900 steps, one after the other; on two cores half a minute for all of them, on a busy
# machine a few minutes. Each has a bar. The stop button ■ ends the cell after the present step and keeps what there is.

# %%
steps = by_profile(short=20, cpu=900, gpu=900)
runs = {}
for number in gallery.CASES:
    runs[number] = gallery.play_case(number, steps)

# %% [markdown]
# Look at the last samples first, then at the curves. In the figure, each row is a run: on the left the losses, on the
# right what D believes.

# %% tags=["figure:gallery_samples"]
show_grids(
    [(f"run {number}", run) for number, run in runs.items()],
    "The last samples of five runs, a grid each. Run 1: grey and grainy. Run 2: white strokes on "
    "black. Run 3: blocks of black and white, the same in all. Run 4: a dotted shape, the same in "
    "all. Run 5: black and white grains.",
    kind="fake",
)

# %% tags=["figure:gallery_curves"]
figure = Figure(figsize=(9, 2.1 * len(runs)))
panels = figure.subplots(len(runs), 2, squeeze=False)
for (number, run), (left, right) in zip(runs.items(), panels):
    left.plot(run.step, run.d_loss, color=cu.D_COLOUR, label="loss of D")
    left.plot(run.step, run.g_loss, "--", color=cu.G_COLOUR, label="loss of G")
    right.plot(run.step, run.d_real, color=cu.REAL, label="D(x)")
    right.plot(run.step, run.d_fake, "--", color=cu.FAKE, label="D(G(z))")
    right.set_ylim(-0.05, 1.05)
    left.set_ylabel(cu.label_run(f"run {number}", run, "\n"))
    if number == 1:
        left.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, frameon=False)
        right.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, frameon=False)
figure.tight_layout()
ends = [
    f"run {number}: D(x) {run.d_real[-1]:.2f}, D(G(z)) {run.d_fake[-1]:.2f}, loss of G {run.g_loss[-1]:.1f}"
    for number, run in runs.items()
]
cu.show_figure(figure, f"Losses and beliefs of five runs. At the end, {'; '.join(ends)}.")

# %% [markdown]
# <details><summary>Hints, if you want them</summary>
#
# Is D sure of itself (D(x) = 1, D(G(z)) = 0)? Do the samples look like noise, like each
# other, or like digits? One run contradicts itself: D says "fake" with certainty in its own step, yet the loss of G
# is as small as if D were fooled.
#
# </details>

# %% [markdown]
# **Exercise 05.9.** Name the cause of each run: return a dict such as `{1: "healthy", 2: "...", 3: "...", 4: "...",
# 5: "..."}`, with the words of the table.


# %%
def diagnose_by_eye():
    # BEGIN SOLUTION
    return {
        1: "D too strong",
        2: "healthy",
        3: "learning rate too high",
        4: "collapsed",
        5: "mixed batches",
    }
    # END SOLUTION


diagnose_by_eye = check(diagnose_by_eye, "05.9")

# %% [markdown]
# ### The answers
#
# They stand folded below, until you click. With each cause comes what `cu.diagnose` reads from the same history: the
# **state** that a run is in. It does not know the cause: one state can have several, and "healthy" only means that no
# failure shows. `docs/verdicts.md` shows how often it is right.

# %%
lines = []
for number, run in runs.items():
    case = gallery.CASES[number]
    lines.append(f"run {number}: {case.cause} ({case.setup.what})")
    lines.append(f"    {cu.diagnose(run).headline}")
title, answers = "What the five runs were: click to see", html.escape("\n".join(lines))
HTML(f"<details><summary>{title}</summary><pre>{answers}</pre></details>")

# %% [markdown]
# <details><summary>Why these settings fail</summary>
#
# - **D too strong**: D is sure of every fake, so it is flat around them; G gets no direction.
# - **collapsed**: G finds one picture that the slow D likes, and all its samples run there. By the time D
#   has learned, G has the next one.
# - **learning rate too high**: both overshoot; the pixels saturate at black and white, and all samples end in the
#   same pattern. The state is a collapse, the cause is the rate.
#
# </details>

# %% [markdown]
# <details><summary>Why mixed batches fail</summary>
#
# Batch norm subtracts the mean of the batch. In D's step the batch holds both kinds, and D learns
# "above the mean is real". In G's step the batch is all fakes, so half of them lie above *their* mean: D
# looks fooled, and its gradient tells G nothing about real digits. Always show D real images and fakes **apart** if
# it has batch norm (`run_a_gan` does so by itself).
#
# </details>

# %% [markdown]
# The cure. For three of the causes it is the settings of lesson 1, from the same seed: that is the healthy run. For
# *mixed batches* it is to show D real images and fakes apart. **What to expect:** some ten seconds, and the beginnings
# of digits. They come slowly, under black and white grains that stay for long: batch norm makes this D stronger.

# %%
number = next(n for n, case in gallery.CASES.items() if case.cause == "mixed batches")
mended = gallery.play_case(number, steps, fixed=True)
print(gallery.CASES[number].fix.what)
print(cu.diagnose(mended).headline)

# %% tags=["figure:gallery_cured"]
show_grids(
    [("mixed batches, mended", mended.samples[-1][1])],
    "The last samples after the change: shapes of digits amid black and white grains.",
    kind="fake",
)

# %% [markdown]
# A last look at the run of part 1, from its first step to its last. Press play, or use the arrow keys.

# %%
cu.animate_samples(history)

# %% [markdown]
# ## When it goes wrong
#
# | what you see | what it usually is | what helps |
# | --- | --- | --- |
# | the distance is NaN | samples hold NaN, or a negative eigenvalue met a root | `cu.diagnose(history)`; `.clamp(min=0)` |
# | `it looks like [0, 1]` | pixels are scaled otherwise than G's | `images * 2 - 1` |
# | a distance of thousands after hours | grey or saturated samples | look at them; `cu.diagnose` |
# | two runs of one recipe differ by 10 % | chance: another seed is another run | train three seeds, give the spread |
# | samples of a G with batch norm differ with the batch | it is in train mode | `G.eval()` |
# | your value is not that of a paper | other features, other count | compare only with yourself |
# | red `NameError: name 'check' is not defined`, or another name | the kernel was restarted, or cells ran out of order | JupyterLab: Run > Run All Above Selected Cell; Colab: Runtime > Run before |
# | red broken chains, a dashboard or a player that does nothing | the kernel has ended since | run the cells above, then this cell |

# %% [markdown]
# ## Questions
#
# Think first, then unfold.
#
# <details><summary>Why does the Fréchet distance not reach 0 for real digits?</summary>
#
# Because two finite sets never have the same mean and covariance, and because the test digits were written
# by other people than the training digits.
#
# </details>

# %% [markdown]
# <details><summary>A generator gives one perfect digit of each class, always the same ten. Which numbers notice?</summary>
#
# Not the score, not the class coverage, not precision. Fréchet and kernel distance do (the cloud has shrunk to ten points), and
# recall is nearly 0.
#
# </details>

# %% [markdown]
# <details><summary>You choose, among 50 checkpoints, the one with the smallest distance. Is that number still honest?</summary>
#
# A little too good: of 50 tries one was lucky. Measure the chosen one again, on new samples.
#
# </details>

# %% [markdown]
# <details><summary>Why is the judge a classifier of digits, and not D itself?</summary>
#
# D is one of the players. It knows only this G, and G was trained to please it. A judge should not
# be in the game.
#
# </details>

# %% [markdown]
# ## Summary
#
# - Judge many samples at once, by features, and always beside the floor at the same count.
# - Fréchet: robust and well known, too high for few samples. Kernel: right on average, with an error bar.
# - Precision and recall tell poor pictures from missing ones; nearest neighbours find copies.
# - Read a failing run in this order: finite? started? D sure? samples alike? swinging?

# %% [markdown]
# ## What comes next
#
# You can tell a better generator from a worse one: now change things and measure. **One thing to try before:** train the first pair
# without `ema=0.999` and compare both distances, at three seeds each.
