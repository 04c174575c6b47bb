# %% [markdown]
# # Lesson 4: colour, and the truth about it (CIFAR-10)
#
# Digits were kind to you. Ten kinds of things in colour, seen from all sides, are not: this is the first
# data set on which a simple GAN struggles. You train the classic pair, find out with numbers why it is hard, and then
# measure what helps. These are samples of the CIFAR-10 pair that the course ships, none of them picked:
#
# ![A grid of 64 generated colour images of 32 by 32 pixels: things that look like animals, cars and ships, and many that look like nothing](../docs/figures/04_shipped.png)

# %% [markdown]
# **What you need to know:** lesson 2 (transposed convolutions, batch norm) and lesson 3 (seeds). Lesson 5 explains the
# distance that is used here.
#
# **What it takes:** about two hours of yours with the exercises, and of the machine, measured on
# real runs of the solved edition:
#
# <!-- measured -->

# %% [markdown]
# **The exercises** work as in lesson 1. Each asks for a *new* result: leave the arguments as they are, and
# let gradients through, unless the text says otherwise. An answer sets no seed and changes no
# settings. The check tries more cases than the text names.

# %%
import copy
import warnings

import torch
import torchvision
from matplotlib.figure import Figure
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

import course_utils as cu
from course_utils import by_profile, check, show_grids, show_images
from course_utils.data.catalog import CIFAR10
from course_utils.metrics import extract
from course_utils.recipes import get_recipe
from course_utils.results import load_results
from course_utils.results.ingredients import INGREDIENTS, VARIANTS, compare, get_distances

cu.start("04")
cu.set_seed(4)
device = cu.get_device()

# %% [markdown]
# ## Part 1: three colours, ten kinds of things
#
# *About 15 minutes.* CIFAR-10 has 50,000 small photographs to train on, 5,000 of each class. The line below says where yours came
# from. If no source could be reached, patches of two photographs stand in: the lesson runs all the same, and every figure
# says so.

# %%
train_set = cu.load_cifar10("train", limit=by_profile(short=640, cpu=None, gpu=None))
print(train_set.images.shape, train_set.images.dtype)

# %% [markdown]
# Four numbers for each batch, as before: N images, **C channels**, height, width. C was 1; now it is 3, one sheet each for red,
# green and blue. A pixel is three numbers, and its colour is how much of each light is switched on.

# %%
images, labels = next(iter(cu.BatchLoader(train_set, 256, device="cpu", seed=1)))
sheets = torch.full((4, 3, 32, 32), -1.0)
sheets[0] = images[0]
for channel in range(3):
    sheets[channel + 1, channel] = images[0, channel]
show_images(sheets, nrow=4, titles=["all", "red", "green", "blue"], kind="real")

# %% [markdown]
# Now some of each class. **Before you look on:** what do all horses have in common that you could write down as a rule about
# pixels?

# %%
count = len(train_set.classes)
rows = [images[labels == label][:8] for label in range(count)]
rows = [torch.cat([row, torch.full((8 - len(row), 3, 32, 32), -1.0)]) for row in rows]
print("top to bottom:", ", ".join(train_set.classes))
show_images(
    torch.cat(rows),
    nrow=8,
    alt=f"Real images, a row of eight for each class: {', '.join(train_set.classes)}.",
    kind="real",
)

# %% [markdown]
# Nothing. They stand left or right, near or far, brown or white, on grass or on snow. A digit is always in the middle, white on black. Here is a measure
# of it that you can see: the **mean image** of each class.

# %%
digit_set = cu.load_mnist("train", limit=by_profile(short=2000, cpu=None, gpu=None))


def mean_images(data):
    """The mean of all images of each class, in [-1, 1]."""
    classes = range(len(data.classes))
    means = [data.images[data.labels == label].float().mean(dim=0) for label in classes]
    return torch.stack(means) / 127.5 - 1


# %% tags=["figure:means"]
show_grids(
    [("MNIST", mean_images(digit_set)), ("CIFAR-10", mean_images(train_set))],
    "The mean image of each class. Those of the digits can be read; those of the photographs are "
    "blurs of brown, grey and blue.",
    kind="real",
)

# %% [markdown]
# The mean of all threes is still a three. The mean of all horses is a brown cloud on green. A generator that only got the **average**
# right would pass for half a success on digits. Here it has to understand arrangements: legs below a body, wheels below a
# car.

# %% [markdown]
# ### A grid that can be compared
#
# `torchvision.utils.make_grid` puts a batch together into one picture; `normalize=True` moves values to 0…1 for showing. Careful:
# without `value_range` it stretches **each batch** from its darkest to its brightest pixel, and two grids can no longer be
# compared.

