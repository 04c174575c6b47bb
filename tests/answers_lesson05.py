"""What students write for the exercises of lesson 5: right in many ways, and wrong in many.

An answer is the text below the exercise's first line (`HEADS`), or a whole cell where it begins
with its `def` or its name. With each wrong answer stand words that its verdict must hold.
"""

from __future__ import annotations

from typing import Any

from helpers import define_answer, swap

from course_utils.exercises.lesson05 import root_trace

NAMES = {
    "05.1": "classifier_score",
    "05.2": "spread_of_classes",
    "05.3": "fit_gaussian",
    "05.4": "root_trace",
    "05.5": "frechet_distance",
    "05.6": "kernel_distance",
    "05.7": "precision",
    "05.8": "nearest",
    "05.9": "diagnose_by_eye",
}

HEADS = {
    "05.1": "def classifier_score(probabilities):",
    "05.2": "def spread_of_classes(classes):",
    "05.3": "def fit_gaussian(features):",
    "05.4": "def root_trace(cov1, cov2):",
    "05.5": "def frechet_distance(mean1, cov1, mean2, cov2):",
    "05.6": "def kernel_distance(x, y):",
    "05.7": "def precision(real, samples, k):",
    "05.8": "def nearest(samples, training):",
    "05.9": "def diagnose_by_eye():",
}


def define(exercise_id: str, answer: str) -> Any:
    """The function that a notebook cell with this answer defines, after the cells before it."""
    name = NAMES[exercise_id]
    whole = (f"def {name}(", name)
    return define_answer(answer, name, HEADS[exercise_id], whole, root_trace=root_trace)


_FEW = [[2.0, 0, 1, 0], [1, 0, 2, 1], [2, 1, 1, 0]]
_MORE = [[0.0, 1, 0, 1], [0, 2, 1, 1], [1, 1, 0, 0], [0, 2, 0, 2], [0, 0, 0, 1]]
_COV1 = [[2.0, 1, 0], [1, 3, 1], [0, 1, 2]]
_COV2 = [[3, 0.5, 0.5], [0.5, 2, 0], [0.5, 0, 1]]

QUESTIONS: dict[str, list[tuple[Any, ...]]] = {  # what each check asks
    "05.1": [
        ([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.6, 0.1, 0.3], [0.2, 0.2, 0.6]],),
        ([[23 / 32 if c == peak else 1 / 32 for c in range(10)] for peak in (0, 0, 1, 2, 3)],),
    ],
    "05.2": [([0, 0, 0, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9],), ([7, 1, 7, 1, 1],)],
    "05.3": [
        ([[1.0, 2, 0], [3, 1, 1], [2, 4, 5], [0, 0, 2], [4, 3, -3]],),
        ([[2.0, 1, 0, 1, 3], [4, 0, 1, 1, 0], [0, 2, 2, 4, 1]],),
    ],
    "05.5": [
        ([1.0, 0, 2], _COV1, [0, 2, 2.5], _COV2),
        ([1.0, 0, 2], _COV2, [1.0, 0, 2], _COV2),
    ],
    "05.6": [(_FEW, _MORE), (_MORE, _FEW), (_FEW, _FEW)],
}


SCORE = """\
overall = probabilities.mean(dim=0)
kl = (probabilities * (probabilities / overall).log()).sum(dim=1)
return kl.mean().exp()
"""

SPREAD = """\
shares = torch.bincount(classes, minlength=10) / len(classes)
kl = torch.xlogy(shares, 10 * shares).sum()
return shares, kl
"""

GAUSSIAN = """\
mean = features.mean(dim=0)
centred = features - mean
covariance = centred.T @ centred / (len(features) - 1)
return mean, covariance
"""

ROOT = """\
values, vectors = torch.linalg.eigh(cov1)
root = vectors * values.clamp(min=0).sqrt()
return torch.linalg.eigvalsh(root.T @ cov2 @ root).clamp(min=0).sqrt().sum()
"""

FRECHET = """\
gap = (mean1 - mean2).square().sum()
return gap + cov1.trace() + cov2.trace() - 2 * root_trace(cov1, cov2)
"""

KERNEL = """\
def kernel(a, b):
    return (a @ b.T / a.shape[1] + 1) ** 3
n, m = len(x), len(y)
own_x, own_y, between = kernel(x, x), kernel(y, y), kernel(x, y)
within_x = (own_x.sum() - own_x.trace()) / (n * (n - 1))
within_y = (own_y.sum() - own_y.trace()) / (m * (m - 1))
return within_x + within_y - 2 * between.mean()
"""

PRECISION = """\
reach = torch.cdist(real, real).sort(dim=1).values[:, k]
inside = torch.cdist(samples, real) <= reach
return inside.any(dim=1).float().mean()
"""

NEAREST = """\
table = torch.cdist(samples.flatten(1), training.flatten(1))
return table.argmin(dim=1), table.amin(dim=1)
"""

DIAGNOSES = """\
return {1: "D too strong", 2: "healthy", 3: "learning rate too high", 4: "collapsed",
        5: "mixed batches"}
"""


def kernel(power: str) -> str:
    """The right answer with another kernel."""
    return swap(KERNEL, ("(a @ b.T / a.shape[1] + 1) ** 3", power))


