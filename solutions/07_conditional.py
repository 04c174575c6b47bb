# %% [markdown]
# # Lesson 7: ask for a digit, and put the answers to use
#
# So far G drew what it liked. Here you tell it **which** digit, and then ask what such a generator is good for: can
# its samples teach another network? The answer is measured, and it is not the one that advertisements give. *From our run:*
#
# ![A grid of generated digits: each column is one digit from 0 to 9, each row one handwriting](../docs/figures/07_digits.png)

# %% [markdown]
# **What you need to know:** lessons 1 and 2; what a classifier is. Lesson 5 helps.
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
from course_utils import by_profile, check, extra_data, show_grids, show_images
from course_utils.metrics import extract
from course_utils.models import ProjectionDiscriminator, build_conditional_generator
from course_utils.training import ConditionalStep, train

cu.start("07")
cu.set_seed(7)

# %% [markdown]
# ## Part 1: tell G
#
# *About 10 minutes.* A network takes numbers, so the label becomes ten of them: a 1 in the place of the digit, 0
# elsewhere (*one-hot*). They simply stand behind the noise. The first layer multiplies each number of its input with
# weights of its own; so the weights behind a label's place are a pattern that this digit adds. It is learned like all others, and is
# called the label's **embedding**.

# %% [markdown]
# **Exercise 07.1.** Put each label one-hot behind its noise: from noise `(N, dim)` and labels `(N,)`, int64 from 0 to 9,
# make `(N, dim + 10)`. `F.one_hot(labels, 10)` gives integers.


# %%
def join(noise, labels):
    # BEGIN SOLUTION
    one_hot = F.one_hot(labels, 10).float()
    return torch.cat([noise, one_hot], dim=1)
    # END SOLUTION


join = check(join, "07.1")

# %% [markdown]
# The course ships a generator that was trained like this. To see noise and label apart, draw **every digit from the
# same noise**.
#
# **Exercise 07.2.** From noise `(N, dim)` return each row ten times in a row, `(10·N, dim)`, and the labels 0 to 9 for each of
# them, `(10·N,)`, int64.


# %%
def every_digit(noise):
    # BEGIN SOLUTION
    latents = noise.repeat_interleave(10, dim=0)
    labels = torch.arange(10).repeat(len(noise))
    return latents, labels
    # END SOLUTION


every_digit = check(every_digit, "07.2")

# %% [markdown]
# **What to expect:** ten columns, 0 to 9. In a row all digits share one noise, and with it something of a hand: thick or
# thin, upright or slanted. Nobody asked for that. G uses the noise for what the label does not say.

# %% tags=["figure:digits"]
G = cu.load_pretrained("cgan")


@torch.no_grad()
def draw(G, noise, labels):
    """The digits (N, 1, 28, 28) that G draws for this noise and these labels."""
    return torch.cat([G(part) for part in join(noise, labels).split(500)])


noise, labels = every_digit(torch.randn(8, 64))
show_images(
    draw(G, noise, labels),
    nrow=10,
    titles="The same noise, ten labels",
    alt="Eight rows of ten generated digits, 0 to 9 from left to right. Within a row strokes and slant are alike.",
    kind="fake",
)

# %% [markdown]
# In the window there is now a row of digits above the sliders. Change the digit, keep the hand.

# %%
cu.explore(G, space="directions")

# %% [markdown]
# ## Part 2: tell D
#
# *About 15 minutes.* If D did not know the label, G could draw a 3 whatever it was asked for. So D is shown image **and** label, and has two
# questions: is it a digit, and is it *this* one? Let h be what the convolutions see in the image. Miyato and Koyama (2018) add a score for each question:
#
# $$\text{score} = w \cdot h + b \;+\; v_{label} \cdot h$$

# %% [markdown]
# Each label has a vector v of its own, learned like w. The product is large where h points into the label's direction: h is *projected*
# onto it. That is why it is called the projection discriminator.
#
# **Exercise 07.3.** The score `(N,)` from h `(N, F)`, w `(F,)`, b (a number), all the vectors `(10, F)` and labels `(N,)`.


# %%
def projection_score(h, w, b, vectors, labels):
    # BEGIN SOLUTION
    is_digit = h @ w + b
    is_this_one = (h * vectors[labels]).sum(dim=1)
    return is_digit + is_this_one
    # END SOLUTION


projection_score = check(projection_score, "07.3")