# %% [markdown]
# **Exercise 04.1.** The first 16 of a batch in [−1, 1], in rows of 4, normalised with the range (−1, 1). It is used after each
# epoch below.


# %%
def make_image_grid(images):
    # BEGIN SOLUTION
    return torchvision.utils.make_grid(images[:16], nrow=4, normalize=True, value_range=(-1, 1))
    # END SOLUTION


make_image_grid = check(make_image_grid, "04.1")

# %% [markdown]
# matplotlib wants the channels **last**, (height, width, C); torch has them first. `permute(1, 2, 0)` turns one into the other without
# touching a number.


# %%
def show_epochs(grids, title, alt, colour):
    """Some grids of `make_image_grid` side by side, each under its name, in a frame of `colour`."""
    figure = Figure(figsize=(2.9 * len(grids), 3.3), dpi=100, edgecolor=colour, linewidth=6)
    for axis, (name, grid) in zip(figure.subplots(1, len(grids), squeeze=False)[0], grids):
        axis.imshow(grid.permute(1, 2, 0).numpy())
        axis.set_title(name)
        axis.axis("off")
    figure.suptitle(title)
    cu.show_figure(figure, alt)


real_grid = [("16 of them", make_image_grid(images))]
show_epochs(real_grid, "Real images", "16 real images, 4 in a row.", cu.REAL)

# %% [markdown]
# ## Part 2: the classic pair
#
# *About 30 minutes.* The generator is the strided one of lesson 2, wider and with three colours at its end. With kernel 4, stride 2 and padding
# 1 each transposed convolution doubles the side: 1 → 4 (no stride) → 8 → 16 → 32. Check it with (side − 1) · stride − 2 ·
# padding + kernel.

# %% [markdown]
# **Exercise 04.2, the generator.** `Unflatten(1, (noise_dim, 1, 1))`; transposed convolutions to 256 channels (kernel 4, nothing else), then
# to 128, to 64 and to 3 (kernel 4, stride 2, padding 1). After each but the last: `BatchNorm2d`, `ReLU`, and no bias before
# it. At the end `Tanh`.


