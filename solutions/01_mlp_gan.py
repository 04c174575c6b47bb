# %% [markdown]
# # Lesson 1: two networks play, and digits appear
#
# In this lesson a network that has never been shown how to write learns to draw handwritten
# digits. All it gets is noise to start from and the opinion of a second network. *From our run* of
# this notebook:
#
# ![A grid of 60 generated handwritten digits, white on black; most can be read at once](../docs/figures/01_samples.png)

# %% [markdown]
# **What you need to know:** Python, and what a layer, a loss and an optimiser are in PyTorch.
# Nothing about GANs.
#
# **What it takes:** about an hour and a half of yours with the exercises, and of the machine, measured on
# real runs of the solved edition:
#
# <!-- measured -->

# %% [markdown]
# **How exercises work.** Replace `raise NotImplementedError` by your answer and run the cell. The
# last line, `check`, answers at once: `✓` right, `✗` not yet (with a hint), `○` not started.
# Until yours is right, a reference stands in, so the notebook always runs to its end.

# %% [markdown]
# **A right answer** is more than its value. It makes a *new* result and leaves its arguments as they
# are. It lets gradients through, unless the text says otherwise. It sets no seed (the number that
# random draws start from) and changes no settings. The check tries more cases than the text names.

# %%
import copy
import math
import time

import torch
from matplotlib.figure import Figure
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Subset
from torchvision import datasets, transforms
from tqdm.auto import tqdm

# %%
import course_utils as cu
from course_utils import by_profile, check, show_grids, show_images, show_plane

cu.start("01")
cu.set_seed(1)
cores = torch.get_num_threads()

# %% [markdown]
# ## Part 1: the game in two dimensions
#
# *About 10 minutes.* Before pictures, points. The real data, **x**, are eight clusters on a ring. A
# **generator** G turns random noise, **z**, into points G(z), the **fakes**. A **discriminator** D looks at a
# point and says how likely it is to be real: **D(x)** for a real point, **D(G(z))** for a fake. D learns to tell them
# apart; G learns to fool D.


# %%
def draw_ring(count):
    """Points (count, 2) around eight centres on a circle of radius 2."""
    angles = torch.randint(8, (count,)) * math.pi / 4
    centres = 2 * torch.stack([angles.cos(), angles.sin()], dim=1)
    return centres + 0.1 * torch.randn(count, 2)


# %% [markdown]
# Each player is a small **MLP** (multi-layer perceptron): linear layers with a LeakyReLU between them, here
# with two hidden layers of 64. G ends in two numbers, the coordinates of a point. D ends in a **sigmoid**,
# sigmoid(s) = 1 / (1 + e⁻ˢ), so that what it says lies between 0 ("made up") and 1 ("real").


# %%
def small_mlp(inputs, outputs):
    hidden = [nn.Linear(inputs, 64), nn.LeakyReLU(0.2), nn.Linear(64, 64), nn.LeakyReLU(0.2)]
    return nn.Sequential(*hidden, nn.Linear(64, outputs))


ring_G = small_mlp(2, 2)
ring_D = nn.Sequential(small_mlp(2, 1), nn.Sigmoid())
show_plane(ring_D, draw_ring(400), ring_G(torch.randn(400, 2)), "Before: nobody knows anything")

# %% [markdown]
# Circles are real points, crosses come from G, the grey is what D believes at each place. At the
# start D says about ½ everywhere, and G puts all its points on one heap.
#
# Now the game itself: in every step D learns once, then G learns once, each from a **batch** of 128 points.


# %%
def play(steps, G_solver, g_updates=1):
    """Let both players learn; D once a step, G `g_updates` times."""
    rounds = cu.stoppable(range(steps))  # the stop button ■ ends it after the present step
    torch.set_num_threads(1)  # networks this small are fastest on one core
    bce, ones, zeros = nn.BCELoss(), torch.ones(128, 1), torch.zeros(128, 1)
    for _ in rounds:
        fakes = ring_G(torch.randn(128, 2))
        d_loss = bce(ring_D(draw_ring(128)), ones) + bce(ring_D(fakes.detach()), zeros)
        ring_D_solver.zero_grad()
        d_loss.backward()
        ring_D_solver.step()
        for _ in range(g_updates):
            g_loss = bce(ring_D(ring_G(torch.randn(128, 2))), ones)
            G_solver.zero_grad()
            g_loss.backward()
            G_solver.step()
    torch.set_num_threads(cores)


# %% [markdown]
# You will write these lines yourself in part 4; for now, watch. A **solver** is an optimiser. `BCELoss`, binary
# **cross-entropy**, is −log of D's belief in the right label (1 real, 0 fake). **`detach`** keeps D's lesson away
# from G.
#
# A small referee counts the clusters that G has found: more than 2 % of its points must lie close by.


# %%
def count_modes():
    with torch.no_grad():
        points = ring_G(torch.randn(2000, 2))
    angles = torch.arange(8) * math.pi / 4
    centres = 2 * torch.stack([angles.cos(), angles.sin()], dim=1)
    close = torch.cdist(points, centres) < 0.5
    return int((close.float().mean(dim=0) > 0.02).sum())