# %% [markdown]
# The game is that of lesson 1, with one rule more: a real image comes with its own label; a fake comes with the label that was asked for.
# Then a good 3 in the place of a 7 is a bad fake.
#
# The losses are those of lesson 1 on logits, in a shorter form. The function softplus(s) = log(1 + eˢ) makes both:
#
# - softplus(−s) = −log sigmoid(s), the loss of a score s that should say "real";
# - softplus(s) = −log(1 − sigmoid(s)), the loss of one that should say "fake".

# %% [markdown]
# **Exercise 07.4.** D's loss: as ever, real images "real" and fakes "fake", `F.softplus(-score)` and `F.softplus(score)`, a mean
# each, and their sum. D is called as `D(images, labels)`. No gradient may reach G: detach `fakes`, and **only** them. D must learn from
# the fakes too, so its scores keep their gradients: no `no_grad` around D.


# %%
def d_loss(D, images, fakes, labels):
    # BEGIN SOLUTION
    real = D(images, labels)
    fake = D(fakes.detach(), labels)
    return F.softplus(-real).mean() + F.softplus(fake).mean()
    # END SOLUTION


d_loss = check(d_loss, "07.4")

# %% [markdown]
# **Exercise 07.5.** G's loss: D should take its fakes, with the labels that were asked for, for real. This time the gradient must
# go through D to the fakes: nothing is detached.


# %%
def g_loss(D, fakes, labels):
    # BEGIN SOLUTION
    return F.softplus(-D(fakes, labels)).mean()
    # END SOLUTION


g_loss = check(g_loss, "07.5")

# %% [markdown]
# The course's loop (`train`) runs any step. `ConditionalStep` is the step with labels; here yours takes its place: two updates, with
# your two losses. (It is still *made* like every step, with two loss functions of scores. They are those of lesson 1; `MyStep` uses yours
# instead.)


# %%
class MyStep(ConditionalStep):
    """One update of D, then one of G, with the losses of this lesson."""

    def update_d(self, images, labels, fakes):
        loss = d_loss(self.D, images, fakes, labels)
        self.D_solver.zero_grad()
        loss.backward()
        self.D_solver.step()
        return {"d_loss": loss.detach()}

    def update_g(self, images, labels, fakes):
        loss = g_loss(self.D, fakes, labels)
        self.G_solver.zero_grad()
        loss.backward()
        self.G_solver.step()
        return {"g_loss": loss.detach()}


# %%
train_set = cu.load_mnist("train", limit=by_profile(short=2000, cpu=None, gpu=None))
device = cu.get_device()
D, own = ProjectionDiscriminator().to(device), build_conditional_generator(64).to(device)
step = MyStep(
    D,
    own,
    cu.get_optimizer(D),
    cu.get_optimizer(own),
    cu.discriminator_loss,  # asked for by every step; MyStep calls d_loss and g_loss instead
    cu.generator_loss,
    noise_size=64,
    noise="normal",
)
loader = cu.BatchLoader(train_set, 64, device, drop_last=True)

# %% [markdown]
# **What to expect:** about a minute on two cores for one epoch of MNIST. The losses are as restless as ever. Of the samples each column is
# to become its own digit.

# %% tags=["figure:own"]
history = train(
    step, loader, num_epochs=1, show_every=by_profile(short=10, cpu=300, gpu=300), ema=0.99
)
own = history.averaged.cpu().eval()
noise, labels = every_digit(torch.randn(4, 64))
show_images(
    draw(own, noise, labels),
    nrow=10,
    titles=cu.label_run("Your own, after one epoch", history),
    alt="Four rows of ten generated digits after one epoch of training: most columns show their digit already.",
    kind="fake",
)

# %% [markdown]
# ## Part 3: does it obey?
#
# *About 5 minutes.* Ask a classifier that knows real digits: does it read what was asked for?
#
# **Exercise 07.6.** The share of samples whose largest logit `(N, 10)` is that of their label `(N,)`.


# %%
def obedience(logits, labels):
    # BEGIN SOLUTION
    return (logits.argmax(dim=1) == labels).float().mean()
    # END SOLUTION


obedience = check(obedience, "07.6")

# %%
count = by_profile(short=2000, cpu=5000, gpu=5000)
labels = torch.arange(count) % 10
for name, network in {"shipped": G, "your own": own}.items():
    seen = extract(draw(network, torch.randn(count, 64), labels))
    distance = float(cu.frechet_classifier_distance(seen, floor=False))
    print(f"{name}: {obedience(seen.logits, labels):.1%} obeyed, distance {distance:.1f}")

