"""Each term is introduced where it first appears, and one thing has one name in all lessons."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from course_utils.authoring import find_lessons
from course_utils.authoring.sources import read_cells

ROOT = Path(__file__).parent.parent

# term: (how it is used, how it is introduced). The first cell of the course that uses it introduces
# it, or its neighbour does. Headings, tables of contents and the pictures' alt texts count as uses.
TERMS = {
    "generator": (r"\bgenerator\b", r"\*\*generator\*\* G turns random noise"),
    "discriminator": (r"\bdiscriminator\b", r"\*\*discriminator\*\* D looks at"),
    "x": (r"D\(x\)", r"real data, \*\*x\*\*"),
    "z": (r"G\(z\)", r"random noise, \*\*z\*\*"),
    "fake": (r"\bfakes?\b", r"the \*\*fakes\*\*"),
    "seed": (r"\bseed\b", r"seed \(the number that\n?#? ?random draws start from\)"),
    "sigmoid": (r"\bsigmoid\b", r"\*\*sigmoid\*\*, sigmoid\(s\) = 1 / "),
    "batch": (r"\bbatch\b", r"a \*\*batch\*\* of 128 points"),
    "mode": (r"\bmodes?\b(?! collapse)", r"A \*\*mode\*\* is one kind of data"),
    "mode collapse": (r"mode collapse", r"This is \*\*mode collapse\*\*"),
    "saturating": (r"saturat", r"\*\*saturates\*\* \(goes flat\)"),
    "epoch": (r"\bepochs?\b", r"An \*\*epoch\*\* is once through all"),
    "latent": (r"\blatent", r"called the \*\*latent\*\* vector"),
    "logits": (r"\blogits?\b", r"is called its \*\*logit\*\*"),
    "checkpoint": (r"\bcheckpoints?\b", r"A \*\*checkpoint\*\* is the whole state"),
    "distance": (r"a \*\*distance\*\*", r"as a small classifier sees"),
    "floor": (r"\*floor\*", r"\*floor\*: what as many real test digits get"),
    "kernel": (r"(?<!lost )\bkernel\b(?! (was|has))", r"window, the \*kernel\*"),
    "feature map": (r"feature maps?", r"\*\*feature maps\*\* of 28"),
    "stride": (r"\bstride\b", r"moves by a \*\*stride\*\* of"),
    "padding": (r"\bpadding\b(?!=)", r"\*\*Padding\*\* first adds"),
    "batch norm": (r"\bbatch norm\b", r"\*\*batch norm\*\*: it gives each channel"),
    "spread": (r"\bspread\b", r"\*\*spread\*\* of a unit: the\s+standard deviation"),
    "augmentation": (r"\b[Aa]ugmentation\b", r"\*\*Augmentation\*\* changes the training images"),
    "softplus": (r"softplus", r"PyTorch calls `softplus\(-s\)`"),
    "recipe": (r"\*\*recipe\*\*", r"A \*\*recipe\*\* is a training with a name"),
    "dropout": (r"\b[Dd]ropout\b", r"\*\*Dropout\*\* makes its life harder"),
    "spectral norm": (r"\*\*Spectral norm", r"divides each layer's"),
    "one-hot": (r"one-hot", r"a 1 in the place of the digit"),
    "embedding": (r"\bembedding\b", r"label's \*\*embedding\*\*"),
    "Inception score": (r"Inception score", r"formula of the \*Inception score\*"),
    "Kullback-Leibler": (r"Kullback", r"log\\frac\{p\(y\|x\)\}\{p\(y\)\}"),
    "trace": (r"mathrm\{tr\}", r"\*\*trace\*\*, the sum of the diagonal"),
    "Fréchet distance": (r"Fréchet distance", r"\*\*Fréchet distance\*\* of two Gaussians"),
    "kernel distance": (r"kernel\W+distance", r"compares pictures in pairs"),
    "standard error": (r"standard error", r"\*\*standard error\*\*: by how"),
    "precision": (r"\*\*Precision", r"how many samples look real"),
    "recall": (r"\b[Rr]ecall\b(?! and a gallery)", r"how much of the real world"),
    "density": (r"judge_samples|\*\*Density", r"\*\*Density\*\*: in how many balls"),
    "coverage": (r"judge_samples|\*\*Coverage", r"\*\*Coverage\*\*: the share of real images"),
    "latent space": (r"latent space", r"are its \*\*latent space\*\*"),
    "shell": (r"\bshell\b", r"about as long as every other: latents lie in a thin \*\*shell"),
    "interpolation": (r"interpolation", r"straight line from a to b is \*linear interpolation"),
    "arc": (r"\barcs?\b", r"The \*\*arc\*\* stays on the sphere"),
    "ink": (r"\bink\b", r"The mean pixel, or \*\*ink\*\*"),
    "activations": (r"\bactivations?\b", r"first layer gives 2,048 numbers, the \*activations"),
    "principal components": (r"[Pp]rincipal", r"vary most are their \*\*principal components"),
    "half precision": (r"[Hh]alf precision", r"2 bytes each \(half precision\)"),
    "base64": (r"base64\b", r"each group of 3 bytes as 4 characters"),
    "projection discriminator": (r"projection discriminator", r"\*projected\*\s+#? ?onto it"),
    "accuracy score": (r"classification accuracy score", r"read from G's digits alone"),
    "CPPN": (r"CPPN", r"a compositional pattern producing network"),
    "radius": (r"\bradius\b(?! 2)", r"distance from the middle \(the \*radius\*"),
    "large print": (r"large print", r"large print for readers with poor sight"),
    "bicubic": (r"bicubic", r"smooth curves \(\*bicubic\*\)"),
    "sharpness": (r"[Ss]harpness", r"how wide is an edge\?"),
    "luminance": (r"[Ll]uminance", r"light of both colours \(their \*luminance\*"),
    "blur": (r"\bblur of|\*\*blur", r"that is the \*\*blur\*\*"),
}

# what: (pattern, what to write instead)
BANNED = {
    "deviation": (r"(?<!standard )(?<!standard\n)\bdeviations?\b", "standard deviation"),
    "dear": (r"\bdear(er|ly)?\b", "expensive"),
    "not measured yet": (r"not measured yet", "leave the row out"),
    "star-tuple": (r"\(\s*\*\(", "plain arguments"),
    "real run": (r"(is|are|came) (from|out of) a real run", "*From our run:*"),
}


@cache
def cells():
    """(place, kind, text) of every cell of the solved editions, in the order of the course."""
    found = []
    for lesson in find_lessons(ROOT):
        for cell in read_cells(lesson):
            text = cell.editions["solved"]
            found.append((f"{lesson.number}-{cell.place:03d}", cell.kind, text))
    return found


def find_first(pattern):
    texts = [text for _, _, text in cells()]
    return next((i for i, text in enumerate(texts) if re.search(pattern, _prose(text))), None)


def _prose(text):
    """Without pictures and links, whose words come before their time."""
    return re.sub(r"!?\[[^\]]*\]\([^)]*\)", "", text)


@pytest.mark.parametrize("term", TERMS)
def test_each_term_stands_beside_its_definition_at_first(term):
    use, definition = TERMS[term]
    first = find_first(use)
    assert first is not None, f"no lesson uses {term!r}: take it off the list"
    near = range(max(first - 1, 0), min(first + 2, len(cells())))
    beside = [cells()[i] for i in near]
    assert any(re.search(definition, text) for _, _, text in beside), (
        f"{term!r} is first used in {cells()[first][0]}, but introduced elsewhere: "
        f"{[place for place, _, text in cells() if re.search(definition, text)]}"
    )


@pytest.mark.parametrize("word", BANNED)
def test_one_thing_has_one_name(word):
    pattern, instead = BANNED[word]
    assert re.search(
        pattern, {"star-tuple": "f(*(a, b))", "real run": "is from a real run"}.get(word, word)
    )
    found = [place for place, _, text in cells() if re.search(pattern, text)]
    assert not found, f"{found}: write {instead!r}"