# %% [markdown]
# **What to expect:** about five seconds. First G runs after one cluster or another, then it
# spreads, and at the end its points cover all eight. (`by_profile` takes the numbers that suit your machine.)
# *From our run:*
#
# ![Eight clusters of real points on a ring, each covered by crosses from G](../docs/figures/01_ring.png)

# %%
ring_D_solver = torch.optim.Adam(ring_D.parameters(), lr=1e-3, betas=(0.5, 0.999))
ring_G_solver = torch.optim.Adam(ring_G.parameters(), lr=1e-3, betas=(0.5, 0.999))

for steps in by_profile(short=[10, 10], cpu=[50, 50, 100, 300, 1000], gpu=[50, 50, 100, 300, 1000]):
    play(steps, ring_G_solver)
    print(f"after {steps} more steps G reaches {count_modes()} of 8 clusters")

# %% tags=["figure:ring"]
show_plane(ring_D, draw_ring(400), ring_G(torch.randn(400, 2)), "After: G covers the ring")

# %% [markdown]
# Look at the grey. Where D cannot tell crosses from circles it is back at about ½: it has nothing
# left to say. Far away from both it may believe anything, as nobody ever asks it there.

# %% [markdown]
# ### Modes lost, and found again
#
# A **mode** is one kind of data: here a cluster, later one digit. A GAN can forget some. We let G learn ten
# times a step with a far too large learning rate: it runs to wherever D believes it most, with all its
# points at once. This is **mode collapse**, the best-known failure of GANs. *From our run:*
#
# ![Eight clusters of real points; all the crosses of G sit on one spot](../docs/figures/01_ring_lost.png)

# %% tags=["figure:ring_lost"]
hasty = torch.optim.Adam(ring_G.parameters(), lr=0.03, betas=(0.5, 0.999))
play(by_profile(short=5, cpu=20, gpu=20), hasty, g_updates=10)
print(f"G reaches {count_modes()} of 8 clusters")
show_plane(ring_D, draw_ring(400), ring_G(torch.randn(400, 2)), "Too hasty: modes are lost")

# %% [markdown]
# Now the fair game again: one update each, the old learning rate. D sees the heap, marks it as made
# up, and G has to move on. **What to expect:** the number climbs again, to eight or close to it. A cluster
# that stays lost is found later, or never: run the cell again and see.

# %%
ring_G_solver = torch.optim.Adam(ring_G.parameters(), lr=1e-3, betas=(0.5, 0.999))
for _ in range(5):
    play(by_profile(short=5, cpu=250, gpu=250), ring_G_solver)
    print(f"G reaches {count_modes()} of 8 clusters")

# %%
title = f"Fair again: {count_modes()} of 8 clusters"
show_plane(ring_D, draw_ring(400), ring_G(torch.randn(400, 2)), title)

# %% [markdown]
# ### What the best D would say
#
# D is shown as many real points as fakes. Around some place the real ones lie with **density** p (how many
# for each bit of area), and G's with density q. Out of all the points that turn up there, the share of real
# ones is what an ideal D answers.
#
# **Exercise 01.1.** Write that share.


# %%
def best_discriminator(p, q):
    # BEGIN SOLUTION
    return p / (p + q)
    # END SOLUTION


best_discriminator = check(best_discriminator, "01.1")

# %% [markdown]
# When G is perfect, q equals p everywhere. Then the best D says ½ for every point, real or not, and
# its loss is −log ½ for the real half plus −log ½ for the fake half: 2 ln 2 (log is the natural one). **Remember that
# number**: it is what d_loss tends to when the game is a draw.

# %% tags=["nbval-check-output"]
same = torch.tensor(0.3)
belief = best_discriminator(same, same)
print(f"the best D says {belief:.2f}, and its loss is {-2 * torch.log(belief):.3f}")

# %% [markdown]
# ### Which loss for G?
#
# G wants D to be wrong. Two ways to say so, with D(G(z)) the belief in a fake: make
# **log(1 − D(G(z)))** small, or make **−log D(G(z))** small. Both want D(G(z)) to rise, but they push
# with very different force: the first **saturates** (goes flat) where G is losing, as you will see below.
#
# **Exercise 01.2.** Return both, in this order, each averaged over the batch.


# %%
def generator_losses(d_fake):
    # BEGIN SOLUTION
    saturating = torch.log(1 - d_fake).mean()
    non_saturating = -torch.log(d_fake).mean()
    return saturating, non_saturating
    # END SOLUTION


generator_losses = check(generator_losses, "01.2")

# %% [markdown]
# Let us plot both, and their gradients, against D's raw score s: what D computes before its sigmoid, so
# D(G(z)) = sigmoid(s). On the left of the picture D is sure that the fake is a fake: that is where G
# stands as soon as D has got ahead.

