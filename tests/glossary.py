"""The words of the course: where each is introduced, and which are not used.

Patterns meet a cell's text with every gap made one space, so a line break never hides a match.
"""

from __future__ import annotations

# term: (how it is used, how it is introduced, the lesson that introduces it)
TERMS: dict[str, tuple[str, str, str]] = {
    # Lesson 1
    "seed": (r"\bseed\b", r"seed \(the number that random draws start from\)", "01"),
    "generator": (r"\bgenerator\b", r"\*\*generator\*\* G turns random noise", "01"),
    "discriminator": (r"\bdiscriminator\b", r"\*\*discriminator\*\* D looks at", "01"),
    "fake": (r"\bfakes?\b", r"the \*\*fakes\*\*", "01"),
    "x": (r"D\(x\)", r"real data, \*\*x\*\*", "01"),
    "D(x)": (r"D\(x\)", r"\*\*D\(x\)\*\* for a real point", "01"),
    "z": (r"G\(z\)", r"random noise, \*\*z\*\*", "01"),
    "G(z)": (r"G\(z\)", r"into points G\(z\), the \*\*fakes\*\*", "01"),
    "D(G(z))": (r"D\(G\(z\)\)", r"\*\*D\(G\(z\)\)\*\* for a fake", "01"),
    "MLP": (r"\bMLPs?\b|_mlp\b", r"\*\*MLP\*\* \(multi-layer perceptron\)", "01"),
    "sigmoid": (r"\b[Ss]igmoid\b", r"\*\*sigmoid\*\*, sigmoid\(s\) = 1 / ", "01"),
    "batch": (r"\bbatch\b", r"a \*\*batch\*\* of 128 points", "01"),
    "solver": (r"solver", r"\*\*solver\*\* is an optimiser", "01"),
    "cross-entropy": (r"BCE|\bbce\b|[Cc]ross.entropy", r"\*\*cross-entropy\*\*, is −log of", "01"),
    "detach": (r"\bdetach\b", r"\*\*`detach`\*\* keeps D's lesson away", "01"),
    "profile": (r"by_profile\(", r"`by_profile` takes the numbers that suit", "01"),
    "mode": (r"\bmodes?\b(?! collapse)", r"A \*\*mode\*\* is one kind of data", "01"),
    "mode collapse": (r"mode collapse", r"This is \*\*mode collapse\*\*", "01"),
    "density of points": (r"\bdensity\b", r"\*\*density\*\* p \(how many", "01"),
    "saturating": (r"saturat", r"\*\*saturates\*\* \(goes flat\)", "01"),
    "device": (r"\bdevice\b", r"the same \*\*device\*\*: ", "01"),
    "hyperparameters": (r"[Hh]yperparam", r"before training, the \*\*hyperparameters\*\*", "01"),
    "latent": (r"\blatent", r"called the \*\*latent\*\* vector", "01"),
    "latent_size": (r"\blatent_size\b", r"`latent_size` is how many numbers", "01"),
    "epoch": (r"\bepochs?\b", r"An \*\*epoch\*\* is once through all", "01"),
    "noise_size": (r"\bnoise_size\b", r"\*\*`noise_size`\*\* is what a network calls", "01"),
    "kernel of a notebook": (r"\bkernel\b", r"\*\*kernel\*\* is the Python behind", "01"),
    "logits": (r"\blogits?\b", r"is called its \*\*logit\*\*", "01"),
    "average": (r"\b[Tt]he (\*\*)?average\b", r"The \*\*average\*\* of G's weights", "01"),
    "EMA": (r"\bEMA\b|\bema\b", r"exponential moving average, \*\*EMA\*\*", "01"),
    "distance": (
        r"\*\*distance\*\*|classifier_distance",
        r"a \*\*distance\*\* to real digits",
        "01",
    ),
    "Fréchet": (r"[Ff]r[eé]chet", r"by the mathematician Fréchet", "01"),
    "bfloat16": (r"\bbfloat16|\bbf16", r"bfloat16 \(bf16\)", "01"),
    "checkpoint": (r"\bcheckpoints?\b", r"A \*\*checkpoint\*\* is the whole state", "01"),
    # Lesson 2
    "kernel of a convolution": (
        r"kernel_size|(?<!\*)\*kernel\*",
        r"small window, the \*kernel\*",
        "02",
    ),
    "weight sharing": (r"weight sharing", r"weights are used at every place", "02"),
    "feature map": (r"feature maps?", r"\*\*feature maps\*\* of 28", "02"),
    "padding": (r"\b[Pp]adding\b", r"`padding=2` adds zeros", "02"),
    "stride": (r"\bstride\b", r"moves by a \*\*stride\*\* of", "02"),
    "transposed convolution": (
        r"[Tt]ransposed",
        r"\*\*transposed convolution\*\* stamps",
        "02",
    ),
    "max pooling": (r"\b[Pp]ooling\b|MaxPool", r"\(\*\*max pooling\*\*\)", "02"),
    "batch norm": (r"\bbatch norm\b", r"\*\*batch norm\*\*: it gives each channel", "02"),
    "standard deviation": (
        r"standard deviation",
        r"\*\*standard deviation\*\* 1 over the batch \(how far",
        "02",
    ),
    "hook": (r"\bhook\b|_hook\b", r"A \*hook\* is a function", "02"),
    "spread": (r"\bspread\b", r"\*\*spread\*\* of a unit: the standard deviation", "02"),
    "Xavier": (r"[Xx]avier", r"\*\*Xavier\*\* initialisation", "02"),
    "recipe": (r"\brecipes?\b", r"\*\*recipe\*\* \(a training with a name", "02"),
    "augmentation": (
        r"\b[Aa]ugmentation\b",
        r"\*\*Augmentation\*\* changes the training images",
        "02",
    ),
    "callback": (r"\bcallbacks?\b", r"A \*\*callback\*\* is called at", "02"),
    "floor": (r"\bfloor\b", r"\*floor\*: what as many real test digits get", "02"),
    # Lesson 3
    "softplus": (r"softplus", r"PyTorch calls `softplus\(-s\)`", "03"),
    "E": (r"\bE ?\\, ?", r"\*\*E\*\* for the mean", "03"),
    "divergence": (r"[Dd]ivergence", r"how far the two densities differ", "03"),
    "features": (r"\bfeatures\b", r"# what the classifier sees", "03"),
    "median": (r"\bmedian\b", r"\*\*median\*\* \(the middle one\)", "03"),
    # Lesson 4
    "dropout": (r"\b[Dd]ropout\b", r"\*\*Dropout\*\* makes its life harder", "04"),
    "spectral norm": (r"[Ss]pectral.norm", r"\*\*Spectral norm\*\* .* divides each layer's", "04"),
    "power iteration": (r"[Pp]ower iteration", r"\*\*power iteration\*\* gets near it", "04"),
    "R1": (r"\bR1\b", r"\*\*punish steepness\*\*: the R1 penalty", "04"),
    "nabla": (r"nabla|∇", r"∇ₓD\(x\) is the gradient", "04"),
    "half precision": (r"[Hh]alf precision", r"half precision \(2 bytes a number\)", "04"),
    # Lesson 5
    "Inception score": (r"Inception score", r"formula of the \*Inception score\*", "05"),
    "Kullback-Leibler": (r"Kullback", r"log\\frac\{p\(y\|x\)\}\{p\(y\)\}", "05"),
    "trace": (r"mathrm\{tr\}", r"\*\*trace\*\*, the sum of the diagonal", "05"),
    "Fréchet distance": (r"Fréchet distance", r"\*\*Fréchet distance\*\* of two Gaussians", "05"),
    "kernel distance": (r"kernel\W+distance", r"compares pictures in pairs", "05"),
    "standard error": (r"standard error", r"\*\*standard error\*\*: by how", "05"),
    "precision": (r"\*\*Precision", r"how many samples look real", "05"),
    "recall": (r"\b[Rr]ecall\b(?! and a gallery)", r"how much of the real world", "05"),
    "density": (r"judge_samples|\*\*Density", r"\*\*Density\*\*: in how many balls", "05"),
    "coverage": (r"judge_samples|\*\*Coverage", r"\*\*Coverage\*\*: the share of real", "05"),
    # Lesson 6
    "latent space": (r"latent space", r"are its \*\*latent space\*\*", "06"),
    "shell": (r"\bshell\b", r"as every other: latents lie in a thin \*\*shell", "06"),
    "interpolation": (r"interpolation", r"from a to b is \*linear interpolation", "06"),
    "arc": (r"\barcs?\b", r"The \*\*arc\*\* stays on the sphere", "06"),
    "ink": (r"\bink\b", r"The mean pixel, or \*\*ink\*\*", "06"),
    "activations": (r"\bactivations?\b", r"gives 2,048 numbers, the \*activations", "06"),
    "principal components": (r"[Pp]rincipal", r"are their \*\*principal components", "06"),
    "base64": (r"base64\b", r"each group of 3 bytes as 4 characters", "06"),
    # Lesson 7
    "one-hot": (r"one-hot", r"a 1 in the place of the digit", "07"),
    "embedding": (r"\bembedding\b", r"label's \*\*embedding\*\*", "07"),
    "projection discriminator": (r"projection discriminator", r"\*projected\* onto it", "07"),
    "accuracy score": (r"classification accuracy score", r"read from G's digits alone", "07"),
    # Lesson 8
    "large print": (r"large print", r"large print for readers with poor sight", "08"),
    "CPPN": (r"CPPN", r"a compositional pattern producing network", "08"),
    "radius": (r"\bradius\b(?! 2)", r"distance from the middle \(the \*radius\*", "08"),
    "bicubic": (r"bicubic", r"smooth curves \(\*bicubic\*\)", "08"),
    "sharpness": (r"[Ss]harpness", r"how wide is an edge\?", "08"),
    "luminance": (r"[Ll]uminance", r"light of both colours \(their \*luminance\*", "08"),
    "blur": (r"\bblur of|\*\*blur", r"that is the \*\*blur\*\*", "08"),
}

# what: (pattern, what to write in its place, an example that the pattern finds)
BANNED: dict[str, tuple[str, str, str]] = {
    "bare deviation": (
        r"(?<!standard )\bdeviations?\b",
        "standard deviation",
        "divide the deviation by the root",
    ),
    "dear": (r"\bdear(er|ly)?\b", "expensive", "digits are dear"),
    "for the like reason": (
        r"\b(for|in) the like\b",
        "for a similar reason",
        "for the like reason",
    ),
    "old English": (
        r"\b(upon|whilst|thrice|hence|thus|hither|thereby|wherein|unto|albeit)\b",
        "a word that is spoken today",
        "thus it follows",
    ),
    "not measured yet": (r"not measured yet", "nothing: leave the row out", "not measured yet"),
    "star-tuple": (r"\(\s*\*\(", "plain arguments", "f(*(a, b))"),
    "real run": (
        r"(is|are|came) (from|out of) a real run",
        "*From our run:*",
        "this is from a real run",
    ),
}