# %% [markdown]
# ## Part 4: samples as training data
#
# *About 20 minutes.* Labelled digits are expensive: somebody has to write and to read them. G gives as many as you like, with labels, for free.
# Is that new data? Take **100** real digits, ten of each, and nothing else: for the classifier and for the GAN as well. (A GAN that had
# seen all of MNIST would smuggle in 60,000 digits.) **What to expect:** about a minute on two cores.

# %%
few = extra_data.choose_few(cu.load_mnist("train"), 100, seed=0)
test_set = cu.load_mnist("test")
steps = by_profile(short=20, cpu=1500, gpu=1500)
few_G = extra_data.train_generator(few, seed=0, steps=steps)
few_samples = extra_data.draw_labelled(few_G, by_profile(short=500, cpu=10_000, gpu=10_000), seed=0)

# %% tags=["figure:few"]
columns = torch.arange(100).reshape(10, 10).T.flatten()  # ten 0s, ten 1s, ...: a digit to a column
show_grids(
    [
        ("its 100 real digits", few.images[columns]),
        ("100 of its samples", few_samples.images[:100]),  # their labels are 0 to 9, in turn
    ],
    "Two grids of 100 digits, a column for each digit from 0 to 9: the real ones, no two alike, and "
    "samples of a generator that has seen only those, much alike within a column.",
    nrow=10,
)

# %% [markdown]
# Look down the columns, in both grids one digit each. From 100 digits G has mostly learned **one picture for each label**, whatever the noise: D soon knows its few
# real digits by heart, and what it then rewards is near to them. Now the classifier: each batch half real digits, half samples.
#
# **Exercise 07.7.** From a batch of real images and one of samples, of the same size, make one: the first half of the real ones, then the first
# half of the samples.


# %%
def half_and_half(real, samples):
    # BEGIN SOLUTION
    half = len(real) // 2
    return torch.cat([real[:half], samples[:half]])
    # END SOLUTION


half_and_half = check(half_and_half, "07.7")

# %% [markdown]
# A batch of 20 of them, made by your function: real digits above, samples below. In each step below, the classifier sees 64 pictures
# made in the same way.

# %%
chosen = torch.randperm(100)[:20]
show_images(
    half_and_half(few.images[chosen], few_samples.images[chosen]),
    nrow=10,
    titles="Half real digits (above), half samples (below)",
    alt="Two rows of ten digits: ten real ones, and ten samples of the generator trained on 100.",
)

# %% [markdown]
# And what you would do without any GAN: **augmentation**. Move each real digit a little, another way each time (turned by up to 10 degrees, shifted by up to 2
# pixels). Five classifiers of the same kind, on the same 100 digits: about half a minute on two cores. **Before you run the cell:** put the five in order.

# %%
steps = by_profile(short=20, cpu=1000, gpu=1000)
for name, (real, made, moved) in extra_data.WAYS.items():
    network = extra_data.train_classifier(
        few if real else None,
        few_samples if made else None,
        extra_data.MOVES if moved else None,
        seed=0,
        steps=steps,
    )
    print(f"{name:>13}: {extra_data.count_right(network, test_set):.1%} of the test digits right")

# %% [markdown]
# One choice of 100 digits is one throw of the dice. The course has done this for 100 to 5,000 digits, with five choices each
# (`python -m course_utils extra-data`; all numbers in `docs/extra_data.md`). Each choice gives a *pair* of accuracies, with samples and without; what counts is their
# difference.

# %% [markdown]
# **Exercise 07.8.** From accuracies `(seeds,)` without and with samples: the mean of the differences, and its *standard error*, by how
# much that mean is typically off by chance. It is the standard deviation, `std()`, of the differences, divided by the root of their
# number.


# %%
def gain(without, with_samples):
    # BEGIN SOLUTION
    differences = with_samples - without
    error = differences.std() / math.sqrt(len(differences))
    return differences.mean(), error
    # END SOLUTION


gain = check(gain, "07.8")

# %% [markdown]
# What each change brings, in points (percent of the test digits), with its standard error. A row for each number of real digits; "both"
# means moved digits and samples.

# %%
rows = extra_data.load_rows()


def accuracies(count, way):
    return torch.tensor([row["accuracy"][way] for row in rows if row["count"] == count])