# %%
scores = torch.linspace(-6, 6, 121, requires_grad=True)
both = [generator_losses(torch.sigmoid(score)) for score in scores.split(1)]
losses = {
    "log(1 - D), saturating": [b[0] for b in both],
    "-log D, non-saturating": [b[1] for b in both],
}

# %% tags=["figure:g_losses"]
figure = Figure(figsize=(9, 3.4))
left, right = figure.subplots(1, 2)
for (name, values), style in zip(losses.items(), ["--", "-"]):
    curve = torch.stack(values)
    (slope,) = torch.autograd.grad(curve.sum(), scores, retain_graph=True)
    left.plot(scores.detach(), curve.detach(), style, color=cu.G_COLOUR, label=name)
    right.plot(scores.detach(), slope, style, color=cu.G_COLOUR, label=name)
left.set(title="loss of G", xlabel="score s of a fake", ylim=(-6, 6))
right.set(title="its gradient", xlabel="score s of a fake")
left.legend()
cu.show_figure(
    figure,
    "Two losses of G and their gradients against the score of a fake. Where D is sure that it is "
    "fake, the saturating loss (dashed) is flat and its gradient 0; that of -log D is -1.",
)

# %% [markdown]
# The dashed curve is flat on the left: a G that is losing learns nothing from it.
# The solid one pushes hardest just there. From now on G uses −log D(G(z)), which is the same as
# labelling its fakes "real". At a draw it is −log ½ = 0.693.

# %% [markdown]
# ## Part 2: the digits
#
# *About 10 minutes.* MNIST: 60,000 handwritten digits of 28 × 28 pixels. `load_mnist` looks on your
# disk first, then on the network, and says where it found them. torchvision reads the
# same files.

# %%
mnist = cu.load_mnist()

# %% [markdown]
# Networks and batches must be on the same **device**: `network.to(device)`, `images.to(device)`. `cu.get_device()`
# is a GPU if there is one (Apple's too), else the CPU.

# %%
device = cu.get_device()
print(device)

# %% [markdown]
# A pixel is a whole number from 0 (black) to 255 (white). G will end in a tanh, which gives values
# from −1 to 1, so the real digits must come in that range too. Otherwise D could tell them apart by
# their range alone.
#
# **Exercise 01.3.** Map 0…255 to −1…1, as float32.


# %%
def to_model_range(pixels):
    # BEGIN SOLUTION
    return pixels.float() / 127.5 - 1
    # END SOLUTION


to_model_range = check(to_model_range, "01.3")

# %% [markdown]
# torchvision does the same in two transforms: `ToTensor` divides by 255, `Normalize` subtracts ½ and
# divides by ½. The cell says whether the two ways agree on the first digit.

# %% tags=["nbval-check-output"]
transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.5,), (0.5,))])
digits = datasets.MNIST(mnist.root, train=True, transform=transform)
first = digits[0][0]
print("same values:", torch.allclose(first, to_model_range(mnist.images[0]), atol=1e-6))
print("shape:", tuple(first.shape))
print("within -1 and 1:", bool(first.min() >= -1 and first.max() <= 1))

# %% [markdown]
# What you choose before training, the **hyperparameters**, stands in one cell. The noise z is called the **latent** vector
# too: `latent_size` is how many numbers it has. An **epoch** is once through all the digits. Of the profiles, `short` is for
# tests, `cpu` for a laptop, `gpu` for Colab. Change what you like, but not MNIST's `image_size`.