# %%
def build_generator(noise_dim):
    # BEGIN SOLUTION
    return nn.Sequential(
        nn.Unflatten(1, (noise_dim, 1, 1)),
        nn.ConvTranspose2d(noise_dim, 256, kernel_size=4, bias=False),
        nn.BatchNorm2d(256),
        nn.ReLU(),
        nn.ConvTranspose2d(256, 128, kernel_size=4, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(128),
        nn.ReLU(),
        nn.ConvTranspose2d(128, 64, kernel_size=4, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(64),
        nn.ReLU(),
        nn.ConvTranspose2d(64, 3, kernel_size=4, stride=2, padding=1),
        nn.Tanh(),
    )
    # END SOLUTION


build_generator = check(build_generator, "04.2")

# %% tags=["nbval-check-output"]
sides = [1]
for stride, padding in [(1, 0), (2, 1), (2, 1), (2, 1)]:
    sides.append((sides[-1] - 1) * stride - 2 * padding + 4)
print(" -> ".join(map(str, sides)))
noise_size = 100
with torch.no_grad():
    print(tuple(build_generator(noise_size)(torch.randn(2, noise_size)).shape))

# %% [markdown]
# ### Dropout
#
# A strong D sees through every fake, and then it has nothing left to teach. **Dropout** makes its life harder: in training, each
# channel is blanked with probability p, anew for each image. D has to judge by several signs at once, as any of them may be
# missing.

# %% [markdown]
# Blanking lowers the mean: only a share 1 − p of the channels is left. So the survivors are divided by 1 − p, and on average nothing
# changes. (In `eval` mode dropout does nothing.)
#
# **Exercise 04.3.** For `x` of shape (N, C, H, W), blank whole channels, and scale the others. Each image and channel has a draw of its
# own, made on `x.device`: x may lie on a GPU.


# %%
def drop_channels(x, p):
    # BEGIN SOLUTION
    keep = (torch.rand(x.shape[0], x.shape[1], 1, 1, device=x.device) >= p).to(x.dtype)
    return x * keep / (1 - p)
    # END SOLUTION


drop_channels = check(drop_channels, "04.3")

# %%
ones = torch.ones(1000, 8, 2, 2)
dropped = drop_channels(ones, 0.25)
print("the first image's channels:", [f"{v:.2f}" for v in dropped[0, :, 0, 0].tolist()])
print(f"mean before: 1.00, after: {dropped.mean():.2f}")

# %% [markdown]
# **Exercise 04.4, the discriminator.** Convolutions (kernel 4, stride 2, padding 1) from 3 to 64, to 128, to 256 channels, each with `LeakyReLU(0.2)`. `BatchNorm2d` before that in
# the second and third (no bias there); `Dropout2d(0.25)` after it in the first and second. Then `Conv2d(256, 1, kernel_size=4)`, `Flatten`,
# `Sigmoid`.


# %%
def build_discriminator():
    # BEGIN SOLUTION
    return nn.Sequential(
        nn.Conv2d(3, 64, kernel_size=4, stride=2, padding=1),
        nn.LeakyReLU(0.2),
        nn.Dropout2d(0.25),
        nn.Conv2d(64, 128, kernel_size=4, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(128),
        nn.LeakyReLU(0.2),
        nn.Dropout2d(0.25),
        nn.Conv2d(128, 256, kernel_size=4, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(256),
        nn.LeakyReLU(0.2),
        nn.Conv2d(256, 1, kernel_size=4),
        nn.Flatten(),
        nn.Sigmoid(),
    )
    # END SOLUTION


build_discriminator = check(build_discriminator, "04.4")

# %% tags=["nbval-check-output"]
print(f"D: {cu.count_params(build_discriminator()):,} parameters")
print(f"G: {cu.count_params(build_generator(noise_size)):,} parameters")

# %% [markdown]
# ### Sigmoid or logits?
#
# The classic scripts end D in a `Sigmoid` and take `nn.BCELoss`. Lesson 1 preferred logits. As mathematics it is the same. As
# arithmetic it is not where D is very sure of a fake: see what is left of G's gradient, −(1 − D), when a score gets low.

# %% tags=["nbval-check-output"]
for score in (-8.0, -100.0):
    logit = torch.tensor([[score]], requires_grad=True)
    cu.generator_loss(logit).backward()
    with_sigmoid = torch.tensor([[score]], requires_grad=True)
    nn.BCELoss()(torch.sigmoid(with_sigmoid), torch.ones(1, 1)).backward()
    print(f"score {score:6.0f}: on logits {logit.grad.item():.3f},", end=" ")
    print(f"through a sigmoid {with_sigmoid.grad.item():.3f}")

# %% [markdown]
# At −100 the sigmoid is 0 in float32, and its slope is 0, too: the worst fakes teach G **nothing**. In a run that goes well, scores stay far
# from there. Then both ways give the same gradient but for rounding, as you will see in part 5.

# %% [markdown]
# ### Labels on the device
#
# `nn.BCELoss` wants labels, (N, 1) like D's answers. Made on the CPU and moved, they would cost a copy in every step; made for a batch of
# 32 once and for all, they would not fit the last batch. So they are made where the batch is, and for its size.
#
# **Exercise 04.5.** For a batch of any kind, images or D's answers, return `valid` (ones) and `fake` (zeros): float32, shape (N, 1), on the batch's
# device.


# %%
def make_labels(images):
    # BEGIN SOLUTION
    valid = torch.ones(len(images), 1, device=images.device)
    fake = torch.zeros(len(images), 1, device=images.device)
    return valid, fake
    # END SOLUTION


make_labels = check(make_labels, "04.5")

# %%
bce = nn.BCELoss()


def d_loss(d_real, d_fake):
    """Real images are valid, fakes are fake."""
    return bce(d_real, make_labels(d_real)[0]) + bce(d_fake, make_labels(d_fake)[1])


def g_loss(d_fake):
    """G wants its fakes to pass for valid."""
    return bce(d_fake, make_labels(d_fake)[0])


# %% [markdown]
# ## Part 3: the training
#
# *About 10 minutes, most of them waiting.* Batches of 32, Adam with 2·10⁻⁴, normal noise of 100, as in the classic script. After each epoch a grid from the same 16 noise vectors
# is kept.

# %%
loader = cu.BatchLoader(train_set, batch_size=32, drop_last=True, seed=4)
epochs = by_profile(short=1, cpu=2, gpu=10)
grids = []


def keep_grid(progress):
    """A callback: the grid of the fixed noise, with the epochs that are done."""
    done = progress.step // len(loader)
    grids.append((f"{done} epochs", make_image_grid(progress.history.samples[-1][1])))


# %%
cu.set_seed(4)
D, G = build_discriminator().to(device), build_generator(noise_size).to(device)
D_solver, G_solver = cu.get_optimizer(D, lr=2e-4), cu.get_optimizer(G, lr=2e-4)

# %% [markdown]
# **What to expect:** one flat colour before the first step, blobs on a background after two epochs (all that the `cpu` profile trains), after ten a hint of animals and vehicles. D stays
# ahead: D(x) near 0.8, D(G(z)) near 0.2, a loss of G between 1 and 4 that jumps about. That is normal here. *From our run:*
#
# ![Grids of the same 16 generated images, from the start to the last epoch: one flat colour, then blobs of colour](../docs/figures/04_epochs.png)

# %% [markdown]
# If D(G(z)) falls to 0 and stays there while the samples stop changing, D has won: run the cells again with another seed, or with a lower learning rate for
# D.

# %%
history = cu.run_a_gan(
    D,
    G,
    D_solver,
    G_solver,
    d_loss,
    g_loss,
    loader,
    num_epochs=epochs,
    noise_size=noise_size,
    noise="normal",
    as_probability=None,
    show_every=len(loader),
    callbacks=[keep_grid],
    checkpoint="lesson04_classic",
    progress=True,
)
print(history)

# %% tags=["figure:epochs"]
if not grids:  # the run is an earlier one, shown again: its history holds all samples
    grids = [(f"step {step}", make_image_grid(batch)) for step, batch in history.samples]
chosen = [grids[i] for i in sorted({0, len(grids) // 3, 2 * len(grids) // 3, len(grids) - 1})]
show_epochs(
    chosen,
    cu.label_run("The classic pair, always the same 16 noise vectors", history),
    "Grids of 16 generated images side by side, from the first, one flat colour, to the last epoch.",
    cu.FAKE,
)

# %% tags=["figure:losses"]
cu.plot_losses(history)

# %% [markdown]
# Compare these curves with lesson 2's: D is about as far ahead of G here, and the images are much worse. **A loss says who is winning, not how good the images are**: from the first epoch to the sixth the
# stored runs of part 6 fall from a distance of about 138 to about 88, and neither curve shows it.

# %% [markdown]
# ## Part 4: why it is hard, in numbers
#
# *About 15 minutes.* Look at your last grid once more, then at the numbers. The classifier behind them knows CIFAR-10 (89.4 % of the test images
# right); in brackets stands what as many real test images get.


# %%
@torch.no_grad()
def draw_samples(network, count, size, seed=4):
    """Samples of a network in use, on the CPU, a few hundred at a time."""
    network = copy.deepcopy(network).eval()
    home = next(network.parameters()).device
    noise = cu.sample_noise(count, size, "normal", generator=torch.Generator().manual_seed(seed))
    return torch.cat([network(part.to(home)).cpu() for part in noise.split(500)])


# %%
def describe(seen):
    """Distance and classes; few samples, as in the profile `short`, shall not warn each time."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        print(cu.frechet_classifier_distance(seen))
    print(cu.class_coverage(seen))


few = by_profile(short=250, cpu=2000, gpu=10000)
classic_samples = draw_samples(G, few, noise_size)
classic_seen = extract(classic_samples)
describe(classic_seen)

# %% [markdown]
# The distance is far above its floor. (It cannot be compared with those of MNIST: another classifier, other **features**, which is what it sees in an image.) How sure is the classifier of what it sees? On real test images
# it mostly is. A sample that is half a deer and half a truck leaves it in doubt.

# %%
real_seen = cu.get_reference("cifar10").features("test", few)
for name, seen in [("real test images", real_seen), ("classic pair", classic_seen)]:
    certainty = seen.logits.softmax(dim=1).max(dim=1).values
    print(f"{name:17s} certainty {certainty.mean():.0%} on average,", end=" ")
    print(f"over 90 % for {(certainty > 0.9).float().mean():.0%} of them")

# %% [markdown]
# Real images are **not** always clear either: a few frogs look like cats at this size. But the gap fits what you saw in the grid: colours and textures come before
# shapes.

# %% [markdown]
# Could it be that G copies its training images? For each of eight samples, the nearest real image by pixels. *From our run:*
#
# ![Eight generated images on top, the nearest real image of each below: similar in colour, different in content](../docs/figures/04_neighbours.png)

# %% tags=["figure:neighbours"]
nearest = cu.nearest_neighbours(classic_samples[:8], train_set)
show_images(
    torch.cat([classic_samples[:8], nearest.images[:, 0].float() / 127.5 - 1]),
    nrow=8,
    titles=["sample"] * 8 + ["nearest"] * 8,
    alt="Eight generated images in the first row, and below each the real image with the nearest "
    "pixels: alike in colour and brightness, not in what they show.",
)

# %% [markdown]
# They agree in colour and brightness, and in little else: none of these eight is a copy. (One that was shifted or mirrored would escape this search.) The opposite is the trouble: G has about a million weights for 50,000 pictures that share no
# arrangement.

# %% [markdown]
# ## Part 5: what helps?
#
# *About 30 minutes.* There are dozens of proposals. Here are those that are used most, each with its idea, and then a table: **one thing changed at a time**, three
# seeds each, the same number of images for all. Read the ideas first and bet on three of them.

# %% [markdown]
# ### A D that cannot be too steep
#
# G learns from D's slope. A D that jumps from "real" to "fake" over a tiny change of the image gives slopes that are huge here and 0 there. **Spectral norm** (Miyato et al. 2018, arXiv 1802.05957) divides each layer's
# weights, written as a matrix, by the most that this matrix can stretch an input: its largest singular value.

# %% [markdown]
# Computing it exactly in every step would be too slow. The **power iteration** gets near it by going to and fro: from a vector u, take v = Aᵀu, make its length 1, take u = Av, make its length 1, and
# so on. Each round turns u further towards the direction that is stretched most; then uᵀAv is by how much.

# %% [markdown]
# **Exercise 04.6.** `steps` rounds for a matrix `(rows, columns)` from `u` of length rows, then uᵀAv. `torch.nn.functional.normalize(v, dim=0)` makes a vector's length
# 1.


# %%
def largest_stretch(matrix, u, steps):
    # BEGIN SOLUTION
    for _ in range(steps):
        v = torch.nn.functional.normalize(matrix.T @ u, dim=0)
        u = torch.nn.functional.normalize(matrix @ v, dim=0)
    return u @ matrix @ v
    # END SOLUTION


largest_stretch = check(largest_stretch, "04.6")

# %%
matrix = build_discriminator()[3].weight.detach().flatten(1)  # 128 filters of 64 x 4 x 4 numbers
start = torch.randn(len(matrix))
for steps in (1, 2, 5, 20, 100):
    print(f"{steps:3d} rounds: {largest_stretch(matrix, start, steps):.4f}")
print(f"exactly:    {torch.linalg.matrix_norm(matrix, 2):.4f}")

# %% [markdown]
# A few rounds are near enough, and weights move little from step to step: torch's `spectral_norm` goes on from the last u and does **one** round a
# step. After some passes the matrix's stretch is 1. (A convolution as a whole may stretch somewhat more, as its patches overlap.)

# %%
layer = spectral_norm(nn.Conv2d(64, 128, kernel_size=4, stride=2, padding=1))
before = torch.linalg.matrix_norm(layer.parametrizations.weight.original.flatten(1), 2)
for _ in range(30):
    layer(torch.zeros(1, 64, 8, 8))  # each pass in training mode is one round
after = torch.linalg.matrix_norm(layer.weight.detach().flatten(1), 2)
print(f"largest stretch: {before:.2f} without, {after:.2f} with spectral norm")

# %% [markdown]
# Another way to the same end is to **punish steepness**: the R1 penalty (Mescheder et al. 2018, arXiv 1801.04406) adds to D's loss
#
# $$\tfrac{\gamma}{2}\, E\,|\nabla_x D(x)|^2$$
#
# at real images: ∇ₓD(x) is the gradient of the score by the image's pixels, and γ says how much it counts. Where G has arrived at the data, D should be flat, and stay so.

# %% [markdown]
# Both replace batch norm in D: spectral norm as batch norm would scale everything back, and R1 as with batch norm the score of an image depends on the others in the batch. For R1, `torch.autograd.grad` with
# `create_graph=True` gives a gradient that can be differentiated once more. This is the course's `r1_penalty`, for one batch:

# %% tags=["nbval-check-output"]
toy = nn.Sequential(nn.Flatten(), nn.Linear(12, 1))
nn.init.constant_(toy[1].weight, 0.5)  # D(x) = ½ (x1 + ... + x12): its slope is ½ everywhere
batch = torch.randn(4, 3, 2, 2).requires_grad_(True)
(slope,) = torch.autograd.grad(toy(batch).sum(), batch, create_graph=True)
print("slope:", tuple(slope.shape), "squared length:", slope.square().sum(dim=(1, 2, 3)).tolist())
print("12 · ½² =", 12 * 0.5**2)

# %% [markdown]
# ### Show D more, and both sides alike
#
# D sees each real image many times and may learn them by heart. In lesson 2 the digits were turned, and G learned to draw turned digits. To keep G's images upright, change **real and fake alike** just before D
# (Zhao et al. 2020, arXiv 2006.10738): then the changes give nothing away.

# %% [markdown]
# The gradient has to pass through the change back to G. Mirroring does let it pass; so do shifts and changes of colour.
#
# **Exercise 04.7.** Mirror each image left to right with probability ½, each by its own coin, drawn from `generator` on the images' device.


# %%
def flip_some(images, generator):
    # BEGIN SOLUTION
    coins = torch.rand(len(images), 1, 1, 1, generator=generator, device=images.device) < 0.5
    return torch.where(coins, images.flip(3), images)
    # END SOLUTION


flip_some = check(flip_some, "04.7")

# %%
same = images[1:2].repeat(12, 1, 1, 1)
show_images(
    flip_some(same, torch.Generator().manual_seed(1)),
    nrow=12,
    titles="One image, twelve coins",
    kind="real",
)

# %% [markdown]
# ### A calm end
#
# Early on G and D should move fast; at the end, steps of the same size only throw them about. **Decay** lets the learning rate fall. And the **averaged weights** of lesson 1 take the
# mean of where G has been.
#
# **Exercise 04.8.** For the share of training that is done (0 to 1): 1 in the first half, then in a straight line down to 0.


# %%
def decay(share):
    # BEGIN SOLUTION
    return 1.0 if share < 0.5 else 2 * (1 - share)
    # END SOLUTION


decay = check(decay, "04.8")

# %% tags=["nbval-check-output"]
print([round(decay(share), 2) for share in (0, 0.25, 0.5, 0.75, 0.9, 1)])

# %% [markdown]
# All of these are arguments of `run_a_gan`: `augment=flip_some`, `penalty=r1_penalty(0.1)`, `schedule=decay`, `ema=0.999`. Spectral norm is part of the network. **Batch size** is the loader's: larger batches give calmer
# gradients, and at an equal number of images **fewer steps**.

# %% [markdown]
# ### The table
#
# Each row: the classic pair with one change (and what had to go with it), 150,000 images (three epochs), three seeds, 5,000 samples for each distance. "Better" and "worse" are said only where no seed of one lies among those of the
# other (your rule from lesson 3). **Where do your three bets stand?**

# %%
rows = [row for row in load_results() if row["recipe"] in VARIANTS]
machines = sorted({row["machine"].split(";")[0] for row in rows})
found = {name: get_distances([r for r in rows if r["recipe"] == name]) for name in VARIANTS}
base = found[VARIANTS[0]]
print("measured on", ", ".join(machines) or "nothing yet")

# %%
for name, (says, _) in zip(VARIANTS, INGREDIENTS.values()):
    if found[name]:
        each = " ".join(f"{distance:5.1f}" for distance in found[name])
        effect = "" if name == VARIANTS[0] else compare(base, found[name])
        print(f"{effect:10s}{each}  {says}")

# %% [markdown]
# Surprised? In the stored runs **not one** change is better after three epochs, and more than half are worse from every seed. Before you throw them away, ask what was measured: three epochs are a seventh of the long run in part 6, half
# a minute on that GPU. (And among nine rows, chance alone makes about one look decided.)

# %% [markdown]
# - **Logits**: the same numbers, to the last digit. No score was extreme, and D computed in bf16, which rounds away the last digits in which the two gradients differ. In float32 the runs would drift apart by chance.
# - **Larger batches**: a quarter of the steps. Look at the minutes in [docs/results.md](../docs/results.md): on the GPU they took less than a third of the time.
# - **The average** looks back about 1,000 steps, of 4,686, so it lags behind while everything still moves fast. Its own curve falls by half in these three epochs.

# %% [markdown]
# - **Spectral norm and R1** hold D back on purpose, and both rows lost batch norm. Which of the two cost them was not tested.
# - **Spectral norm and the deeper G** swing: from two of three seeds each was nearer after two epochs than after three.
#
# So an experiment at a small budget says what a small budget gives. What is **good** in the end is another question.

# %% [markdown]
# ## Part 6: the long run
#
# *About 20 minutes.* `cifar10_better` changes many things at once: a deeper pair, D on logits with R1 in place of batch norm, Adam without momentum (β₁ = 0) at five times the learning rate, batches of 64, averaged weights, decay, and 50 epochs in place of 20. Both recipes, from the stored
# runs:

# %%
names = ("cifar10_dcgan", "cifar10_better")
runs = {n: [r for r in load_results() if r["recipe"] == n and r["main"]] for n in names}
for name, made in runs.items():
    for run in made:
        minutes, _, last = run["curve"][-1]
        least = min(run["shares"])
        print(
            f"{name:15s} seed {run['seed']}, {run['machine'].split(';')[0][:12]}: {last:5.1f}",
            end=" ",
        )
        print(f"after {run['steps']:6,} steps, {minutes:5.1f} minutes; least class {least:.1%}")

# %% [markdown]
# **What to expect:** the line of the classic pair falls at once, then slowly, and is still falling when it stops. That of the other starts high and comes down later. Look where each line **ends** before you say who
# won. *From our run:*
#
# ![Distance against images and minutes of training for both recipes: the classic pair is ahead at first and stops early; the other ends lower](../docs/figures/04_curves.png)

# %% tags=["figure:curves"]
figure = Figure(figsize=(10, 3.8))
styles = {"cifar10_dcgan": ("-", "o", cu.D_COLOUR), "cifar10_better": ("--", "s", cu.G_COLOUR)}
units = [("millions of images", 1), ("minutes", 0)]
for panel, (unit, place) in zip(figure.subplots(1, 2), units):
    for name, made in runs.items():
        line, marker, colour = styles[name]
        scale = (1, get_recipe(name).batch_size / 1e6)[place]  # a step is a batch of images
        for number, run in enumerate(made):
            points = [(point[place] * scale, point[2]) for point in run["curve"]]
            look = {"color": colour, "linestyle": line, "marker": marker, "markersize": 3}
            panel.plot(*zip(*points), linewidth=0.9, label=None if number else name, **look)
    panel.set(xlabel=unit, ylabel="distance", yscale="log")
    if any(runs.values()):
        panel.legend()
figure.tight_layout()
cu.show_figure(
    figure,
    "Distance against images (left) and minutes (right), a line for each seed: solid with circles "
    "for the classic pair, dashed with squares for the better one, which is above it at first and "
    "goes on falling after the classic pair has stopped.",
)

# %% [markdown]
# "Better" trained on, and nobody trained the classic pair as long. Your rule of lesson 3 can be asked where both were still training: after as many **images** as the classic pair had at its end, and after as many
# **minutes**.


# %%
def distance_by(run, place, most):
    """The distance at the last point of a run's curve that is not beyond `most`."""
    return [point[2] for point in run["curve"] if point[place] <= most][-1]


classic, better = (runs[name] for name in names)
if classic and better:
    ends = get_distances(classic)
    minutes = min(run["curve"][-1][0] for run in classic)
    steps = min(run["steps"] for run in classic) // 2  # of 64 images, where the classic had 32
    for what, place, most in [("images", 1, steps), ("minutes", 0, minutes)]:
        then = [distance_by(run, place, most) for run in better]
        print(f"after equally many {what}: {compare(ends, then):9s}", [f"{d:.0f}" for d in then])
    print(f"each at its own end: {compare(ends, get_distances(better))}")

# %% [markdown]
# In the stored runs: **undecided** after equally many images, **worse** after equal minutes, better only at the end of a longer training. So the name promises more than was shown. (The zigzag of the other lines calms down after step 19,525, where the decay begins. A learning rate that is large for
# these networks would explain it; that was not tested.)

# %% [markdown]
# The full training takes longer than this notebook should. From scratch it is `python -m course_utils train cifar10_better --profile gpu`: 50 epochs, 4.8 minutes on an H100 beside other runs, and hours on two CPU cores; it goes on where it was cut off. So take the **shipped weights**: the averaged G, and D, in half
# precision (2 bytes a number).

# %%
better_G = cu.load_pretrained("cifar10_better")
better_D = cu.load_pretrained("cifar10_better", part="D")
facts = better_G.facts
print(f"{facts['epochs']} epochs, {facts['minutes']} minutes on {facts['machine'].split(';')[0]}")
print(f"G: {cu.count_params(better_G.requires_grad_(True)):,} parameters; D: ", end="")
print(f"{cu.count_params(better_D.requires_grad_(True)):,}")

# %% tags=["figure:shipped"]
size = 128
shipped = draw_samples(better_G, 64, size, seed=6)
show_images(
    shipped,
    nrow=16,
    titles="cifar10_better, none of them picked",
    alt="64 generated colour images of 32 by 32 pixels: some look like animals, cars or ships, many "
    "like nothing that has a name.",
    kind="fake",
)

# %%
many = by_profile(short=250, cpu=8000, gpu=10000)
better_samples = draw_samples(better_G, many, size)
better_seen = extract(better_samples)
describe(better_seen)

# %% [markdown]
# Every class comes up, but not equally. Which does this G avoid?

# %%
coverage = cu.class_coverage(better_seen, floor=False)
for name, share in zip(CIFAR10.classes, coverage.shares):
    print(f"{name:11s}{share:6.1%}  {'#' * round(100 * share.item())}")

# %% [markdown]
# Cars, in the stored run, of which there should be 10 %. And is anything copied? The nearest training images, by what the classifier sees this time; look for a pair that shows the **same** thing, not only the same
# kind.

# %%
close = cu.nearest_neighbours(better_samples[:8], train_set, space="feature")
show_images(
    torch.cat([better_samples[:8], close.images[:, 0].float() / 127.5 - 1]),
    nrow=8,
    titles=["sample"] * 8 + ["nearest"] * 8,
    alt="Eight samples of the better pair, and below each the real image with the nearest features.",
)

# %% [markdown]
# In the stored run some agree in kind, others in nothing that has a name. None of the eight is a copy.

# %% [markdown]
# ### The best quarter
#
# Papers like to show their best samples. You can do it, too: let the classifier choose those of which it is most certain. What does that do to the picture, and what to the
# distance? **Guess both.**
#
# **Exercise 04.9.** From images and certainties (N,), return the most certain quarter, N // 4 of them, the most certain first.


# %%
def best_quarter(images, certainty):
    # BEGIN SOLUTION
    count = len(images) // 4
    return images[certainty.topk(count).indices]
    # END SOLUTION


best_quarter = check(best_quarter, "04.9")

# %%
certainty = better_seen.logits.softmax(dim=1).max(dim=1).values
picked = best_quarter(better_samples, certainty)
random_part = better_samples[: len(picked)]

# %% tags=["figure:quarter"]
order = torch.randperm(len(picked), generator=torch.Generator().manual_seed(5))[:36]
show_grids(
    [("a random quarter", random_part[order]), ("the most certain quarter", picked[order])],
    "Two grids of 36 generated images: a random quarter, and the quarter of which the classifier is "
    "most certain, in which more of them can be named.",
    nrow=6,
    kind="fake",
)

# %%
for name, part in [("a random quarter", random_part), ("the most certain quarter", picked)]:
    print(name)
    describe(extract(part))

# %% [markdown]
# More things can be named, and in the stored run the distance fell by a third. The classes got less equal: what is hard to draw is left out. And there is a catch in that distance: the classifier that **picked** is the one that
# **measures**. An examiner who chooses the candidates will be pleased.

# %% [markdown]
# So say it when you pick, and by what: a grid of the best is a statement about the best. For a number, take all samples, or a judge who had no part in the picking.

# %% [markdown]
# ## When it goes wrong
#
# | what you see | what it usually is | what helps |
# | --- | --- | --- |
# | samples all of one colour | the first few hundred steps, or D has won | wait for the first epoch; then a lower learning rate for D |
# | the same image 16 times | mode collapse | another seed; augmentation; `cu.diagnose(history)` |
# | `all elements of input should be between 0 and 1` | `nn.BCELoss` with a D on logits | `Sigmoid` at the end, or the losses on logits |
# | `size (32, 1)` against `(16, 1)` | labels of a fixed size meet the last batch | labels made for each batch; `drop_last=True` |
# | colours look wrong, blue faces | channels last taken for channels first | `permute(1, 2, 0)` for matplotlib only |
# | grids look pale, another day garish | `normalize` without `value_range` | `value_range=(-1, 1)` |
# | R1 gives 0, or an error about graphs | the gradient cannot be differentiated | `create_graph=True`; images with `requires_grad_(True)` |
# | red `NameError: name 'check' is not defined`, or another name | the kernel was restarted, or cells ran out of order | JupyterLab: Run > Run All Above Selected Cell; Colab: Runtime > Run before |

# %% [markdown]
# ## Questions
#
# Think first, then unfold.
#
# <details><summary>Why are fakes augmented, too, and not only the real images?</summary>
#
# If only real images were mirrored or recoloured, those changes would be signs of "real", and G would learn to make them. Changed alike, they tell D nothing,
# and G can stay with plain images.
#
# </details>

# %% [markdown]
# <details><summary>An ingredient was worse after three epochs. May you write "it does not help"?</summary>
#
# Only "not within three epochs, with these networks and this learning rate". Another budget may give another answer.
#
# </details>

# %% [markdown]
# <details><summary>Dropout is random. Why does D's score of the same image differ from step to step, and is that bad?</summary>
#
# Other channels are blanked each time. It is noise in G's lesson, but with the right mean, and it keeps D from relying on a single sign. In `eval` mode it is gone.
#
# </details>

# %% [markdown]
# <details><summary>The distance here is about 40, on MNIST it was about 6. Is the CIFAR-10 generator seven times worse?</summary>
#
# Nobody can say: other classifier, other features, other units. Compare each with its own floor, and with other generators for the same data.
#
# </details>

# %% [markdown]
# ## Summary
#
# - Three channels, 32 × 32, and classes without a common arrangement: the mean image is a blur.
# - The classic pair gets colours and textures, few shapes; a distance and the classifier's certainty put numbers to it.
# - One change at a time, several seeds, an equal budget; and the budget is part of the answer.
# - A recipe that is far behind at first may end ahead. Which of its changes did that takes further runs to say.
# - A grid of picked samples says something about the picking.

# %% [markdown]
# ## What comes next
#
# This lesson believed a distance. Lesson 5 builds it by hand, with precision, recall and a gallery of failing runs. **One thing to try before:** `run_a_gan` with `augment=flip_some` and `schedule=decay` on the classic pair, from
# two seeds. Would you call the difference one?
#
# And with a GPU, half the learning rate: `from dataclasses import replace`, then `replace(get_recipe("cifar10_better"), lr=5e-4).train("runs/half", 50, "gpu")`.