changes = [("real", "samples"), ("real", "moved"), ("moved", "both")]
names = [f"{before} to {after}" for before, after in changes]
print("digits" + "".join(f"{name:>19}" for name in names))
for count in extra_data.COUNTS:
    line = f"{count:6,}"
    for before, after in changes:
        mean, error = gain(accuracies(count, before), accuracies(count, after))
        line += f"{100 * mean:+13.1f} ± {100 * error:.1f}"
    print(line)

# %% tags=["figure:accuracy"]
figure = Figure(figsize=(7, 3.6))
axis = figure.subplots()
styles = {
    "real": (cu.REAL, "o-"),
    "moved": (cu.D_COLOUR, "s--"),
    "samples": (cu.FAKE, "^:"),
    "both": (cu.G_COLOUR, "d-."),
    "only samples": ("black", "x:"),
}
for way, (colour, style) in styles.items():
    means = torch.stack([accuracies(count, way).mean() for count in extra_data.COUNTS])
    spread = torch.stack([accuracies(count, way).std() for count in extra_data.COUNTS])
    axis.errorbar(extra_data.COUNTS, means, spread, fmt=style, color=colour, label=way, capsize=3)
axis.set(xscale="log", xlabel="real digits", ylabel="test digits right", xticks=extra_data.COUNTS)
axis.set_xticklabels([f"{count:,}" for count in extra_data.COUNTS])
axis.minorticks_off()
axis.legend(loc="lower right", fontsize=9)
cu.show_figure(
    figure,
    "Accuracy against the number of real digits for five ways to train. Moved digits are above real ones everywhere; with samples "
    "the curves stay close to those without; only samples is lowest.",
)

# %% [markdown]
# ### Why
#
# A generator trained on n pictures knows nothing but those n pictures. What it can add is what lies *between* them, as far as it has understood: with
# 500 or 1,000 digits about one point. With 100 it has understood too little, with 5,000 there is little left between. Moving adds something
# that the pictures do not say, and that **you** know: a turned 7 is still a 7. It helps more everywhere, and on top of it samples add nothing.

# %% [markdown]
# All of this was measured with one small convolutional network. Another kind of classifier may make more of the additions or less: a plain MLP, trained as briefly, gains
# from neither in our trials. Before you rely on such a table, measure with the network that you will use.

# %% [markdown]
# So be careful with "we doubled our data with a GAN". Ask: what had the GAN seen? Was it compared with plain augmentation? Over how many seeds?
# Samples can help where a generator knows more than the few pictures at hand: because it was trained on other data, or
# has structure built in.

# %% [markdown]
# ## Part 5: a score for a generator
#
# *About 5 minutes.* Turn the question round: the accuracy with **only samples** judges G. Somebody who learned to read from G's digits alone is asked to read real ones.
# It is called the *classification accuracy score* (Ravuri and Vinyals 2019). It notices what the distance of lesson 5 may forgive: labels that are wrong, and kinds of writing that never come up. After the ±
# stands the standard deviation over the five choices of digits.

# %%
print("digits    score in %    distance")
for count in extra_data.COUNTS:
    score = 100 * accuracies(count, "only samples")
    distances = torch.tensor([row["distance"] for row in rows if row["count"] == count])
    line = f"{count:6,}{score.mean():10.1f} ± {score.std():.1f}"
    print(f"{line}{distances.median():12.1f}")

# %% [markdown]
# From 1,000 to 5,000 digits the distance hardly changes, and the score still does. And even 5,000 digits' worth of samples teach less than 1,000
# real ones (the curve *real* above). Two numbers, two questions.

# %% [markdown]
# ## Part 6: what does it remember?
#
# *About 15 minutes.* A generator that has seen 100 pictures may give them back. For digits that is dull. For faces, letters or X-rays it is a **leak**:
# somebody's picture comes out of a network that was handed on without a second thought.

# %% [markdown]
# A test: hold back as many pictures as it was trained on. A sample from a G that has understood *digits* is as near to the one set as to the other, so about half of the samples are
# nearer to the training set. If it is clearly more than half, G remembers.
#
# **Exercise 07.9.** The share of samples `(N, P)` that are nearer to their nearest training picture than to their nearest other one. `torch.cdist` gives
# all distances, and `amin` the smallest in each row.


# %%
def share_of_copies(samples, training, others):
    # BEGIN SOLUTION
    to_training = torch.cdist(samples, training).amin(dim=1)
    to_others = torch.cdist(samples, others).amin(dim=1)
    return (to_training < to_others).float().mean()
    # END SOLUTION


