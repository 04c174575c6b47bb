# %% [markdown]
# # Lesson 2: convolutions that draw (DCGAN on MNIST)
#
# The networks of lesson 1 see 784 numbers in a row. Here both players learn which pixels are
# neighbours, and strokes become smooth. *From our run* of this notebook; the digits
# it was shown had been turned a little, each by its own angle:
#
# ![A grid of 60 generated handwritten digits, white on black, some of them tilted](../docs/figures/02_samples.png)

# %% [markdown]
# **What you need to know:** lesson 1, that is the game, logits, and `run_a_gan`; what a convolution does to an
# image, roughly. The sizes are derived here.
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

import torch
from matplotlib.figure import Figure
from torch import nn
from torch.nn import functional as F
from torchvision import transforms

import course_utils as cu
from course_utils import by_profile, check, models, show_grids, show_images

cu.start("02")
cu.set_seed(2)  # the same random numbers in every run
device = cu.get_device()

# %%
train_set = cu.load_mnist("train", limit=by_profile(short=640, cpu=None, gpu=None))
digits, _ = next(iter(cu.BatchLoader(train_set, 64, device="cpu", seed=1)))
show_images(digits[:12], nrow=12, titles="Real digits", kind="real")

# %% [markdown]
# ## Part 1: pixels have neighbours
#
# *About 10 minutes.* Take all digits apart by one fixed shuffle: pixel 0 goes to the same new place in every
# image, pixel 1 to another, and so on. **Before you run the cell:** which network of lesson 1 would have a harder
# time with the images below, G or D?

# %%
order = torch.randperm(28 * 28)


def shuffle_pixels(images):
    """The same pixels in another order, the same one for all images."""
    return images.flatten(1)[:, order].reshape(images.shape)


# %%
show_grids(
    [("digits", digits[:25]), ("the same, shuffled", shuffle_pixels(digits[:25]))],
    "Two grids of 25 images: handwritten digits, and the same digits with all pixels shuffled; "
    "those look like grey dust.",
    kind="real",
)

# %% [markdown]
# Neither. A `Linear` layer has one weight for each pixel, and it does not care where the pixel lies: shuffle its
# weights in the same way, and it computes the same. So an MLP learns the right images as well as the left
# ones. That the left ones are *pictures* is lost on it.

# %% tags=["nbval-check-output"]
layer = nn.Linear(28 * 28, 5)
moved = copy.deepcopy(layer)
moved.weight.data = layer.weight.data[:, order]
same = torch.allclose(layer(digits.flatten(1)), moved(shuffle_pixels(digits).flatten(1)), atol=1e-4)
print("the same answers on shuffled digits:", same)

# %% [markdown]
# A **convolution** knows two things about pictures. What belongs together lies close together: it looks through a
# small window, the *kernel* (not the notebook's). And a stroke is a stroke wherever it is: the same few weights are
# used at every place (**weight sharing**).

# %% [markdown]
# Count what this saves. A convolution makes 32 **feature maps** of 28 × 28 from one digit: each says where one pattern is.
# (`padding=2` adds zeros around it.) A `Linear` layer with as many outputs has a weight for each pair of an input and
# an output, and a bias for each output. Guess both numbers first.

# %% tags=["nbval-check-output"]
convolution = nn.Conv2d(1, 32, kernel_size=5, padding=2)
maps = convolution(digits[:1])
linear = 28 * 28 * maps.numel() + maps.numel()
print("maps:", tuple(maps.shape[1:]))
print(f"Conv2d: {cu.count_params(convolution):,} parameters")
print(f"Linear with as many outputs: {linear:,} parameters")

# %% [markdown]
# ## Part 2: the arithmetic of sides
#
# *About 15 minutes.* Most errors in convolutional networks are wrong sizes, so we compute them first. Here
# is one row of 7 pixels, with a kernel of 3 that moves by a **stride** of 2. It fits in 3 places, so 3 numbers
# come out:
#
# ```
# pixels     0 1 2 3 4 5 6
# place 1    [---]
# place 2        [---]
# place 3            [---]
# ```

# %% [markdown]
# The first place is free. After it, the kernel can still move by *side − kernel* pixels, in steps of *stride*; a
# step that does not fit is not made. **Padding** first adds that many zeros at *both* ends.
#
# **Exercise 02.1.** The side that is left, as a whole number.


# %%
def conv_size(side, kernel, stride, padding):
    # BEGIN SOLUTION
    return (side + 2 * padding - kernel) // stride + 1
    # END SOLUTION


conv_size = check(conv_size, "02.1")

# %% [markdown]
# Torch's own layers are the judge. The cell makes a layer for each case, sends an empty image through, and compares the
# side that comes out with yours. Every case must agree; `assert` says nothing when it does.

# %% tags=["nbval-check-output"]
for side, kernel, stride, padding in [(28, 5, 1, 0), (28, 4, 2, 1), (14, 4, 2, 1), (7, 3, 2, 1)]:
    layer = nn.Conv2d(1, 1, kernel, stride, padding)
    got = layer(torch.zeros(1, 1, side, side)).shape[-1]
    assert got == conv_size(side, kernel, stride, padding)
    print(f"side {side}, kernel {kernel}, stride {stride}, padding {padding}: {got}")

# %% [markdown]
# G has to go the other way: from few numbers to many. A **transposed convolution** stamps: each pixel is
# multiplied with the whole kernel, and the stamp is added to the output; the next pixel's stamp lies *stride*
# further on. Three pixels, kernel 4, stride 2:
#
# ```
# stamp 1    [-----]
# stamp 2        [-----]
# stamp 3            [-----]
# output     0 1 2 3 4 5 6 7
# ```