# %%
latent_size = 96  # numbers of noise that G starts from
hidden_size = 256  # width of the hidden layers
image_size = 28  # pixels a side
batch_size = 64
learning_rate = 1e-3
repeat = max(1, 60_000 // len(mnist))  # a small sample is gone through more often than MNIST
epochs = by_profile(short=1, cpu=2 * repeat, gpu=20 * repeat)
better_epochs = by_profile(short=1, cpu=8 * repeat, gpu=50 * repeat)
digits = Subset(digits, range(by_profile(short=1280, cpu=len(digits), gpu=len(digits))))

# %% [markdown]
# A `DataLoader` shuffles the digits and hands them out in batches. Here is one batch. Real images
# have a blue frame all through the course.

# %%
loader = DataLoader(digits, batch_size, shuffle=True, drop_last=True)
images, labels = next(iter(loader))
assert images.shape == (batch_size, 1, image_size, image_size)
show_images(images[:24], nrow=12, titles=[str(int(d)) for d in labels[:24]], kind="real")

# %% [markdown]
# Transforming picture by picture costs time. Extra **workers** (processes) can do it beside the
# training. For small pictures, starting them and sending the results over may cost more time than it saves. Measure on
# your machine before you believe either.


# %%
def time_batches(loader, count):
    """Seconds until the first `count` batches are on the device, the workers' start included."""
    began = time.perf_counter()
    for _, (images, _) in zip(range(count), loader):
        images = images.to(device)
    images.sum().item()  # wait for the device
    return time.perf_counter() - began


# %%
for workers in (0, 2):
    trial = DataLoader(digits, batch_size, shuffle=True, num_workers=workers)
    seconds = time_batches(trial, by_profile(short=5, cpu=100, gpu=100))
    print(f"{workers} extra workers: {seconds:.2f} s")

# %% [markdown]
# ## Part 3: two networks
#
# *About 15 minutes.* **Exercise 01.4, the generator.** Layers, in order: `Linear(noise_size,
# hidden_size)`, `ReLU`, `Linear(hidden_size, 2 * hidden_size)`, `ReLU`, `Linear(2 * hidden_size,
# 784)`, `Tanh`. `forward` reshapes to `(batch, 1, 28, 28)`. Here **`noise_size`** is what a network calls the size
# of z, our `latent_size`.


# %%
class Generator(nn.Module):
    def __init__(self, noise_size, hidden_size):
        super().__init__()
        # BEGIN SOLUTION
        self.layers = nn.Sequential(
            nn.Linear(noise_size, hidden_size),
            nn.ReLU(),
            nn.Linear(hidden_size, 2 * hidden_size),
            nn.ReLU(),
            nn.Linear(2 * hidden_size, 28 * 28),
            nn.Tanh(),
        )
        # END SOLUTION

    def forward(self, noise):
        # BEGIN SOLUTION
        return self.layers(noise).reshape(-1, 1, 28, 28)
        # END SOLUTION


Generator = check(Generator, "01.4")

# %% [markdown]
# **Exercise 01.5, the discriminator.** It is the way back: `Flatten`, `Linear(784, 2 * hidden_size)`,
# `LeakyReLU(0.2)`, `Linear(2 * hidden_size, hidden_size)`, `LeakyReLU(0.2)`, `Linear(hidden_size,
# 1)`, `Sigmoid`. A leak keeps a small gradient alive where ReLU would pass none back to G.


# %%
class Discriminator(nn.Module):
    def __init__(self, hidden_size):
        super().__init__()
        # BEGIN SOLUTION
        self.layers = nn.Sequential(
            nn.Flatten(),
            nn.Linear(28 * 28, 2 * hidden_size),
            nn.LeakyReLU(0.2),
            nn.Linear(2 * hidden_size, hidden_size),
            nn.LeakyReLU(0.2),
            nn.Linear(hidden_size, 1),
            nn.Sigmoid(),
        )
        # END SOLUTION

    def forward(self, images):
        # BEGIN SOLUTION
        return self.layers(images)
        # END SOLUTION


Discriminator = check(Discriminator, "01.5")

# %% tags=["nbval-check-output"]
cu.set_seed(2)
G = Generator(latent_size, hidden_size).to(device)
D = Discriminator(hidden_size).to(device)
print(f"G has {cu.count_params(G):,} parameters, D has {cu.count_params(D):,}")

# %% [markdown]
# One loss, two optimisers: each player changes its own network only. Adam's first beta is 0.5
# instead of 0.9: less momentum, because the target moves all the time. The **fixed noise** stays the
# same during training, so that we see the same 25 digits grow.

# %%
criterion = nn.BCELoss()
D_solver = torch.optim.Adam(D.parameters(), lr=learning_rate, betas=(0.5, 0.999))
G_solver = torch.optim.Adam(G.parameters(), lr=learning_rate, betas=(0.5, 0.999))
fixed_noise = torch.randn(25, latent_size, device=device)


# %%
def draw_fixed(G):
    """What G makes of the fixed noise just now, on the CPU."""
    with torch.no_grad():
        return G(fixed_noise).cpu()


show_images(draw_fixed(G), nrow=5, titles="Before training: noise in, noise out", kind="fake")

# %% [markdown]
# ## Part 4: the loop, by hand
#
# *About 20 minutes.* **Exercise 01.6, one step of D.** Score the real images against labels of ones,
# the fakes against labels of zeros, and add the two losses. Then `zero_grad`, `backward`, `step`.
# Use `fakes.detach()`: it cuts the fakes off from G, so that teaching D computes no gradients there.
#
# Return loss and scores with `.detach()` too: else all that led to them stays in memory.


# %%
def discriminator_step(D, D_solver, criterion, images, fakes):
    """One update of D; returns its loss, and its scores of the real images and of the fakes."""
    # BEGIN SOLUTION
    real_scores = D(images)
    fake_scores = D(fakes.detach())
    loss_real = criterion(real_scores, torch.ones_like(real_scores))
    loss_fake = criterion(fake_scores, torch.zeros_like(fake_scores))
    loss = loss_real + loss_fake
    D_solver.zero_grad()
    loss.backward()
    D_solver.step()
    return loss.detach(), real_scores.detach(), fake_scores.detach()
    # END SOLUTION


discriminator_step = check(discriminator_step, "01.6")

# %% [markdown]
# **Exercise 01.7, one step of G.** Score the same fakes again, this time against labels of **ones**:
# that is −log D(G(z)). Here the gradient must flow through D back into G, so no `detach`. The solver
# holds only G's parameters: D stays as it is. (`backward` leaves gradients in D too; the `zero_grad` of
# D's next step clears them.) Return the loss, again with `.detach()`.


# %%
def generator_step(D, G_solver, criterion, fakes):
    """One update of G; returns its loss."""
    # BEGIN SOLUTION
    fake_scores = D(fakes)
    loss = criterion(fake_scores, torch.ones_like(fake_scores))
    G_solver.zero_grad()
    loss.backward()
    G_solver.step()
    return loss.detach()
    # END SOLUTION


generator_step = check(generator_step, "01.7")

# %% [markdown]
# The loop joins them: one batch of real digits and one batch of fakes a step, D first, then G. Four
# numbers are kept as it goes. At a draw they tend to **d_loss 1.386**, **g_loss 0.693**, **D(x) ½**
# and **D(G(z)) ½**.


# %%
log_every = by_profile(short=5, cpu=20, gpu=50)


def note(history, step, **numbers):
    """Keep the numbers in the history, and print every tenth entry."""
    history.log(step, numbers)
    if step % (10 * log_every) == 0:
        texts = [f"{name} {float(value):.3f}" for name, value in numbers.items()]
        print(f"step {step:5d}  " + "  ".join(texts))


# %%
def train_by_hand(D, G, D_solver, G_solver, loader, epochs):
    """Train the pair; returns the history, and the fixed noise's digits: start, middle, end."""
    history, grids, step = cu.History(), [("start", draw_fixed(G))], 0
    batches = cu.stoppable(loader)  # the stop button ■ ends it after the present step
    for epoch in range(epochs):
        for images, _ in tqdm(batches, desc=f"epoch {epoch + 1} of {epochs}"):
            images = images.to(device)
            fakes = G(torch.randn(len(images), latent_size, device=device))
            d_loss, real, fake = discriminator_step(D, D_solver, criterion, images, fakes)
            g_loss = generator_step(D, G_solver, criterion, fakes)
            if step % log_every == 0:
                means = {"d_real": real.mean(), "d_fake": fake.mean()}
                note(history, step, d_loss=d_loss, g_loss=g_loss, **means)
            step += 1
            if step == epochs * len(loader) // 2:
                grids.append(("middle", draw_fixed(G)))
        if batches.stopped:
            break
    history.stopped = batches.stopped
    return history, [*grids, (cu.label_run("end", history), draw_fixed(G))]


# %% [markdown]
# **What to expect:** noise at first, then white heaps that all look alike, then strokes, and rough
# digits from the end of the first epoch on. D is a little ahead most of the time: D(x) above D(G(z)). Both swing
# widely, and that is healthy. If d_loss falls to 0 and stays there, G has lost.

# %%
history, grids = train_by_hand(D, G, D_solver, G_solver, loader, epochs)

# %% [markdown]
# The stop button ■ ends the cell after the present step; what G has learned until then is kept, and the
# figures below say so. Running the cell again trains on from there. To start afresh, run the cells from
# `G = Generator(...)` on. (The **kernel** is the Python behind the notebook: without it the networks are lost. The last
# cell of part 6 saves one.)

# %% [markdown]
# ## Part 5: what came out
#
# *About 5 minutes.* The same noise at the start, in the middle and at the end of the training. Each
# place in the grid is one noise vector: follow one place from left to right. *From our run:*
#
# ![Three grids side by side: grey noise at the start, rough digits in the middle and at the end](../docs/figures/01_growth.png)

# %% tags=["figure:growth"]
show_grids(
    grids,
    "Three grids from the same noise: noise at the start, rough shapes, then digits.",
    kind="fake",
)

# %% [markdown]
# The curves do not fall as those of a classifier do, and they should not: when one player gets
# better, the other one's loss rises. Watch for **balance**, not for descent. The losses do not
# tell you how good the pictures are. *From our run:*
#
# ![Curves of both losses, and of D(x) and D(G(z)), against the step](../docs/figures/01_losses.png)

# %% tags=["figure:losses"]
cu.plot_losses(history)

# %% [markdown]
# The fixed noise was nothing special. A batch of new noise gives new digits. Generated images have
# an orange frame all through the course.

# %%
with torch.no_grad():
    fresh = G(torch.randn(24, latent_size, device=device))
show_images(fresh, nrow=12, titles="New samples of the first pair", kind="fake")

# %% [markdown]
# Strokes, some digits, many specks: a start. The next pair changes four things: another D without a sigmoid, a
# second G whose weights are averaged over many steps, noise of another kind, and a training four times as long.

# %% [markdown]
# ## Part 6: logits
#
# *About 20 minutes.* D's raw score s is called its **logit**. A sigmoid squeezes it into 0…1, and the loss takes the logarithm
# of that. In float32 this breaks sooner than you think. See what happens to a score of 20 whose
# label is 0, "fake":

# %% tags=["nbval-check-output"]
score = torch.tensor([20.0], requires_grad=True)
zero = torch.zeros(1)
ways = {
    "-log(1 - sigmoid(s))": lambda s: -torch.log(1 - torch.sigmoid(s)).mean(),
    "nn.BCELoss": lambda s: nn.BCELoss()(torch.sigmoid(s), zero),
    "with logits": lambda s: F.binary_cross_entropy_with_logits(s, zero),
}
for name, way in ways.items():
    (gradient,) = torch.autograd.grad(way(score), score)
    print(f"{name:22s} loss {way(score).item():6.1f}   gradient {gradient.item():4.1f}")

# %% [markdown]
# The score is very wrong: its loss should be 20 and its gradient 1. Written out, both are lost, because
# sigmoid(20) is exactly 1.0 in float32. `nn.BCELoss` puts 100 in the place of infinity, with gradient
# **0**: nothing is learned from the worst mistakes. From **logits** (raw scores) both come out right.

# %% [markdown]
# The trick is to simplify before computing. With label y,
#
# $$\ell(s, y) = \max(s, 0) - s\,y + \log(1 + e^{-|s|})$$
#
# The only exponential has a negative exponent: it cannot overflow. Check by hand that for y = 1 this is
# −log sigmoid(s), once for a positive s and once for a negative one.
#
# **Exercise 01.8.** Write it, averaged over the batch.


# %%
def bce_with_logits(logits, labels):
    # BEGIN SOLUTION
    losses = logits.clamp(min=0) - logits * labels + torch.log1p(torch.exp(-logits.abs()))
    return losses.mean()
    # END SOLUTION


bce_with_logits = check(bce_with_logits, "01.8")

# %% [markdown]
# **Exercise 01.9, the loss of D.** Real images have label 1, fakes have label 0; add the two means.
# Use `F.binary_cross_entropy_with_logits`, or your own.


# %%
def discriminator_loss(logits_real, logits_fake):
    # BEGIN SOLUTION
    loss_real = F.binary_cross_entropy_with_logits(logits_real, torch.ones_like(logits_real))
    loss_fake = F.binary_cross_entropy_with_logits(logits_fake, torch.zeros_like(logits_fake))
    return loss_real + loss_fake
    # END SOLUTION


discriminator_loss = check(discriminator_loss, "01.9")

# %% [markdown]
# **Exercise 01.10, the loss of G.** It wants its fakes to be taken for real, so it labels them as ones:
# that is −log D(G(z)) again, the loss that does not saturate, computed from logits this time.


# %%
def generator_loss(logits_fake):
    # BEGIN SOLUTION
    return F.binary_cross_entropy_with_logits(logits_fake, torch.ones_like(logits_fake))
    # END SOLUTION


generator_loss = check(generator_loss, "01.10")

# %% [markdown]
# Every step throws G a little to one side or the other: that is one cause of the specks. The **average** of
# G's weights over the last steps is calmer than any single G. We keep it as we go. (Its full name is
# exponential moving average, **EMA**; `run_a_gan` calls it `ema`.)

# %% [markdown]
# After each step the average takes a little of the new weights and keeps the rest of the old ones:
# average ← decay · average + (1 − decay) · model. With decay 0.999 it looks back about 1,000 steps.
#
# **Exercise 01.11.** Do that for each parameter of `average`, in place.


# %%
@torch.no_grad()
def update_average(average, model, decay):
    # BEGIN SOLUTION
    for mean, value in zip(average.parameters(), model.parameters()):
        mean.mul_(decay).add_(value, alpha=1 - decay)
    # END SOLUTION


update_average = check(update_average, "01.11")

# %% [markdown]
# The better pair: a new G of the same class with its average beside it, and a D from
# `course_utils.models` whose last layer is a plain `Linear`: what it says is a logit. Its hidden layers are narrower (256), and
# leak less (0.01). Noise comes evenly from −1 to 1: no value is far out, so G meets no input that it has hardly practised on.

# %% tags=["nbval-check-output"]
cu.set_seed(3)
better_G = Generator(latent_size, hidden_size).to(device)
better_D = cu.build_discriminator().to(device)
average = copy.deepcopy(better_G)
print(better_D)

# %% [markdown]
# The loop again, shorter now. The loss functions take logits; D(x) is `sigmoid(logit)`, computed
# only to be shown. `BatchLoader` hands out the same digits as before, faster; part 7 measures
# how much.


# %%
def update(solver, loss):
    """Move one player's weights a step down its loss."""
    solver.zero_grad()
    loss.backward()
    solver.step()


# %%
def train_on_logits(D, G, average, loader, epochs):
    """Train the pair and keep the average of G; returns the history."""
    D_solver, G_solver = cu.get_optimizer(D, learning_rate), cu.get_optimizer(G, learning_rate)
    history, step, batches = cu.History(), 0, cu.stoppable(loader)
    for epoch in range(epochs):
        for images, _ in tqdm(batches, desc=f"epoch {epoch + 1} of {epochs}"):
            fakes = G(cu.sample_noise(len(images), latent_size, device=device))
            real, fake = D(images), D(fakes.detach())
            d_loss = discriminator_loss(real, fake)
            update(D_solver, d_loss)
            g_loss = generator_loss(D(fakes))
            update(G_solver, g_loss)
            update_average(average, G, decay=0.999)
            if step % log_every == 0:
                beliefs = {"d_real": real.detach().sigmoid(), "d_fake": fake.detach().sigmoid()}
                means = {name: belief.mean() for name, belief in beliefs.items()}
                note(history, step, d_loss=d_loss.detach(), g_loss=g_loss.detach(), **means)
            step += 1
        if batches.stopped:
            break
    history.stopped = batches.stopped
    return history


# %%
small = by_profile(short=1280, cpu=None, gpu=None)
fast_loader = cu.BatchLoader(cu.load_mnist(limit=small), batch_size, drop_last=True)

# %% [markdown]
# **What to expect:** the four numbers stay closer to a draw than before, and do not move much from the
# second epoch on. The digits go on getting better all the while: again, the losses do not tell you.

# %%
better_history = train_on_logits(better_D, better_G, average, fast_loader, better_epochs)

# %% [markdown]
# **What you should see**, from the averaged G: clear digits with few specks. Some are still no digits
# at all: a network of plain linear layers does not know that neighbouring pixels belong together. *From our run:*
#
# ![A grid of 60 generated digits; most can be read at once](../docs/figures/01_samples.png)

# %% tags=["figure:samples"]
with torch.no_grad():
    samples = average(cu.sample_noise(60, latent_size, device=device))
show_images(
    samples,
    nrow=12,
    titles=cu.label_run("Digits that nobody wrote", better_history),
    alt="A grid of 60 generated handwritten digits, 12 in a row; most can be read at once.",
    kind="fake",
)

# %%
cu.plot_losses(better_history)

# %% [markdown]
# How much better, in a number? Lesson 5 builds one: a **distance** to real digits, as a small classifier sees
# them (the formula is by the mathematician Fréchet). Smaller is better. In brackets stands what as many real
# test digits get: no G needs to be better than that.

# %%
with torch.no_grad():
    sets = {
        "first pair": G(torch.randn(2000, latent_size, device=device)),
        "better pair": average(cu.sample_noise(2000, latent_size, device=device)),
    }
for name, images in sets.items():
    print(f"{name}: {cu.frechet_classifier_distance(images)}")

# %% [markdown]
# Which of the four changes did it? This pair cannot say: D, the average, the noise and the length all changed at
# once. To find out, change one thing at a time. Keep the network before you play on:

# %%
folder = cu.get_runs_folder() / "lesson01"
folder.mkdir(parents=True, exist_ok=True)
torch.save(average.state_dict(), folder / "generator.pt")
print("saved in", folder)

# %% [markdown]
# ## Part 7: the same data, faster
#
# *About 5 minutes.* The `DataLoader` turns each digit into a picture object, a tensor and a
# normalised tensor, one by one. `BatchLoader` keeps all the pixels as bytes on the device and
# converts a whole batch at once. Same digits, same range, same loop.

# %% [markdown]
# **What to expect:** tens to hundreds of times faster on a CPU. Remember that this is the time for the
# data only: the networks' own time comes on top, and is the same for both.

# %%
batches = min(400, len(loader))
slow = time_batches(loader, batches)
fast = min(time_batches(fast_loader, batches) for _ in range(5))
print(f"DataLoader {1000 * slow / batches:.2f} ms a batch")
print(f"BatchLoader {1000 * fast / batches:.2f} ms a batch")
print(f"ratio: {slow / fast:.0f} times faster")

# %% [markdown]
# ## Part 8: the same loop, safer and faster
#
# *About 5 minutes.* From here on the course trains with `run_a_gan`. It takes your networks, your
# solvers and your two losses, and does what your loop does: D first, then G, one batch of fakes for both. What
# it adds is speed, and a run that can be lost loses at most its last minute.


# %%
few = by_profile(short=1280, cpu=6_400, gpu=60_000)
race_loader = cu.BatchLoader(cu.load_mnist(limit=few), batch_size, drop_last=True)


def build_pair():
    """A new D and G, and a solver for each."""
    D, G = cu.build_discriminator().to(device), Generator(latent_size, hidden_size).to(device)
    return D, G, cu.get_optimizer(D, learning_rate), cu.get_optimizer(G, learning_rate)


# %% [markdown]
# Where the speed comes from: D collects no gradients while G learns, D sees real digits and fakes in
# one pass, and matrices are multiplied in bfloat16 (bf16) where the machine can (16 bits a number in place of
# 32; the losses stay in float32). On a GPU the step is recorded once and replayed.


# %%
def train_by_course(epochs, **options):
    """`run_a_gan` with the losses of this lesson, and the average of G."""
    return cu.run_a_gan(
        *build_pair(),
        discriminator_loss,
        generator_loss,
        race_loader,
        num_epochs=epochs,
        noise_size=latent_size,
        ema=0.999,
        **options,
    )


# %%
def train_my_loop():
    D, G, _, _ = build_pair()
    return train_on_logits(D, G, copy.deepcopy(G), race_loader, epochs=1)


def measure(train):
    """Digits a second, with everything that `train` does."""
    began = time.perf_counter()
    if train().stopped:
        raise cu.Stopped  # a run that was cut short measures nothing: the cell ends here
    if device.type == "cuda":
        torch.cuda.synchronize()  # wait until the GPU has done what it was told
    return len(race_loader) * batch_size / (time.perf_counter() - began)


# %% [markdown]
# Both ways in turn, three times, with networks of the same kind and the same digits. **What to expect:** a
# gain on every machine, but a small one where there is no bfloat16, as the arithmetic stays the
# same. One line says what was chosen for your machine.

# %%
by_hand, by_course = [], []
for _ in range(3):
    by_hand.append(measure(train_my_loop))
    by_course.append(measure(lambda: train_by_course(epochs=1)))

slow, fast = sorted(by_hand)[1], sorted(by_course)[1]  # the one in the middle of three
print(f"the loop by hand {slow:,.0f} digits a second")
print(f"run_a_gan {fast:,.0f} digits a second")
print(f"ratio: {fast / slow:.2f} times faster")

# %% [markdown]
# Now the safety. A **checkpoint** is the whole state of a training in a file. A name for `checkpoint` keeps the run in a folder: both networks, both solvers, the
# average, the history and every random state. The same cell again goes on where it stopped, after a
# lost session too. The stop button ■ ends a run after the present step, and saves.

# %%
first_history = train_by_course(epochs=1, checkpoint="lesson01_race")
print(first_history)

# %% [markdown]
# Now two epochs. The networks are new ones, and yet it does not begin again: **look at the step that it
# goes on from.** Other settings (another learning rate, another loss) would start a run of their own,
# and `fresh=True` starts over.

# %%
race_history = train_by_course(epochs=2, checkpoint="lesson01_race")
print(race_history)

# %% [markdown]
# Without a notebook, `python -m course_utils train mlp_relu` trains the networks of the first pair, and leaves grids
# from one fixed noise, the history, and a distance.

# %% [markdown]
# ## When it goes wrong
#
# | what you see | what it usually is | what helps |
# | --- | --- | --- |
# | d_loss falls to 0, D(G(z)) to 0 | D has won: around the fakes it says "fake" everywhere, so its slope shows G no way out | a smaller learning rate for D; check that G's labels are ones |
# | all samples look alike | mode collapse | start again with another seed; a smaller learning rate for G |
# | grey noise for ever | G is not trained | does `G_solver` hold G's parameters? was `detach` used in G's step? |
# | `Trying to backward through the graph a second time` | D's step ran backward through G | `fakes.detach()` in D's step |
# | `nan` in a loss | logarithm of 0 | use logits |
# | the session was lost | Colab, or the battery | `run_a_gan(..., checkpoint="name")`, and in Colab `KEEP_RUNS_ON_DRIVE = True` |
# | red `NameError: name 'check' is not defined`, or another name | the kernel was restarted, or cells ran out of order | JupyterLab: Run > Run All Above Selected Cell; Colab: Runtime > Run before |
# | `✗ raise NotImplementedError still stands` | the empty exercise's line is above or below your answer | delete that line |

# %% [markdown]
# ## Questions
#
# Think first, then unfold.
#
# <details><summary>Why is d_loss about 1.386 no sign of good pictures?</summary>
#
# It says that D cannot tell. That is so when G is perfect, but also when D is too weak or has not
# learned yet. At step 0 it is 1.386 as well.
#
# </details>

# %% [markdown]
# <details><summary>What would happen without <code>detach</code> in D's step?</summary>
#
# D's `backward` would also run through G: wasted work, gradients in G that ask it to <em>help</em> D,
# and an error in G's own step, because that graph is used up.
#
# </details>

# %% [markdown]
# <details><summary>How can G learn to draw digits without ever seeing a real one?</summary>
#
# All it learns comes through D's gradient: "this pixel brighter, and I would believe you more". That
# is why G gets no better than D can judge.
#
# </details>

# %% [markdown]
# <details><summary>D(x) = 0.9 and D(G(z)) = 0.1: which player should worry?</summary>
#
# G is behind, but it still hears something: its loss −log 0.1 has a strong gradient. Worry when D(G(z))
# goes to 0 and stays there.
#
# </details>

# %% [markdown]
# ## Summary
#
# - D learns to tell real from fake, G learns to be taken for real; one step each, in turn.
# - At a draw: d_loss 1.386, g_loss 0.693, D(x) and D(G(z)) ½.
# - `detach` in D's step, none in G's. Logits, not probabilities.
# - Curves show balance; for quality look at pictures, or measure a distance (lesson 5).
# - `run_a_gan` is the same loop, faster, and it can be stopped and goes on.

# %% [markdown]
# ## What comes next
#
# These networks see 784 numbers in a row and do not know which pixels are neighbours. Convolutions do;
# with them strokes can become smooth. **One thing to try before:** double `better_epochs` and look
# again.