share_of_copies = check(share_of_copies, "07.9")

# %%
others = extra_data.choose_few(cu.load_mnist("test"), 100, seed=1)
training, unseen = few.images.flatten(1), others.images.flatten(1)
large_samples = extra_data.draw_labelled(G, len(few_samples.labels), seed=0)
for seen, made in {"100": few_samples, "60,000": large_samples}.items():
    share = share_of_copies(made.images.flatten(1), training, unseen)
    print(f"G trained on {seen:>6} digits: {share:.0%} of its samples are nearer to the 100")

# %% tags=["figure:copies"]
ten = few_samples.images[:10]
nearest = cu.nearest_neighbours(ten, few.images)
show_images(
    torch.cat([ten, nearest.images[:, 0]]),
    nrow=10,
    titles="Ten samples; below each the nearest of its 100 training digits",
    alt="Two rows of ten digits: samples, and below each the most similar of the 100 training digits. Many pairs are nearly the same.",
)

# %% [markdown]
# ### Before you train on pictures of others
#
# - **Ask.** People do not agree to a generator by having a picture on the web. For faces, voices and patients, consent is also the law in many places.
# - **Say so.** Synthetic pictures go with a note that they are, and how they were made. A face that does not exist can still ruin a reputation that does.

# %% [markdown]
# - **Look for copies** before you hand on samples or weights, as above, and in features as well (`cu.nearest_neighbours(..., space="feature")`): a mirrored copy is a copy. No test of this kind proves
#   that there are none.
# - **Few pictures, many parameters** is where it leaks. More data, augmentation and stopping early help; none of them is a promise.

# %% [markdown]
# ## When it goes wrong
#
# | what you see | what it usually is | what helps |
# | --- | --- | --- |
# | all columns show the same digits | the label reaches G or D nowhere | `join`; `D(images, labels)` |
# | columns are right, rows all alike | G ignores the noise: a collapse in each class | more data; lesson 5, recall |
# | `Class values must be smaller than num_classes` | labels beyond 9 | `F.one_hot(labels, 10)` and labels 0 to 9 |
# | `expected ... int64` | labels as floats or bytes | `labels.long()` |
# | accuracy jumps from run to run | one seed | five seeds, pairs, and their error |
# | red `NameError: name 'check' is not defined`, or another name | the kernel was restarted, or cells ran out of order | JupyterLab: Run > Run All Above Selected Cell; Colab: Runtime > Run before |
# | red broken chains, `Error displaying widget: model not found`, or sliders that move and nothing happens | the kernel has ended since | run the cells above, then this cell |

# %% [markdown]
# ## Questions
#
# Think first, then unfold.
#
# <details><summary>Could G be told the label by a picture of it instead, say by ten planes of 28 x 28?</summary>
#
# Yes, that is another common way, for D as well. It costs more numbers and adds nothing: the first layer would sum them up again.
#
# </details>

# %% [markdown]
# <details><summary>Why are the vectors of the labels in D 0 at the start?</summary>
#
# Then D begins by judging digits as such, and learns about labels where that helps. Large random vectors would drown the first question at the start.
#
# </details>

# %% [markdown]
# <details><summary>With 5,000 real digits, samples do not help. Do they hurt?</summary>
#
# Half of each batch goes to pictures some of which are poor, so they may, a little. Look at the difference and its error before you say so.
#
# </details>

# %% [markdown]
# <details><summary>A hospital wants to publish samples instead of patients' pictures, "as they show nobody". What do you answer?</summary>
#
# That this has to be shown, not hoped: nearest neighbours against held-out pictures, in pixels and features; and that rare cases are the first to be remembered.
#
# </details>

# %% [markdown]
# ## Summary
#
# - One-hot behind the noise, a product with the label's vector in D: now G takes orders.
# - A GAN trained on n pictures adds a little to those n pictures, plain augmentation more. Compare over seeds, in pairs.
# - Train on samples, test on real: a score that notices wrong labels.
# - Trained on few pictures, a generator gives them back. Look before you hand it on, and ask before you train.

# %% [markdown]
# ## What comes next
#
# You can make a generator, steer it, judge it, and say what it is not good for. **One thing to try before:** train the classifier on 100 real digits and on samples of the
# **shipped** G, which has seen 60,000. What do you expect, and what would be wrong with advertising the result?