# %% [markdown]
# The last stamp begins *side − 1* strides after the first, and is one kernel wide. Here **padding** takes away: so
# many pixels are cut off at both ends.
#
# **Exercise 02.2.** The side that a transposed convolution makes.


# %%
def transposed_size(side, kernel, stride, padding):
    # BEGIN SOLUTION
    return (side - 1) * stride - 2 * padding + kernel
    # END SOLUTION


transposed_size = check(transposed_size, "02.2")

# %% tags=["nbval-check-output"]
for side, kernel, stride, padding in [(1, 4, 1, 0), (4, 3, 2, 1), (7, 4, 2, 1), (14, 4, 2, 1)]:
    layer = nn.ConvTranspose2d(1, 1, kernel, stride, padding)
    got = layer(torch.zeros(1, 1, side, side)).shape[-1]
    assert got == transposed_size(side, kernel, stride, padding)
    print(f"side {side}, kernel {kernel}, stride {stride}, padding {padding}: {got}")

# %% [markdown]
# The second list is the first one backwards. Kernel 4, stride 2 and padding 1 halve an even side on the way down
# and double it on the way up. But 7 is odd: from 7 to 4 and back takes kernel 3.

# %% [markdown]
# ## Part 3: the classic pair
#
# *About 20 minutes.* First a discriminator as classifiers were built for long: convolve, then keep the strongest
# of each 2 × 2 pixels (**max pooling**). Before building a network, walk through it block by block, and write
# down the shape that you expect after each block.

# %% tags=["nbval-check-output"]
x = nn.Conv2d(1, 32, kernel_size=5)(digits)
assert x.shape == (64, 32, conv_size(28, 5, 1, 0), 24)
x = nn.MaxPool2d(2)(x)
assert x.shape == (64, 32, conv_size(24, 2, 2, 0), 12)
x = nn.MaxPool2d(2)(nn.Conv2d(32, 64, kernel_size=5)(x))
assert x.shape == (64, 64, 4, 4)
print("flat:", tuple(x.flatten(1).shape))

# %% [markdown]
# **Exercise 02.3, the max-pool discriminator.** `Conv2d(1, 32, kernel_size=5)`, `LeakyReLU(0.01)`, `MaxPool2d(2)`;
# `Conv2d(32, 64, kernel_size=5)`, `LeakyReLU(0.01)`, `MaxPool2d(2)`; `Flatten`, `Linear(1024, 1024)`,
# `LeakyReLU(0.01)`, `Linear(1024, 1)`. No sigmoid: it gives logits. Return an `nn.Sequential`.


# %%
def build_classifier():
    # BEGIN SOLUTION
    return nn.Sequential(
        nn.Conv2d(1, 32, kernel_size=5),
        nn.LeakyReLU(0.01),
        nn.MaxPool2d(2),
        nn.Conv2d(32, 64, kernel_size=5),
        nn.LeakyReLU(0.01),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(64 * 4 * 4, 64 * 4 * 4),
        nn.LeakyReLU(0.01),
        nn.Linear(64 * 4 * 4, 1),
    )
    # END SOLUTION


build_classifier = check(build_classifier, "02.3")

# %% [markdown]
# The check asks `cu.test_dc_classifier`, which takes a network and is silent when it is right. You can call it
# yourself: on a network with a mistake it raises an `AssertionError` with a hint.

# %% tags=["nbval-check-output"]
cu.test_dc_classifier(build_classifier())

spoiled = nn.Sequential(build_classifier(), nn.Sigmoid())
try:
    cu.test_dc_classifier(spoiled)
except AssertionError as problem:
    print(problem)

# %% [markdown]
# `cu.summarize` prints a table of layers (in the shape of the package torchsummary) for one input. Read the shapes from top to bottom,
# −1 being the batch; then the parameters. **Before you look:** which layer holds nearly all of them?

# %%
cu.summarize(build_classifier(), (1, 28, 28))

# %% [markdown]
# A convolution has *in · out · kernel²* weights and *out* biases; a `Linear` has *in · out* weights and *out*
# biases. So the one `Linear(1024, 1024)` is larger than all the rest together. The convolutions do most of the
# work, though: each of their weights is used at hundreds of places.

# %% tags=["nbval-check-output"]
for name, layer in {
    "first Conv2d": nn.Conv2d(1, 32, kernel_size=5),
    "second Conv2d": nn.Conv2d(32, 64, kernel_size=5),
    "first Linear": nn.Linear(1024, 1024),
    "all": build_classifier(),
}.items():
    print(f"{name:14s}{cu.count_params(layer):12,} parameters")

# %% [markdown]
# Its generator starts with two `Linear` layers that make 128 small maps of 7 × 7, then doubles the side twice.
# Between the layers stands **batch norm**: it gives each channel mean 0 and **standard deviation** 1 over the batch (how
# far from the mean values typically lie). Part 6 takes it apart; for now it is a layer that keeps the signal at a good size.

# %% [markdown]
# **Exercise 02.4, the batch-norm generator.** `Linear(noise_dim, 1024)`, `ReLU`, `BatchNorm1d`; `Linear(1024, 6272)`, `ReLU`,
# `BatchNorm1d`; `Unflatten(1, (128, 7, 7))`; `ConvTranspose2d(128, 64, kernel_size=4, stride=2, padding=1)`, `ReLU`,
# `BatchNorm2d`; the same transposed convolution from 64 channels to 1, and `Tanh`. (6272 = 128 · 7 · 7; a batch norm gets
# the number of its channels.)