RIGHT: dict[str, list[str]] = {
    "05.1": [
        SCORE,
        """
        p = probabilities
        y = p.mean(0, keepdim=True)
        return torch.exp((p * (torch.log(p) - torch.log(y))).sum(1).mean())
        """,
        """
        overall = probabilities.mean(dim=0).expand_as(probabilities)
        return F.kl_div(overall.log(), probabilities, reduction="batchmean").exp()
        """,
        """
        def entropy(p):
            return -torch.xlogy(p, p).sum(dim=-1)
        return (entropy(probabilities.mean(dim=0)) - entropy(probabilities).mean()).exp()
        """,
        """
        y = probabilities.sum(dim=0) / len(probabilities)
        return 2 ** (probabilities * (probabilities / y).log2()).sum(dim=1).mean()
        """,
        """
        y, total = probabilities.mean(dim=0), 0.0
        for p in probabilities:
            total += float((p * (p / (y + 1e-10) + 1e-10).log()).sum())
        return torch.tensor(total / len(probabilities)).exp().item()
        """,
        """
        from torch.distributions import Categorical, kl_divergence
        each, all_ = Categorical(probabilities), Categorical(probabilities.mean(dim=0))
        return kl_divergence(each, all_).mean().exp()
        """,
    ],
    "05.2": [
        SPREAD,
        """
        shares = F.one_hot(classes, 10).float().mean(dim=0)
        seen = shares[shares > 0]
        return shares, (seen * (seen / 0.1).log()).sum()
        """,
        """
        counts = torch.zeros(10)
        for c in classes:
            counts[c] += 1
        shares = counts / counts.sum()
        return [shares, (shares * torch.log(10 * shares + 1e-12)).sum().item()]
        """,
        """
        shares = torch.stack([(classes == c).double().mean() for c in range(10)])
        return shares, torch.tensor(10.0).log() + torch.xlogy(shares, shares).sum()
        """,
        """
        shares = torch.histc(classes.float(), bins=10, min=0, max=9) / classes.numel()
        entropy = torch.special.entr
        return shares, entropy(torch.full((10,), 0.1)).sum() - entropy(shares).sum()
        """,
        """
        shares = torch.bincount(classes, minlength=10).div(len(classes))
        kl = shares * (shares * 10).log()
        return shares, kl.nan_to_num(0).sum()
        """,
    ],
    "05.3": [
        GAUSSIAN,
        "return features.mean(dim=0), torch.cov(features.T)",
        "return features.mean(0), features.T.cov(correction=1)",
        """
        n = features.shape[0]
        mean = features.sum(dim=0) / n
        return [mean, (features.T @ features - n * torch.outer(mean, mean)) / (n - 1)]
        """,
        """
        features -= features.mean(dim=0, keepdim=True).clone() * 0
        mean = features.mean(dim=0, keepdim=True)
        d = features - mean
        return mean.squeeze(0), torch.einsum("ni,nj->ij", d, d) / (len(d) - 1)
        """,
        """
        mean, total = features.mean(dim=0), 0
        for row in features:
            total = total + torch.outer(row - mean, row - mean)
        return mean, total / (len(features) - 1)
        """,
        """
        mean = features.mean(dim=0)
        features = features - mean
        return mean, features.T @ features / (len(features) - 1)
        """,
    ],
    "05.4": [
        ROOT,
        "return torch.linalg.eigvals(cov1 @ cov2).real.clamp(min=0).sqrt().sum()",
        "return torch.linalg.eigvals(cov2 @ cov1).sqrt().real.sum().item()",
        "return torch.linalg.eigvals(cov1 @ cov2).abs().sqrt().sum()",
        """
        def root(c):
            values, vectors = torch.linalg.eigh(c)
            return vectors @ torch.diag(values.clamp(min=0).sqrt()) @ vectors.T
        return torch.linalg.svdvals(root(cov1) @ root(cov2)).sum()
        """,
        """
        u, s, _ = torch.linalg.svd(cov1)
        root = u @ s.sqrt().diag() @ u.T
        inside = torch.linalg.eigvalsh(root @ cov2 @ root)
        return sum(max(v, 0.0) ** 0.5 for v in inside.tolist())
        """,
        """
        values, vectors = torch.linalg.eigh(cov2)
        root = vectors * torch.relu(values).sqrt()
        return torch.relu(torch.linalg.eigh(root.T @ cov1 @ root)[0]).sqrt().sum()
        """,
    ],
    "05.5": [
        FRECHET,
        "return ((mean1 - mean2) ** 2).sum() + (cov1 + cov2).trace() - 2 * root_trace(cov2, cov1)",
        """
        d = mean2 - mean1
        return (d @ d + torch.trace(cov1) + torch.trace(cov2) - 2 * root_trace(cov1, cov2)).item()
        """,
        """
        between = torch.linalg.norm(mean1 - mean2) ** 2
        traces = cov1.diag().sum() + cov2.diagonal().sum()
        roots = torch.linalg.eigvals(cov1 @ cov2).real.clamp(min=0).sqrt().sum()
        return between + traces - 2 * roots
        """,
        swap(FRECHET, ("return gap", "return torch.relu(gap"), ("cov2)", "cov2))")),
        """
        def frechet_distance(mean1, cov1, mean2, cov2):
            mean1 = mean1 - mean2
            cov = cov1 + cov2
            return mean1.pow(2).sum() + torch.einsum("ii", cov) - 2 * root_trace(cov1, cov2)
        """,
    ],
    "05.6": [
        KERNEL,
        """
        def kernel(a, b):
            return (torch.einsum("id,jd->ij", a, b) / a.size(1) + 1).pow(3)
        def within(a):
            k = kernel(a, a)
            return k[~torch.eye(len(a), dtype=torch.bool)].mean()
        return [within(x) + within(y) - 2 * kernel(x, y).mean()][0]
        """,
        """
        n, m, d = len(x), len(y), x.shape[-1]
        xx, yy, xy = ((a @ b.T / d + 1) ** 3 for a, b in ((x, x), (y, y), (x, y)))
        xx.fill_diagonal_(0)
        yy.fill_diagonal_(0)
        return xx.sum() / n / (n - 1) + yy.sum() / (m**2 - m) - xy.mean() - xy.mean()
        """,
        """
        k = lambda a, b: ((a * b).mean() + 1) ** 3
        def mean(values):
            return sum(values) / len(values)
        xx = mean([k(a, b) for i, a in enumerate(x) for j, b in enumerate(x) if i != j])
        yy = mean([k(a, b) for i, a in enumerate(y) for j, b in enumerate(y) if i < j])
        return float(xx + yy - 2 * mean([k(a, b) for a in x for b in y]))
        """,
        """
        import math
        def kernel(a, b):
            return (1 + (a / a.shape[1]) @ b.T) ** 3
        both = torch.cat([x, y])
        table = kernel(both, both)
        table = table - table.diag().diag()
        n, m = len(x), len(y)
        weights = torch.full((n + m,), -1.0)
        xx, yy, xy = table[:n, :n], table[n:, n:], kernel(x, y)
        return xx.sum() / math.perm(n, 2) + yy.sum() / math.perm(m, 2) - 2 * xy.sum() / (n * m)
        """,
    ],
    "05.7": [
        PRECISION,
        """
        reach = torch.cdist(real, real).kthvalue(k + 1, dim=1).values
        return ((torch.cdist(samples, real) <= reach).sum(dim=1) > 0).double().mean()
        """,
        """
        own = torch.cdist(real, real)
        own.fill_diagonal_(torch.inf)
        reach = own.topk(k, dim=1, largest=False).values[:, -1]
        return ((torch.cdist(samples, real) - reach).amin(dim=1) <= 0).float().mean().item()
        """,
        """
        reach = torch.sort(torch.cdist(real, real), dim=0).values[k]
        inside = (torch.cdist(real, samples) < reach[:, None]).any(dim=0)
        return inside.sum() / len(samples)
        """,
        """
        own = (real[:, None] - real[None]).square().sum(dim=2)
        reach = own.topk(k + 1, largest=False).values.amax(dim=1)
        far = (samples[:, None] - real[None]).square().sum(dim=2)
        return (far <= reach).any(dim=1).float().mean()
        """,
        """
        hits = 0
        reach = [sorted(torch.dist(r, o).item() for o in real)[k] for r in real]
        for s in samples:
            hits += any(torch.dist(s, r).item() <= ball for r, ball in zip(real, reach))
        return hits / len(samples)
        """,
    ],
    "05.8": [
        NEAREST,
        """
        d = torch.cdist(samples.reshape(len(samples), -1), training.reshape(len(training), -1))
        smallest = d.min(dim=1)
        return smallest.indices, smallest.values
        """,
        """
        found = [(training - s).square().sum(dim=(1, 2, 3)).sqrt().min(dim=0) for s in samples]
        return torch.stack([f.indices for f in found]), torch.stack([f.values for f in found])
        """,
        """
        a, b = samples.flatten(1), training.flatten(1)
        squared = a.square().sum(1)[:, None] + b.square().sum(1) - 2 * a @ b.T
        best, place = squared.clamp(min=0).sqrt().topk(1, largest=False)
        return [place[:, 0], best[:, 0]]
        """,
        """
        d = (samples[:, None] - training[None]).flatten(2).norm(dim=2)
        index = d.sort(dim=1).indices[:, 0]
        return index.int(), d[torch.arange(len(d)), index].float()
        """,
    ],
    "05.9": [
        DIAGNOSES,
        """
        words = ["D too strong", "healthy", "learning rate too high", "collapsed", "mixed batches"]
        return dict(enumerate(words, start=1))
        """,
        """
        found = {5: "mixed batches", 4: "collapsed", 3: "learning rate too high"}
        found[2] = "healthy"
        found[1] = "D too strong"
        return found
        """,
        swap(DIAGNOSES, ("D too strong", " d too  strong "), ("healthy", "Healthy")),
        'print("run 4 repeats itself")\n' + DIAGNOSES,
        "diagnose_by_eye = lambda: dict(zip(range(1, 6), ('D too strong', 'healthy', "
        "'learning rate too high', 'collapsed', 'mixed batches')))",
    ],
}