# %%
def build_dc_generator(noise_dim):
    # BEGIN SOLUTION
    return nn.Sequential(
        nn.Linear(noise_dim, 1024),
        nn.ReLU(),
        nn.BatchNorm1d(1024),
        nn.Linear(1024, 128 * 7 * 7),
        nn.ReLU(),
        nn.BatchNorm1d(128 * 7 * 7),
        nn.Unflatten(1, (128, 7, 7)),
        nn.ConvTranspose2d(128, 64, kernel_size=4, stride=2, padding=1),
        nn.ReLU(),
        nn.BatchNorm2d(64),
        nn.ConvTranspose2d(64, 1, kernel_size=4, stride=2, padding=1),
        nn.Tanh(),
    )
    # END SOLUTION


build_dc_generator = check(build_dc_generator, "02.4")

# %% [markdown]
# A helper that we need several times: what comes out of every layer, in the order in which they are used. A *hook* is a
# function that a layer calls when it has computed something. Then the shapes of your G, with an `assert` for
# what you expect at the end.


# %%
def watch_layers(network, inputs):
    """Pairs (kind of layer, its output) of a copy of the network, in the order of use."""
    network, seen = copy.deepcopy(network), []
    for layer in network.modules():
        if not list(layer.children()):
            layer.register_forward_hook(lambda m, _, out: seen.append((type(m).__name__, out)))
    network(inputs)
    return seen


# %% tags=["nbval-check-output"]
def show_shapes(network, inputs):
    """Print the shape after each layer that changes it."""
    shape = inputs.shape
    for kind, output in watch_layers(network, inputs):
        if output.shape != shape:
            shape = output.shape
            print(f"{kind:16s}{tuple(shape[1:])}")


noise = cu.sample_noise(8, 96)
show_shapes(build_dc_generator(96), noise)
assert build_dc_generator(96)(noise).shape == (8, 1, 28, 28)

# %% [markdown]
# ## Part 4: how to begin
#
# *About 15 minutes.* Before training, weights are random. How large should they be? Take the **spread** of a unit: the
# standard deviation of what it says, from digit to digit. Each layer multiplies it by some factor. If that is below 1,
# little is left after many layers, and as little of the gradient on its way back.

# %% [markdown]
# A unit with *in* inputs adds *in* random terms, so the spread grows with √in; on the way back it is √out.
# **Xavier** initialisation (Glorot and Bengio 2010) strikes the middle. It draws evenly between −a and a with
#
# $$a = \sqrt{\frac{6}{\text{in} + \text{out}}}$$
#
# For a convolution, *in* and *out* count the places of the kernel as well.

# %% [markdown]
# **Exercise 02.5.** For one `module`: if it is a `Linear`, `Conv2d` or `ConvTranspose2d`, fill its weight by
# `nn.init.xavier_uniform_` and its bias, if there is one, with zeros. Leave any other module as it is. Nothing
# needs to be returned: `network.apply(initialize_weights)` calls it for every layer.


# %%
def initialize_weights(module):
    # BEGIN SOLUTION
    if isinstance(module, (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    # END SOLUTION


initialize_weights = check(initialize_weights, "02.5")

# %% [markdown]
# Now look at the max-pool discriminator, which has no batch norm to mend the size of its signal. Four ways to
# begin: PyTorch's own, Xavier, and normal weights of one spread in all layers, far too small and
# too large.


# %%
def draw_weights(spread):
    """A function for `apply`: normal weights of this spread, biases 0."""

    def initialize(module):
        initialize_weights(module)
        if isinstance(module, (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)):
            nn.init.normal_(module.weight, std=spread)

    return initialize


starts = {
    "PyTorch's own": lambda module: None,
    "Xavier": initialize_weights,
    "spread 0.001": draw_weights(0.001),
    "spread 0.2": draw_weights(0.2),
}

# %% [markdown]
# For each: the spread of the signal after each of the four layers that have weights, and that of the gradient of D's
# logit that arrives at the image. This gradient is all that G will ever hear.


# %%
def measure_spread(network, images):
    """The signal's spread after each layer with weights, then that of the gradient at the image."""
    images = images.clone().requires_grad_()
    seen = watch_layers(network, images)
    weighted = [out for kind, out in seen if kind in ("Conv2d", "Linear")]
    spreads = [out.std(dim=0).mean().item() for out in weighted]  # from digit to digit
    (gradient,) = torch.autograd.grad(network(images).sum(), images)
    return spreads, gradient.std().item()


results = {}
for name, start in starts.items():
    results[name] = measure_spread(build_classifier().apply(start), digits)
    spreads = "  ".join(f"{spread:8.2g}" for spread in results[name][0])
    print(f"{name:14s} signal {spreads}   gradient {results[name][1]:8.2g}")

# %% tags=["figure:spread"]
figure = Figure(figsize=(6.5, 3.4))
axis = figure.subplots()
for (name, (spreads, _)), style in zip(results.items(), ["o--", "s-", "v:", "^-."]):
    places = ["conv 1", "conv 2", "linear 1", "logit"]
    axis.plot(places, spreads, style, color=cu.D_COLOUR, label=name)
axis.set(yscale="log", ylabel="spread of the signal", title="Through D, before any training")
axis.legend(fontsize=8)
cu.show_figure(
    figure,
    "The spread of the signal after each of four layers of D, on a logarithmic scale, for four ways "
    "to draw the first weights. With a spread of 0.001 it falls steeply, with 0.2 it rises.",
)

# %% [markdown]
# Look at the logit and at the gradient. With weights far too small D says 0 to everything, and what reaches G is next
# to nothing. With weights too large D is sure of itself before it has learned anything. The other two lie between;
# compare how much of the signal each of them lets through.

# %% [markdown]
# Does it matter in training? A fair test: two pairs, the same seed, noise and digits; one starts as PyTorch
# does, one with Xavier. **What to expect:** after a few hundred steps, shapes that begin to look like digits. See which
# pair is ahead, and by how much. It may be neither: Adam mends much of a bad size, and batch norm does so in G.

# %%
few = cu.load_mnist("train", limit=by_profile(short=128, cpu=38_400, gpu=60_000))


def train_classic(start):
    """A short training of the classic pair; the samples from its fixed noise at the end."""
    cu.set_seed(20)
    D, G = build_classifier().to(device), build_dc_generator(96).to(device)
    D.apply(start)
    G.apply(start)
    cu.set_seed(21)  # the same noise for both, however many numbers the start has drawn
    history = cu.run_a_gan(
        D,
        G,
        cu.get_optimizer(D),
        cu.get_optimizer(G),
        cu.discriminator_loss,
        cu.generator_loss,
        cu.BatchLoader(few, batch_size=128, drop_last=True, seed=2),
        num_epochs=by_profile(short=1, cpu=1, gpu=4),
        progress=True,
    )
    return history


# %%
starting = {}
for name in ("PyTorch's own", "Xavier"):
    starting[name] = train_classic(starts[name])

# %% tags=["figure:starts"]
show_grids(
    list(starting.items()),
    "Two grids of 25 samples after a few hundred steps, from the same noise: one pair started with "
    "PyTorch's own weights, the other with Xavier's.",
    kind="fake",
)

# %% [markdown]
# One pair of runs is an anecdote: another seed may turn it round. What does hold: a size that no layer can
# work with never helps. And whoever compares with a published result starts as it did; the course's own `dcgan`, a
# **recipe** (a training with a name, lesson 3), uses Xavier.

# %% [markdown]
# ## Part 5: stride in place of pooling
#
# *About 15 minutes.* Max pooling passes a gradient back to only one pixel of four. The DCGAN paper (Radford et al. 2015)
# replaced it: a convolution with **stride 2** halves the side itself, and learns how. Batch norm goes into both
# networks, a leak of 0.2 into D, and the large `Linear` layers go.

# %% [markdown]
# On its way down, D's sides are 28, 14, 7, 4. G starts from z = 64 numbers as an image of 1 × 1 pixel with 64
# channels and goes the same way up. Your formulas say so:

# %% tags=["nbval-check-output"]
down, up = [28], [1]
for kernel in (4, 4, 3):
    down.append(conv_size(down[-1], kernel, stride=2, padding=1))
for kernel, stride, padding in [(4, 1, 0), (3, 2, 1), (4, 2, 1), (4, 2, 1)]:
    up.append(transposed_size(up[-1], kernel, stride, padding))
print("D:", down, " G:", up)
assert up[1:] == down[::-1]

# %% [markdown]
# One detail: batch norm subtracts the mean of each channel, so a bias just before it would be taken away again. Those
# convolutions get `bias=False`.
#
# **Exercise 02.6, the strided discriminator.** `Conv2d(1, 32, kernel_size=4, stride=2, padding=1)`, `LeakyReLU(0.2)`;
# from 32 to 64 channels the same without a bias, `BatchNorm2d(64)`, `LeakyReLU(0.2)`; from 64 to 128 with **kernel 3**, without a
# bias, `BatchNorm2d(128)`, `LeakyReLU(0.2)`; `Flatten`, `Linear(2048, 1)`.


# %%
def build_strided_discriminator():
    # BEGIN SOLUTION
    return nn.Sequential(
        nn.Conv2d(1, 32, kernel_size=4, stride=2, padding=1),
        nn.LeakyReLU(0.2),
        nn.Conv2d(32, 64, kernel_size=4, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(64),
        nn.LeakyReLU(0.2),
        nn.Conv2d(64, 128, kernel_size=3, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(128),
        nn.LeakyReLU(0.2),
        nn.Flatten(),
        nn.Linear(128 * 4 * 4, 1),
    )
    # END SOLUTION


build_strided_discriminator = check(build_strided_discriminator, "02.6")

# %% tags=["nbval-check-output"]
show_shapes(build_strided_discriminator(), digits)
assert build_strided_discriminator()(digits).shape == (64, 1)

# %% [markdown]
# **Exercise 02.7, the strided generator.** `Unflatten(1, (noise_dim, 1, 1))`; then transposed convolutions to 128
# channels (kernel 4, stride 1, no padding), 64 (kernel **3**, stride 2, padding 1), 32 (kernel 4, stride 2, padding 1) and 1 (the
# same). After each of the first three, which have no bias, come `BatchNorm2d` and `ReLU`; after the last one only `Tanh`.


# %%
def build_strided_generator(noise_dim):
    # BEGIN SOLUTION
    return nn.Sequential(
        nn.Unflatten(1, (noise_dim, 1, 1)),
        nn.ConvTranspose2d(noise_dim, 128, kernel_size=4, bias=False),
        nn.BatchNorm2d(128),
        nn.ReLU(),
        nn.ConvTranspose2d(128, 64, kernel_size=3, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(64),
        nn.ReLU(),
        nn.ConvTranspose2d(64, 32, kernel_size=4, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        nn.ConvTranspose2d(32, 1, kernel_size=4, stride=2, padding=1),
        nn.Tanh(),
    )
    # END SOLUTION


build_strided_generator = check(build_strided_generator, "02.7")

# %% tags=["nbval-check-output"]
noise_size = 64
noise = cu.sample_noise(64, noise_size, "normal")
show_shapes(build_strided_generator(noise_size), noise)
assert build_strided_generator(noise_size)(noise).shape == (64, 1, 28, 28)

# %% [markdown]
# How much smaller is the strided pair? Think of the two layers that held nearly all the parameters in part 3, one in
# D and one in G, and of what stands in their place now. **Guess before you run it.**

# %% tags=["nbval-check-output"]
for name, D, G in [
    ("max pooling", build_classifier(), build_dc_generator(96)),
    ("strided", build_strided_discriminator(), build_strided_generator(noise_size)),
]:
    print(f"{name:12s} D {cu.count_params(D):>9,}   G {cu.count_params(G):>9,} parameters")

# %% [markdown]
# ## Part 6: what batch norm does
#
# *About 15 minutes.* In training, batch norm takes each channel of the batch, over all images and all places, subtracts
# its mean and divides by its standard deviation:
#
# $$y = \frac{x - \text{mean}}{\sqrt{\text{variance} + \varepsilon}}$$
#
# The variance is the *biased* one (divided by the count itself), and ε = 10⁻⁵ keeps the root above 0.

# %% [markdown]
# **Exercise 02.8.** Compute it for `x` of shape `(N, C, H, W)`; the result has the same shape. (The layer of torch
# then multiplies each channel by a learned number and adds another. At the start these are 1 and 0, so they are left out
# here.)


# %%
def batch_norm(x):
    # BEGIN SOLUTION
    mean = x.mean(dim=(0, 2, 3), keepdim=True)
    variance = x.var(dim=(0, 2, 3), unbiased=False, keepdim=True)
    return (x - mean) / torch.sqrt(variance + 1e-5)
    # END SOLUTION


batch_norm = check(batch_norm, "02.8")

# %% tags=["nbval-check-output"]
x = 3 * torch.randn(16, 4, 7, 7) + 5
print("as torch's:", torch.allclose(batch_norm(x), nn.BatchNorm2d(4)(x), atol=1e-5))

# %% [markdown]
# Read the formula once more: the mean is that of the *batch*. What the network says of one image depends on
# which other images are there. We ask a new D about 64 real digits: alone, and together with 64 fakes in one
# batch. **What to expect:** without batch norm the two scores of a digit would be equal, all points on
# the line.

# %%
cu.set_seed(6)
fresh_D = build_strided_discriminator().apply(initialize_weights)
fresh_G = build_strided_generator(noise_size).apply(initialize_weights)
with torch.no_grad():
    fakes = fresh_G(noise)
    apart = fresh_D(digits)
    together = fresh_D(torch.cat([digits, fakes]))[:64]
print(f"a digit's score changes by {(apart - together).abs().mean():.2f} on average;")
print(f"the scores have a spread of {apart.std():.2f}")

# %% tags=["figure:together"]
figure = Figure(figsize=(4.2, 3.8))
axis = figure.subplots()
axis.scatter(apart, together, s=14, color=cu.REAL, label="a real digit")
ends = [min(apart.min(), together.min()), max(apart.max(), together.max())]
axis.plot(ends, ends, "--", color="grey", label="no difference")
axis.set(xlabel="score, batch of real digits", ylabel="score, fakes in the batch")
axis.legend(fontsize=8)
cu.show_figure(
    figure,
    "The score that D with batch norm gives each of 64 real digits, alone against in one batch "
    "with fakes. The points lie off the diagonal, where both would be equal.",
)

# %% [markdown]
# Why this matters for a GAN. If D learns on mixed batches, it can learn "real lies above the mean of the batch".
# In G's step the batch holds fakes only, and half of them lie above *their* mean: D looks fooled, and
# G learns nothing. Lesson 5 shows such a run.

# %% [markdown]
# So the course's loop shows a D with batch norm the real digits and the fakes **apart**, each with statistics of their own. (A
# D without batch norm sees both in one pass: the same scores, less time. `run_a_gan` finds out by itself.)

# %% [markdown]
# ### Training and use
#
# The layer also keeps a running average of the means and variances that it has seen. `network.eval()` makes it use those, in
# place of the batch's; `network.train()` switches back. For G this is the difference between training and drawing: a
# digit should not depend on the others drawn with it.

# %% tags=["nbval-check-output"]
with torch.no_grad():
    for mode in ("train", "eval"):
        fresh_G.train(mode == "train")
        same = torch.allclose(fresh_G(noise)[:8], fresh_G(noise[:8]), atol=1e-5)
        print(f"{mode}: the first 8 digits are the same with and without the other 56: {same}")

# %% [markdown]
# `run_a_gan` takes care of it: it trains in `train` mode and draws its samples in `eval` mode. When you use a generator
# yourself, call `G.eval()` first, or use `cu.load_pretrained`, which hands out networks that are in it.

# %% [markdown]
# ## Part 7: turn every digit
#
# *About 10 minutes.* **Augmentation** changes the training images in ways that leave them what they are. A digit turned by
# up to 20 degrees is still that digit. D sees more of them, and G learns to draw at all angles: what
# it is shown is what it makes.

# %% [markdown]
# `F.affine_grid` wants a matrix for each image that says where, in the *old* image, a *new* pixel looks. With x to
# the right and y **down**, both from −1 to 1, a turn counter-clockwise by the angle α is
#
# $$\begin{pmatrix} \cos\alpha & -\sin\alpha & 0 \\ \sin\alpha & \cos\alpha & 0 \end{pmatrix}$$

# %% [markdown]
# The last column would move the image; it stays where it is.
#
# **Exercise 02.9.** From angles `(N,)` in degrees make the matrices `(N, 2, 3)`. `torch.deg2rad` converts;
# `torch.stack([...], dim=1)` puts columns `(N,)` together as rows, and rows as matrices.


# %%
def rotation_matrices(degrees):
    # BEGIN SOLUTION
    angle = torch.deg2rad(degrees)
    cos, sin, zero = angle.cos(), angle.sin(), torch.zeros_like(angle)
    first = torch.stack([cos, -sin, zero], dim=1)
    second = torch.stack([sin, cos, zero], dim=1)
    return torch.stack([first, second], dim=1)
    # END SOLUTION


rotation_matrices = check(rotation_matrices, "02.9")

# %% [markdown]
# `F.grid_sample` reads the image at those places, between pixels too. It fills with 0 what comes in from outside. Our black
# is −1, so we add 1 before and subtract it after.


# %%
def rotate(images, degrees):
    """Turn image i counter-clockwise by degrees[i]."""
    grid = F.affine_grid(rotation_matrices(degrees), images.shape, align_corners=False)
    return F.grid_sample(images + 1, grid, align_corners=False) - 1


# %%
cu.set_seed(7)
one_digit = digits[:1].repeat(12, 1, 1, 1)
degrees = torch.empty(12).uniform_(-20, 20)

# %%
show_images(
    rotate(one_digit, degrees),
    nrow=12,
    titles=[f"{angle:+.0f}°" for angle in degrees.tolist()],
    alt="One real digit twelve times, each turned by an angle of its own between -20 and 20 degrees.",
    kind="real",
)

# %% [markdown]
# Twelve digits, twelve angles. torchvision has `RandomRotation`, too, made for one picture at a time. Give it a whole
# batch, and it draws **one angle for all of them**:

# %%
by_torchvision = transforms.RandomRotation(20, fill=-1)(one_digit)
show_images(by_torchvision, nrow=12, titles="RandomRotation: one angle for the batch", kind="real")
print("all alike:", torch.equal(by_torchvision, by_torchvision[:1].expand(12, 1, 28, 28)))

# %% [markdown]
# With one angle for all, whole batches tilt to and fro from step to step. `cu.random_rotation(20)` turns each image by its own angle, as yours does, inside the loader:

# %%
rotation = cu.random_rotation(20)
rotated_loader = cu.BatchLoader(train_set, batch_size=64, augment=rotation, drop_last=True)
rotated_digits, _ = next(iter(rotated_loader))
show_images(rotated_digits[:24], nrow=12, titles="What D will see as real", kind="real")

# %% [markdown]
# ## Part 8: the training
#
# *About 10 minutes.* The strided pair on turned digits: Adam with a learning rate of 2·10⁻⁴, normal noise of 64, batches of
# 64. The samples come from the average of G (`ema`), as in lesson 1.

# %%
cu.set_seed(8)
D = build_strided_discriminator().to(device)
G = build_strided_generator(noise_size).to(device)
D_solver = cu.get_optimizer(D, lr=2e-4, betas=(0.5, 0.99))
G_solver = cu.get_optimizer(G, lr=2e-4, betas=(0.5, 0.99))
epochs = by_profile(short=1, cpu=8, gpu=30)

# %% [markdown]
# The dashboard compares samples with real digits that are turned alike: G can only be as upright as what it was shown.
# Its first look takes a moment, as the classifier then goes through all of MNIST, turned, once. (In the profile `short` the
# plain digits have to do.)

# %%
reference = cu.get_reference("mnist", by_profile(short=None, cpu=rotation, gpu=rotation))
dashboard = cu.LiveDashboard(reference=reference)

# %% [markdown]
# **What to expect:** grey dust, then clouds, then strokes, then digits, some of them tilted. The average of G lags behind by
# about a thousand steps. D may stay ahead for the whole run: its loss below 1.386, that of G above 0.693. That
# does no harm while the samples improve. *From our run:*
#
# ![The dashboard at the end: losses, what D believes, samples, the share of each class](../docs/figures/02_dashboard.png)

# %% [markdown]
# The run has a name, so it survives the session: run the cell again, and it goes on where it stopped, or shows the
# finished run. `fresh=True` would start over. `progress=True` adds a bar with the time that is left. A **callback** is
# called at the start, every `show_every` steps, and at the end: here it draws the dashboard.

# %% tags=["figure:dashboard"]
history = cu.run_a_gan(
    D,
    G,
    D_solver,
    G_solver,
    cu.discriminator_loss,
    cu.generator_loss,
    rotated_loader,
    num_epochs=epochs,
    noise_size=noise_size,
    noise="normal",
    ema=0.999,
    show_every=by_profile(short=10, cpu=100, gpu=500),
    callbacks=[dashboard],
    checkpoint="lesson02_rotated",
    progress=True,
)

# %%
print(history)
cu.animate_samples(history)

# %% [markdown]
# Press play, or use the arrow keys: the same 25 noise vectors from the first look to the last. Count how
# many change their mind about which digit they are.

# %% tags=["figure:samples"]
average = copy.deepcopy(history.averaged).cpu().eval()
with torch.no_grad():
    samples = average(cu.sample_noise(60, noise_size, "normal"))
show_images(
    samples,
    nrow=12,
    titles=cu.label_run("Digits by convolutions, trained on turned ones", history),
    alt="A grid of 60 generated handwritten digits, 12 in a row; some are tilted to the left or right.",
    kind="fake",
)

# %% [markdown]
# A longer training of the same kind, from the command line: `python -m course_utils train dcgan_rotated --profile cpu`. It
# ends with a grid, a verdict and the numbers of lesson 5.

# %% [markdown]
# ## Part 9: side by side with lesson 1
#
# *About 5 minutes, most of them waiting.* Are convolutions worth it? The better MLP pair of lesson 1 against the strided pair,
# both on upright digits, with the same batch size and learning rate, and an averaged G. One function trains either.


# %%
loader = cu.BatchLoader(train_set, batch_size=64, drop_last=True)


def train_pair(D, G, num_epochs, **options):
    """`run_a_gan` on upright digits; the history holds the averaged G."""
    return cu.run_a_gan(
        D,
        G,
        cu.get_optimizer(D),
        cu.get_optimizer(G),
        cu.discriminator_loss,
        cu.generator_loss,
        loader,
        num_epochs=num_epochs,
        ema=0.999,
        progress=True,
        **options,
    )


# %% [markdown]
# An epoch of convolutions takes longer, so the MLPs get more epochs. **What to expect:** two bars that run to their ends; the
# table below then says how long each took. *From our run:*
#
# ![Two grids of 25 generated digits side by side, of the MLP pair and of the strided pair](../docs/figures/02_side_by_side.png)

# %%
cu.set_seed(9)
pairs = {
    "MLP": (cu.build_discriminator().to(device), models.build_leaky_generator(96).to(device)),
    "DCGAN": (
        build_strided_discriminator().to(device),
        build_strided_generator(noise_size).to(device),
    ),
}
noises = {"MLP": (96, "uniform"), "DCGAN": (noise_size, "normal")}
long = {"MLP": by_profile(short=1, cpu=6, gpu=60), "DCGAN": by_profile(short=1, cpu=4, gpu=30)}

# %%
histories = {}
for name, networks in pairs.items():
    size, kind = noises[name]
    histories[name] = train_pair(*networks, long[name], noise_size=size, noise=kind)

# %% [markdown]
# Then samples of both, as many as the measure of lesson 5 wants: the **distance** to real digits, as a small
# classifier sees them. Smaller is better. Beside it stands its *floor*: what as many real test digits get.


# %%
@torch.no_grad()
def draw_samples(G, noise):
    """Samples of G in use (`eval`), on the CPU, a few hundred at a time."""
    G = copy.deepcopy(G).eval()
    return torch.cat([G(part.to(device)).cpu() for part in noise.split(500)])


count = by_profile(short=2000, cpu=5000, gpu=5000)
drawn = {
    name: draw_samples(run.averaged, cu.sample_noise(count, *noises[name]))
    for name, run in histories.items()
}

# %%
scores = {name: cu.frechet_classifier_distance(drawn[name]) for name in drawn}

# %%
print("        parameters (D + G)   minutes   images a second   distance    floor")
for name, run in histories.items():
    size = sum(cu.count_params(network) for network in pairs[name])
    minutes, speed, score = run.seconds / 60, run.images_per_second, scores[name]
    print(f"{name:6s}{size:16,}{minutes:14.1f}{speed:15,.0f}{float(score):17.1f}{score.floor:9.1f}")

# %% tags=["figure:side_by_side"]
show_grids(
    [
        (cu.label_run(f"{name}, {run.seconds / 60:.1f} min", run), drawn[name][:25])
        for name, run in histories.items()
    ],
    "Two grids of 25 generated digits, one by the MLP pair and one by the strided pair, with the "
    "minutes that each trained.",
    kind="fake",
)

# %% [markdown]
# Which one is ahead? The fair question is: **at equal time, on your machine**. Parameters are a poor measure of cost: each weight of a
# convolution is used at many places, so the smaller network may well be the slower one. If the minutes in your table differ much,
# change the epochs and run it again.

# %% [markdown]
# Look at the grids as well as at the number. An MLP paints pixel by pixel, so its mistakes are specks. A convolution paints
# with strokes: what do its mistakes look like?

# %% [markdown]
# ## Part 10: a generator in use
#
# *About 5 minutes.* The course ships a pair with the layers of part 8, trained for longer on turned digits. Drawing takes
# four steps, here and with any generator: load it, switch to `eval`, noise of the kind and size it was trained with, and `torch.no_grad()`.
# `cu.load_pretrained` does the first two.

# %%
shipped_G = cu.load_pretrained("dcgan_rotated")
shipped_D = cu.load_pretrained("dcgan_rotated", part="D")
with torch.no_grad():
    made = shipped_G(cu.sample_noise(64, 64, "normal"))
    scores = shipped_D(made).flatten()
ranks = scores.argsort(descending=True)

# %% [markdown]
# D has an opinion on each. Sort by it: here are the 12 that it takes most for real, and the 12 least.
# **Before you read on:** would you have sorted them so?

# %% tags=["figure:scored"]
chosen = torch.cat([ranks[:12], ranks[-12:]])
show_images(
    made[chosen],
    nrow=12,
    titles=[f"{score:+.1f}" for score in scores[chosen].tolist()],
    alt="24 of 64 generated digits with D's logits: the 12 highest in the first row, the 12 lowest "
    "in the second.",
    kind="fake",
)

# %%
with torch.no_grad():
    real, _ = next(iter(cu.BatchLoader(cu.load_mnist("test"), 500, device="cpu", seed=3)))
    turned = rotate(real, torch.empty(500).uniform_(-20, 20))
    more = shipped_G(cu.sample_noise(500, 64, "normal"))
    groups = {"real": real, "real, turned": turned, "generated": more}
    opinions = {name: shipped_D(images).flatten() for name, images in groups.items()}
for name, values in opinions.items():
    print(
        f"{name:13s} logit {values.mean():+.2f} on average, {(values > 0).float().mean():.0%} above 0"
    )

# %%
figure = Figure(figsize=(6.5, 3.2))
axis = figure.subplots()
looks = [(cu.REAL, "-"), (cu.REAL, ":"), (cu.FAKE, "--")]
every = torch.cat(list(opinions.values()))
bins = torch.linspace(every.min(), every.max(), 41)
for (name, values), (colour, style) in zip(opinions.items(), looks):
    axis.hist(values, bins, histtype="step", color=colour, linestyle=style, lw=1.8, label=name)
axis.axvline(0, color="grey", linewidth=0.8)
axis.set(xlabel="D's logit (right of 0: taken for real)", ylabel="images of 500")
axis.legend()
cu.show_figure(
    figure,
    "Histograms of D's logits for 500 real test digits (solid), the same digits turned (dotted) and "
    "500 generated ones (dashed).",
)

# %% [markdown]
# What these scores mean: how D tells *this* G's images from the digits it was trained on. What they do not mean:
#
# - **quality**: D looks for what gives G away, and that need not be what makes a digit bad;
# - **a yardstick**: another D has another scale, so scores of two runs cannot be compared;

# %% [markdown]
# - **a probability for new images**: D knows two kinds only, and says something about everything else, too;
# - **what D said in training**: there it used the batch's own statistics, with real digits and fakes apart. In `eval` it uses
#   running averages over both kinds, which fit neither quite.
#
# To compare generators, use a judge that is not in the game: lesson 5.

# %% [markdown]
# ## When it goes wrong
#
# | what you see | what it usually is | what helps |
# | --- | --- | --- |
# | `mat1 and mat2 shapes cannot be multiplied` | a side is not what you think | `show_shapes`, then `conv_size` for each block |
# | images of 32 × 32 come out | kernel 4 where 3 belongs, from 4 to 7 | `transposed_size` for each block |
# | `Expected more than 1 value per channel` | batch norm in training, batch of one | `G.eval()`, or a larger batch |
# | fine samples in training, poor ones later | G is in train mode, or lost its running statistics | `G.eval()`; save `state_dict()`, which holds them |
# | d_loss near 0, samples stay dust | D is too strong | a lower learning rate for D; are batches mixed? |
# | a pattern like a chessboard | stamps overlap unevenly | a kernel that the stride divides: 4 and 2 |
# | red `NameError: name 'check' is not defined`, or another name | the kernel was restarted, or cells ran out of order | JupyterLab: Run > Run All Above Selected Cell; Colab: Runtime > Run before |
# | red broken chains, or `Error displaying widget: model not found` | the kernel has ended since | run the cells above, then this cell |

# %% [markdown]
# ## Questions
#
# Think first, then unfold.
#
# <details><summary>Kernel 5, stride 2: why may a transposed convolution leave a chessboard?</summary>
#
# Stamps of width 5 at distance 2 overlap two or three deep, in turn: every other pixel gets more. With
# kernel 4 each pixel away from the border gets two. (Our own kernel 3 overlaps unevenly, too; the two layers after it can
# smooth that out.)
#
# </details>

# %% [markdown]
# <details><summary>Why has the last layer of G no batch norm?</summary>
#
# It would fix the mean brightness and the contrast of every batch. G should choose those itself. In D's first
# layer it is left out for a similar reason: real digits and fakes should keep their differences.
#
# </details>

# %% [markdown]
# <details><summary>You turn the digits by up to 180 degrees. What will G draw, and what is lost?</summary>
#
# Digits at all angles, and some that nobody can name: a turned 6 is a 9. Augmentation may only change what does not
# matter.
#
# </details>

# %% [markdown]
# <details><summary>Why is the bias before a batch norm useless, but not that of a layer without one?</summary>
#
# A bias adds the same to a whole channel. Batch norm subtracts the channel's mean, and with it the bias. Without a norm it
# stays.
#
# </details>

# %% [markdown]
# ## Summary
#
# - Convolutions know neighbours and use each weight at many places.
# - Down: (side + 2 · padding − kernel) // stride + 1. Up: (side − 1) · stride − 2 · padding + kernel.
# - Batch norm ties the images of a batch together: real and fake apart for D, `eval()` for using G.
# - Turn each image by its own angle, and judge against real digits turned alike.
# - Compare networks at equal time; D's score is no measure of quality.

# %% [markdown]
# ## What comes next
#
# When D is far ahead, its logits are large and cross-entropy has little left to say to D. Lesson 3 changes only the loss:
# **least squares**, with other gradients for both players. **One thing to try before:** leave batch norm out of D, and look what becomes of the
# speed and of the samples.