WRONG: dict[str, list[tuple[str, str]]] = {
    "05.1": [
        ("the last step is missing: exp", swap(SCORE, (".mean().exp()", ".mean()"))),
        ("natural logarithm", swap(SCORE, (".log()", ".log2()"))),
        ("natural logarithm", swap(SCORE, (".log()", ".log10()"))),
        ("first the mean", swap(SCORE, (".mean().exp()", ".exp().mean()"))),
        ("not the sum", swap(SCORE, ("kl.mean()", "kl.sum()"))),
        ("no minus before it", swap(SCORE, ("kl.mean()", "(-kl.mean())"))),
        ("no minus before it", swap(SCORE, ("probabilities / overall", "overall / probabilities"))),
        (
            "the other way round",
            swap(
                SCORE,
                (
                    "(probabilities * (probabilities / overall)",
                    "(overall * (overall / probabilities)",
                ),
            ),
        ),
        ("the other way round", swap(SCORE, ("(probabilities * (", "(overall * ("))),
        (
            "the other way round",
            """
            overall = probabilities.mean(dim=0).expand_as(probabilities)
            return F.kl_div(probabilities.log(), overall, reduction="batchmean").exp()
            """,
        ),
        ("has a weight", swap(SCORE, ("(probabilities * (", "(1 * ("))),
        ("the sum, not the mean", swap(SCORE, (".sum(dim=1)", ".mean(dim=1)"))),
        (
            "the sum, not the mean",
            """
            overall = probabilities.mean(dim=0).expand_as(probabilities)
            return F.kl_div(overall.log(), probabilities, reduction="none").mean().exp()
            """,
        ),
        ("over the classes, dim=1", swap(SCORE, (".sum(dim=1)", ".sum(dim=0)"))),
        ("over the images: dim=0", swap(SCORE, ("mean(dim=0)", "mean(dim=1, keepdim=True)"))),
        ("divide by p(y)", swap(SCORE, (" / overall", ""))),
        ("divide by p(y)", swap(SCORE, (" / overall", ""), ("kl.mean()", "(-kl).mean()"))),
        (
            "p(y) alone",
            "y = probabilities.mean(dim=0)\nreturn (-torch.xlogy(y, y).sum()).exp()",
        ),
        ("no softmax", "probabilities = probabilities.softmax(dim=1)\n" + SCORE),
        ("then the mean over the images, then exp", swap(SCORE, ("kl.mean()", "kl"))),
        ("(dim=1), then", swap(SCORE, ("kl.mean()", "kl.mean(dim=0, keepdim=True)"))),
        ("where p(y) is the mean over the images", swap(SCORE, ("mean(dim=0)", "sum(dim=0)"))),
        ("where p(y) is", "return 1.3028"),  # the first question's answer, by heart
        ("return missing", swap(SCORE, ("return ", "score = "))),
        ("return a tensor", "return 'high'"),
        ("is it spelled", swap(SCORE, ("return kl", "return divergence"))),
    ],
    "05.2": [
        ("shares sum to 1", swap(SPREAD, (" / len(classes)", ""))),
        ("not of classes", swap(SPREAD, ("len(classes)", "10"))),
        ("divide with /", swap(SPREAD, (" / len", " // len"))),
        ("minlength=10", swap(SPREAD, (", minlength=10", ""))),
        ("minlength=10", swap(SPREAD, ("minlength=10", "minlength=9"))),
        (
            "minlength=10",
            """
            _, counts = classes.unique(return_counts=True)
            shares = counts / len(classes)
            return shares, (shares * (10 * shares).log()).sum()
            """,
        ),
        ("minlength=10", swap(SPREAD, ("return shares", "return shares.max()"))),
        ("how often each class", swap(SPREAD, ("return shares", "return shares.flip(0)"))),
        ("how often each class", swap(SPREAD, ("len(classes)", "(len(classes) - 1)"))),
        (
            "0 · log 0",
            swap(SPREAD, ("torch.xlogy(shares, 10 * shares)", "(shares * (10 * shares).log())")),
        ),
        ("is the entropy", swap(SPREAD, ("torch.xlogy(shares, 10 * ", "-torch.xlogy(shares, "))),
        ("equal shares of 1/10", swap(SPREAD, ("10 * shares", "shares"))),
        ("not share / 10", swap(SPREAD, ("10 * shares", "shares / 10"))),
        ("never below 0", swap(SPREAD, ("torch.xlogy", "-torch.xlogy"))),
        (
            "the other way round",
            swap(SPREAD, ("torch.xlogy(shares, 10 * shares)", "(0.1 * (0.1 / shares).log())")),
        ),
        (
            "the natural logarithm",
            swap(SPREAD, ("torch.xlogy(shares, 10 * shares)", "(shares * (10 * shares).log2())")),
        ),
        (
            "the natural logarithm",
            swap(SPREAD, ("torch.xlogy(shares, 10 * shares)", "(shares * (10 * shares).log10())")),
        ),
        ("not the mean", swap(SPREAD, (").sum()", ").mean()"))),
        ("before it the share alone", swap(SPREAD, ("xlogy(shares", "xlogy(10 * shares"))),
        (
            "multiply by the share",
            swap(SPREAD, ("torch.xlogy(shares, 10 * shares)", "(10 * shares).log()")),
        ),
        ("no exp", swap(SPREAD, (").sum()", ").sum().exp()"))),
        ("all ten classes", swap(SPREAD, ("10 * shares", "len(classes.unique()) * shares"))),
        ("sum over the classes", swap(SPREAD, (").sum()", ")"))),
        ("log(10 · share); a share", swap(SPREAD, (").sum()", ").sum().abs() + 1"))),
        ("swap the two", swap(SPREAD, ("return shares, kl", "return kl, shares"))),
        ("return both", swap(SPREAD, ("return shares, kl", "return shares"))),
        ("return both", swap(SPREAD, ("return shares, kl", "return shares, kl, classes"))),
        ("return both", swap(SPREAD, ("return shares, kl", "return [kl]"))),
        ("return missing", swap(SPREAD, ("return shares, kl", ""))),
        ("return a tensor", swap(SPREAD, ("return shares", "return shares.tolist()"))),
        ("return a tensor", swap(SPREAD, ("shares, kl\n", "shares, None\n"))),
    ],
    "05.3": [
        ("not by N", swap(GAUSSIAN, ("(len(features) - 1)", "len(features)"))),
        ("not by N", "return features.mean(dim=0), torch.cov(features.T, correction=0)"),
        ("divide by N - 1", swap(GAUSSIAN, (" / (len(features) - 1)", ""))),
        ("not of features", swap(GAUSSIAN, ("len(features) - 1", "features.shape[1]"))),
        ("not of features", swap(GAUSSIAN, ("len(features) - 1", "features.shape[1] - 1"))),
        ("subtract the mean first", swap(GAUSSIAN, ("features - mean", "features"))),
        (
            "first, and divide",
            swap(
                GAUSSIAN, ("features - mean", "features"), ("(len(features) - 1)", "len(features)")
            ),
        ),
        (
            "first, and divide",
            swap(GAUSSIAN, ("features - mean", "features"), (" / (len(features) - 1)", "")),
        ),
        (
            "its own mean",
            swap(GAUSSIAN, ("features - mean", "features - features.mean(dim=1, keepdim=True)")),
        ),
        ("its own mean", swap(GAUSSIAN, ("features - mean", "features - features.mean()"))),
        ("correlation", "return features.mean(dim=0), torch.corrcoef(features.T)"),
        ("not the variances alone", "return features.mean(dim=0), features.var(dim=0).diag()"),
        ("no square root", swap(GAUSSIAN, ("mean, covariance", "mean, covariance.sqrt()"))),
        ("diagonal only", "return features.mean(dim=0), features.var(dim=0)"),
        (
            "the transposed one comes first",
            swap(GAUSSIAN, ("centred.T @ centred", "centred @ centred.T")),
        ),
        ("the transposed one comes first", "return features.mean(dim=0), torch.cov(features)"),
        ("each pair of features", "return features.mean(dim=0), features.var()"),
        ("over the images, dim=0", swap(GAUSSIAN, ("return mean", "return features.mean(dim=1)"))),
        ("over the images, dim=0", swap(GAUSSIAN, ("return mean", "return features.mean()"))),
        ("over the images, dim=0", swap(GAUSSIAN, ("(dim=0)", "(dim=0, keepdim=True)"))),
        ("over the images, dim=0", swap(GAUSSIAN, ("return mean", "return mean + 1"))),
        ("the mean, not the sum", swap(GAUSSIAN, ("return mean", "return features.sum(dim=0)"))),
        ("minus their mean, A", swap(GAUSSIAN, ("mean, covariance", "mean, -covariance"))),
        ("swap the two", swap(GAUSSIAN, ("return mean, covariance", "return covariance, mean"))),
        ("return both", swap(GAUSSIAN, ("return mean, covariance", "return covariance"))),
        ("return missing", swap(GAUSSIAN, ("return mean, covariance", ""))),
        ("return a tensor", swap(GAUSSIAN, ("return mean", "return mean.tolist()"))),
        ("is it spelled", swap(GAUSSIAN, ("centred = ", "centered = "))),
        (
            "make a new tensor",
            "mean = features.mean(dim=0)\nfeatures -= mean\nreturn mean, features.T @ features / 4",
        ),
    ],
    "05.4": [
        ("clamp(min=0) before each", swap(ROOT, ("values.clamp(min=0)", "values"))),
        ("below 0: clamp(min=0)", swap(ROOT, (").clamp(min=0)", ")"))),
        ("below 0: clamp(min=0)", "return torch.linalg.eigvals(cov1 @ cov2).real.sqrt().sum()"),
        ("a root of each", swap(ROOT, (".clamp(min=0).sqrt().sum()", ".sum()"))),
        ("a root of each", "return (cov1 @ cov2).trace()"),
        ("not the root of the sum", swap(ROOT, (".sqrt().sum()", ".sum().sqrt()"))),
        ("not the root of the sum", "return (cov1 @ cov2).trace().sqrt()"),
        ("not the mean", swap(ROOT, (".sqrt().sum()", ".sqrt().mean()"))),
        ("nothing squared", swap(ROOT, (".sqrt().sum()", ".sqrt().sum() ** 2"))),
        ("in the next exercise", swap(ROOT, ("return ", "return 2 * "))),
        ("not the root of its entries", "return (cov1 @ cov2).sqrt().trace()"),
        ("not the root of its entries", "return (cov1 @ cov2).clamp(min=0).sqrt().sum()"),
        ("not the root of its entries", "return (cov1.sqrt() @ cov2.sqrt()).trace()"),
        (
            "no products of theirs",
            "v, w = torch.linalg.eigvalsh(cov1), torch.linalg.eigvalsh(cov2)\n"
            "return (v * w).clamp(min=0).sqrt().sum()",
        ),
        (
            "not the root of C1 times",
            "v, w = torch.linalg.eigvalsh(cov1), torch.linalg.eigvalsh(cov2)\n"
            "return v.clamp(min=0).sqrt().sum() * w.clamp(min=0).sqrt().sum()",
        ),
        (
            "not the root of C1 times",
            """
            def root(c):
                values, vectors = torch.linalg.eigh(c)
                return vectors @ values.clamp(min=0).sqrt().diag() @ vectors.T
            return (root(cov1) @ root(cov2)).trace()
            """,
        ),
        ("reads half of it", "return torch.linalg.eigvalsh(cov1 @ cov2).clamp(min=0).sqrt().sum()"),
        ("each column has its value", swap(ROOT, ("root.T @ cov2 @ root", "root @ cov2 @ root.T"))),
        ("each column has its value", swap(ROOT, ("0).sqrt()\n", "0).sqrt()[:, None]\n"))),
        ("each column has its value", swap(ROOT, ("vectors * values", "vectors.T * values"))),
        ("the transposed comes first", swap(ROOT, ("root.T @ cov2 @ root", "root @ cov2 @ root"))),
        ("A holds the roots", swap(ROOT, ("values.clamp(min=0).sqrt()", "values"))),
        ("C1 is missing", swap(ROOT, ("vectors * values.clamp(min=0).sqrt()", "vectors"))),
        ("C2 is missing", swap(ROOT, ("root.T @ cov2 @ root", "root.T @ root"))),
        ("the sum of the roots", swap(ROOT, (".sqrt().sum()", ".sqrt()"))),
        ("the sum of the roots", swap(ROOT, (".sqrt().sum()", ".sqrt().max()"))),
        ("take .real", "return torch.linalg.eigvals(cov1 @ cov2).sqrt().sum()"),
        (
            "cholesky does not",
            """
            root = torch.linalg.cholesky(cov1)
            return torch.linalg.eigvalsh(root.T @ cov2 @ root).clamp(min=0).sqrt().sum()
            """,
        ),
        ("return missing", swap(ROOT, ("return ", ""))),
        ("is it spelled", "return sqrtm(cov1 @ cov2).trace()"),
        ("return a tensor", "return cov1, cov2"),
    ],
    "05.5": [
        ("factor 2 is missing", swap(FRECHET, ("2 * ", ""))),
        ("not plus", swap(FRECHET, ("- 2", "+ 2"))),
        ("root is missing", swap(FRECHET, (" - 2 * root_trace(cov1, cov2)", ""))),
        ("no root", swap(FRECHET, (".square().sum()", ".norm()"))),
        ("square each difference", swap(FRECHET, (".square().sum()", ".abs().sum()"))),
        ("square each difference", swap(FRECHET, (".square().sum()", ".sum().square()"))),
        ("square each difference", swap(FRECHET, (".square().sum()", ".sum()"))),
        ("not the mean", swap(FRECHET, (".square().sum()", ".square().mean()"))),
        ("the means are missing", swap(FRECHET, ("return gap + ", "return "))),
        ("plus |m1 - m2|²", swap(FRECHET, ("return gap", "return -gap"))),
        ("the covariances are missing", "return (mean1 - mean2).square().sum()"),
        ("the trace of C1 is missing", swap(FRECHET, (" + cov1.trace()", ""))),
        ("the trace of C2 is missing", swap(FRECHET, (" + cov2.trace()", ""))),
        (
            "C1 and C2 are missing",
            "return (mean1 - mean2).square().sum() - 2 * root_trace(cov1, cov2)",
        ),
        ("C2, not minus", swap(FRECHET, ("+ cov2", "- cov2"))),
        (
            "sum of all its entries",
            swap(FRECHET, ("cov1.trace() + cov2.trace()", "(cov1 + cov2).sum()")),
        ),
        (
            "no square root at the end",
            swap(FRECHET, ("gap + ", "(gap + "), ("cov2)\n", "cov2)).sqrt()\n")),
        ),
        (
            "no square root at the end",
            swap(FRECHET, ("gap + ", "(gap + "), ("cov2)\n", "cov2)).clamp(min=0).sqrt()\n")),
        ),
        (
            "its entries: take eigenvalues",
            swap(FRECHET, ("root_trace(cov1, cov2)", "(cov1 @ cov2).sqrt().trace()")),
        ),
        (
            "a root of each eigenvalue",
            swap(FRECHET, ("root_trace(cov1, cov2)", "(cov1 @ cov2).trace()")),
        ),
        ("one number: squared", swap(FRECHET, (".square().sum()", ".square()"))),
        ("of matrices the traces", swap(FRECHET, ("cov1.trace() + cov2.trace()", "cov1 + cov2"))),
        ("two equal Gaussians", swap(FRECHET, ("(cov1, cov2)", "(cov1, cov1)"))),
        ("two equal Gaussians", swap(FRECHET, ("return gap", "return 1 + gap"))),
        ("two equal Gaussians", "return 5.977676"),  # the first question's answer, by heart
        ("return missing", swap(FRECHET, ("return ", "distance = "))),
        ("is it spelled", swap(FRECHET, ("root_trace", "trace_of_root"))),
        ("count the arguments", swap(FRECHET, ("(cov1, cov2)", "(cov1 @ cov2)"))),
        ("return a tensor", "return str(mean1)"),
    ],
    "05.6": [
        (
            "image with itself: take the trace",
            """
            def kernel(a, b):
                return (a @ b.T / a.shape[1] + 1) ** 3
            return kernel(x, x).mean() + kernel(y, y).mean() - 2 * kernel(x, y).mean()
            """,
        ),
        (
            "within x as well",
            swap(KERNEL, ("(own_x.sum() - own_x.trace()) / (n * (n - 1))", "own_x.mean()")),
        ),
        (
            "within y as well",
            swap(KERNEL, ("(own_y.sum() - own_y.trace()) / (m * (m - 1))", "own_y.mean()")),
        ),
        (
            "take the trace away",
            swap(KERNEL, (" - own_x.trace()", ""), (" - own_y.trace()", "")),
        ),
        ("pairs are left", swap(KERNEL, ("(n * (n - 1))", "n**2"), ("(m * (m - 1))", "m**2"))),
        (
            "each pair twice",
            swap(
                KERNEL,
                ("(n * (n - 1))", "(n * (n - 1) / 2)"),
                ("(m * (m - 1))", "(m * (m - 1) / 2)"),
            ),
        ),
        (
            "not sums",
            swap(
                KERNEL,
                (" / (n * (n - 1))", ""),
                (" / (m * (m - 1))", ""),
                ("between.mean", "between.sum"),
            ),
        ),
        ("the factor 2 is missing", swap(KERNEL, ("2 * between", "between"))),
        ("not plus", swap(KERNEL, ("- 2 * between", "+ 2 * between"))),
        ("between x and y is missing", swap(KERNEL, (" - 2 * between.mean()", ""))),
        (
            "within x and within y is missing",
            swap(KERNEL, ("return within_x + within_y", "return ")),
        ),
        ("within y is missing", swap(KERNEL, ("within_x + within_y", "within_x"))),
        ("within x is missing", swap(KERNEL, ("within_x + within_y", "within_y"))),
        ("within y, not minus", swap(KERNEL, ("within_x + within_y", "within_x - within_y"))),
        (
            "the other sign",
            swap(KERNEL, ("return within_x + within_y - 2", "return -within_x - within_y + 2")),
        ),
        (
            "no clamp",
            swap(KERNEL, ("return within", "return torch.relu(within"), (".mean()", ".mean())")),
        ),
        ("no abs", swap(KERNEL, ("return within", "return abs(within"), (".mean()", ".mean())"))),
        (
            "no square root",
            swap(KERNEL, ("return within_x", "return (within_x"), (".mean()", ".mean()).sqrt()")),
        ),
        (
            "no square root",
            swap(
                KERNEL,
                ("return within_x", "return (within_x"),
                (".mean()", ".mean()).abs().sqrt()"),
            ),
        ),
        ("not the second", kernel("(a @ b.T / a.shape[1] + 1) ** 2")),
        ("third power of the whole sum", kernel("a @ b.T / a.shape[1] + 1 ** 3")),
        ("third power of the whole sum", kernel("a @ b.T / a.shape[1] + 1")),
        ("plus 1 before the third", kernel("(a @ b.T / a.shape[1]) ** 3")),
        ("plus 1 before the third", kernel("(a @ b.T / a.shape[1]) ** 3 + 1")),
        ("then cube", kernel("(a @ b.T) ** 3 / a.shape[1] + 1")),
        ("the length of the features", kernel("(a @ b.T + 1) ** 3")),
        ("not by how many there are", kernel("(a @ b.T / len(a) + 1) ** 3")),
        ("not by how many there are", kernel("(a @ b.T / b.shape[0] + 1) ** 3")),
        ("not by its root", kernel("(a @ b.T / a.shape[1] ** 0.5 + 1) ** 3")),
        ("divide the product alone", kernel("((a @ b.T + 1) / a.shape[1]) ** 3")),
        ("the mean kernel within x", kernel("torch.exp(-torch.cdist(a, b).square() / 2)")),
        ("the mean over all pairs", swap(KERNEL, ("between.mean()", "between"))),
        ("return missing", swap(KERNEL, ("return within_x", "within_x"))),
        ("return a tensor", "return x, y"),
        ("is it spelled", swap(KERNEL, ("n, m = ", "a, b = "))),
    ],
    "05.7": [
        ("is the image itself", swap(PRECISION, ("[:, k]", "[:, k - 1]"))),
        (
            "is the image itself",
            "reach = torch.cdist(real, real).topk(k, largest=False).values[:, -1]\n"
            + PRECISION.split("\n", 1)[1],
        ),
        ("not k + 1", swap(PRECISION, ("[:, k]", "[:, k + 1]"))),
        (
            "the nearest come first",
            swap(PRECISION, ("sort(dim=1)", "topk(k, dim=1)"), ("[:, k]", "[:, -1]")),
        ),
        (
            "the nearest come first",
            swap(PRECISION, ("dim=1).values", "dim=1, descending=True).values")),
        ),
        ("[:, k]", swap(PRECISION, ("[:, k]", "[k]"))),
        ("[:, k]", swap(PRECISION, ("sort(dim=1)", "sort(dim=0)"), ("[:, k]", "[:, k].clone()"))),
        ("that is recall", "real, samples = samples, real\n" + PRECISION),
        (
            "among the real images",
            """
            reach = torch.cdist(samples, samples).sort(dim=1).values[:, k]
            return (torch.cdist(samples, real) <= reach[:, None]).any(dim=1).float().mean()
            """,
        ),
        (
            "among the real images",
            swap(PRECISION, ("torch.cdist(real, real)", "torch.cdist(real, samples)")),
        ),
        (
            "among the real images",
            swap(
                PRECISION,
                ("torch.cdist(real, real)", "torch.cdist(real, samples)"),
                ("k]", "k - 1]"),
            ),
        ),
        ("any, not all", swap(PRECISION, (".any(", ".all("))),
        ("the share of samples: any", swap(PRECISION, ("any(dim=1)", "any(dim=0)"))),
        ("then the mean", swap(PRECISION, (".any(dim=1)", ""))),
        ("any, not how many", swap(PRECISION, (".any(dim=1).float()", ".float().sum(dim=1)"))),
        (
            "density",
            swap(PRECISION, (".any(dim=1).float().mean()", ".float().sum(dim=1).mean() / k")),
        ),
        ("not their number", swap(PRECISION, (".float().mean()", ".sum()"))),
        ("no percent", swap(PRECISION, ("return ", "return 100 * "))),
        ("by the number of samples", swap(PRECISION, (".float().mean()", ".sum() / len(real)"))),
        ("share inside", swap(PRECISION, ("return ", "return 1 - "))),
        ("share inside", swap(PRECISION, ("<=", ">"))),
        (
            "one of the two is squared",
            swap(PRECISION, ("torch.cdist(samples, real)", "torch.cdist(samples, real).square()")),
        ),
        ("one of the two is squared", swap(PRECISION, ("<= reach", "<= reach**2"))),
        (
            "not only that of the nearest",
            """
            reach = torch.cdist(real, real).sort(dim=1).values[:, k]
            distance, index = torch.cdist(samples, real).min(dim=1)
            return (distance <= reach[index]).float().mean()
            """,
        ),
        ("has its own ball", swap(PRECISION, ("<= reach", "<= reach.max()"))),
        ("has its own ball", swap(PRECISION, ("<= reach", "<= reach.min()"))),
        ("has its own ball", swap(PRECISION, ("<= reach", "<= reach.mean()"))),
        ("has its own ball", swap(PRECISION, ("<= reach", "<= reach.median()"))),
        ("as far as its k-th", swap(PRECISION, ("[:, k]", "[:, 2]"))),
        ("as far as its k-th", swap(PRECISION, ("<= reach", "<= 1"))),
        ("the mean of what is 1 inside", swap(PRECISION, (".float().mean()", ""))),
        ("return missing", swap(PRECISION, ("return ", ""))),
        (
            "return a tensor",
            swap(PRECISION, ("return ", "return bool("), (".float().mean()", ".any())")),
        ),
        ("is it spelled", swap(PRECISION, ("<= reach", "<= radius"))),
    ],
    "05.8": [
        (
            "swap the two",
            "table = torch.cdist(samples.flatten(1), training.flatten(1))\nreturn table.min(dim=1)",
        ),
        (
            "swap the two",
            swap(
                NEAREST,
                (
                    "table.argmin(dim=1), table.amin(dim=1)",
                    "table.amin(dim=1), table.argmin(dim=1)",
                ),
            ),
        ),
        ("the root is missing", swap(NEAREST, ("amin(dim=1)", "amin(dim=1).square()"))),
        (
            "the root is missing",
            """
            table = (samples[:, None] - training[None]).square().flatten(2).sum(dim=2)
            return table.argmin(dim=1), table.amin(dim=1)
            """,
        ),
        (
            "its root, not the mean",
            """
            table = (samples[:, None] - training[None]).square().flatten(2).mean(dim=2)
            return table.argmin(dim=1), table.amin(dim=1)
            """,
        ),
        (
            "under the root, not the mean",
            """
            table = (samples[:, None] - training[None]).square().flatten(2).mean(dim=2).sqrt()
            return table.argmin(dim=1), table.amin(dim=1)
            """,
        ),
        ("not absolute ones", swap(NEAREST, ("training.flatten(1)", "training.flatten(1), p=1"))),
        (
            "not absolute ones",
            """
            table = (samples[:, None] - training[None]).abs().flatten(2).mean(dim=2)
            return table.argmin(dim=1), table.amin(dim=1)
            """,
        ),
        (
            "all pixels count",
            swap(NEAREST, ("training.flatten(1)", "training.flatten(1), p=torch.inf")),
        ),
        ("not the farthest", swap(NEAREST, ("argmin", "argmax"))),
        ("not the farthest", swap(NEAREST, ("amin", "amax"))),
        (
            "the very nearest counts",
            """
            table = torch.cdist(samples.flatten(1), training.flatten(1)).sort(dim=1)
            return table.indices[:, 1], table.values[:, 1]
            """,
        ),
        (
            "the very nearest counts",
            swap(NEAREST, ("table.amin(dim=1)", "table.sort(dim=1).values[:, 1]")),
        ),
        ("distance, not the mean", swap(NEAREST, ("amin", "mean"))),
        ("not for each training image", swap(NEAREST, ("argmin(dim=1)", "argmin(dim=0)"))),
        ("not for each training image", swap(NEAREST, ("amin(dim=1)", "amin(dim=0)"))),
        (
            "not for each training image",
            swap(
                NEAREST,
                (
                    "samples.flatten(1), training.flatten(1)",
                    "training.flatten(1), samples.flatten(1)",
                ),
            ),
        ),
        ("the smallest over dim=1", swap(NEAREST, ("argmin(dim=1)", "argmin()"))),
        ("the smallest over dim=1", swap(NEAREST, ("amin(dim=1)", "amin()"))),
        (
            "in a batch of one as well",
            swap(NEAREST, ("table.argmin(dim=1)", "table.argmin(dim=1).squeeze()")),
        ),
        ("squeeze dim 1", swap(NEAREST, ("argmin(dim=1)", "argmin(dim=1, keepdim=True)"))),
        (
            "squeeze dim 1",
            "table = torch.cdist(samples.flatten(1), training.flatten(1))\n"
            "return table.topk(1, largest=False)[::-1]",
        ),
        ("the smallest of each row", swap(NEAREST, ("table.amin(dim=1)", "table"))),
        ("the smallest of each row", swap(NEAREST, ("table.argmin", "table.argsort"))),
        (
            "one place for each sample",
            swap(NEAREST, ("table.argmin(dim=1)", "table.argmin(dim=1)[:0]")),
        ),
        (
            "one distance for each sample",
            swap(NEAREST, ("table.amin(dim=1)", "table.amin(dim=1)[:0]")),
        ),
        (
            "the place in the training",
            swap(NEAREST, ("table.argmin(dim=1)", "table.argmin(dim=1) + 1")),
        ),
        ("over all 784 pixels", swap(NEAREST, ("table.amin(dim=1)", "table.amin(dim=1) / 2"))),
        ("argmin gives places", swap(NEAREST, ("argmin(dim=1)", "argmin(dim=1).float()"))),
        ("return both", swap(NEAREST, (", table.amin(dim=1)", ""))),
        ("return missing", swap(NEAREST, ("return ", ""))),
        ("return a tensor", swap(NEAREST, ("argmin(dim=1)", "argmin(dim=1).tolist()"))),
        ("return a tensor", swap(NEAREST, ("amin(dim=1)", "amin(dim=1).tolist()"))),
        ("is it spelled", swap(NEAREST, ("table.amin", "distances.amin"))),
    ],
    "05.9": [
        ("got 4 of 5; hint: run 1: look at d_loss", swap(DIAGNOSES, ("D too strong", "healthy"))),
        ("got 4 of 5; hint: run 2: look at both losses", swap(DIAGNOSES, ("healthy", "collapsed"))),
        (
            "got 4 of 5; hint: run 3: look at how far",
            swap(DIAGNOSES, ("learning rate too high", "healthy")),
        ),
        ("got 4 of 5; hint: run 4: look at the samples", swap(DIAGNOSES, ("collapsed", "healthy"))),
        (
            "got 4 of 5; hint: run 5: look at what D says",
            swap(DIAGNOSES, ("mixed batches", "healthy")),
        ),
        (
            "got 3 of 5; hint: run 1:",
            swap(
                DIAGNOSES,
                ("D too strong", "tmp"),
                ("collapsed", "D too strong"),
                ("tmp", "collapsed"),
            ),
        ),
        ("got 1 of 5; hint: run 1:", 'return dict.fromkeys(range(1, 6), "healthy")'),
        (
            "got 0 of 5; hint: run 1:",
            """
            return {1: "healthy", 2: "D too strong", 3: "mixed batches",
                    4: "learning rate too high", 5: "collapsed"}
            """,
        ),
        ("none for 4; hint: give run 4", swap(DIAGNOSES, ('4: "collapsed",', ""))),
        ("none for 1, 2, 3, 4, 5; hint: give run 1", "return {}"),
        ("got 1 other; hint: the five runs", swap(DIAGNOSES, ("5:", "6:"))),
        ("got 1 other; hint: the five runs", swap(DIAGNOSES, ("1:", '0: "healthy", 1:'))),
        ("without quotes", swap(DIAGNOSES, ("1:", '"1":'))),
        ("without quotes", 'return {"1": "healthy"}'),
        ("got 'overfitted' for run 3", swap(DIAGNOSES, ("learning rate too high", "overfitted"))),
        ("spell it as listed", swap(DIAGNOSES, ("collapsed", "mode collapse"))),
        ("got a int for run 2", swap(DIAGNOSES, ('"healthy"', "2"))),
        ("got a NoneType for run 1", swap(DIAGNOSES, ('"D too strong"', "None"))),
        ("got a str for run 5", swap(DIAGNOSES, ("mixed batches", ""))),
        ("got a list; hint: return a dict", 'return ["D too strong", "healthy", "collapsed"]'),
        ("got a str; hint: return a dict", 'return "healthy"'),
        ("got a set; hint: return a dict", 'return {"healthy", "collapsed"}'),
        ("return missing", swap(DIAGNOSES, ("return", "runs ="))),
        ("is it spelled", "return {1: healthy}"),
        ("count the arguments", "def diagnose_by_eye(run):\n    return {run: 'healthy'}"),
    ],
}
