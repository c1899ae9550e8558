"""Random numbers without state: every draw is a hash of what it is about.

A draw is named by a key (seed, object, day) and a stream number, so any day of any ad can be
computed alone and always comes out the same. What is drawn from which stream is decided by the
callers; nothing here knows about advertising.
"""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt

U64 = npt.NDArray[np.uint64]
Ints = npt.NDArray[np.int64]
Counts = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

_GOLDEN = 0x9E3779B97F4A7C15
_MASK = (1 << 64) - 1
_C1 = np.uint64(0xBF58476D1CE4E5B9)
_C2 = np.uint64(0x94D049BB133111EB)
_S30, _S27, _S31, _S11 = (np.uint64(n) for n in (30, 27, 31, 11))
# Reason: a rounding offset this close to one could push `floor(n + u)` past n in float64.
_LARGEST_OFFSET = 0.999


def mix(values: U64) -> U64:
    """Scramble 64-bit numbers (the finaliser of splitmix64); equal input gives equal output."""
    x = values.copy()
    x ^= x >> _S30
    x *= _C1
    x ^= x >> _S27
    x *= _C2
    x ^= x >> _S31
    return x


def key_of(*parts: object) -> int:
    """Give one 64-bit key for a tuple of names and numbers, the same in every process."""
    text = "\x1f".join(str(part) for part in parts)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")


def keys_for(base: int, numbers: npt.NDArray[np.integer]) -> U64:
    """Give one key per number under a base key; numbers may be negative."""
    return mix(numbers.astype(np.int64).view(np.uint64) * np.uint64(_GOLDEN) + np.uint64(base))


def join_keys(keys: U64, numbers: npt.NDArray[np.integer]) -> U64:
    """Give one key per (key, number) pair, element by element."""
    return mix(keys ^ mix(numbers.astype(np.int64).view(np.uint64) + np.uint64(_GOLDEN)))


def uniform(keys: U64, stream: int) -> Floats:
    """Draw from the open interval (0, 1), one number per key."""
    step = np.uint64((stream * _GOLDEN + 0x5851F42D4C957F2D) & _MASK)
    bits = mix(keys + step) >> _S11
    return (bits.astype(np.float64) + 0.5) * 2.0**-53


def offsets(keys: U64, stream: int) -> Floats:
    """Draw rounding offsets in [0, 0.999) for `floor(n * share + offset)`."""
    return uniform(keys, stream) * _LARGEST_OFFSET


_A = (-39.69683028665376, 220.9460984245205, -275.9285104469687)
_A2 = (138.3577518672690, -30.66479806614716, 2.506628277459239)
_B = (-54.47609879822406, 161.5858368580409, -155.6989798598866)
_B2 = (66.80131188771972, -13.28068155288572)
_C = (-0.007784894002430293, -0.3223964580411365, -2.400758277161838)
_CC = (-2.549732539343734, 4.374664141464968, 2.938163982698783)
_D = (0.007784695709041462, 0.3224671290700398, 2.445134137142996, 3.754408661907416)


def normal_quantile(u: Floats) -> Floats:
    """Give the standard normal quantile of each probability.

    References:
        P. J. Acklam, "An algorithm for computing the inverse normal cumulative distribution
        function", 2003; relative error below 1.2e-9.
    """
    q = u - 0.5
    r = q * q
    top = ((((_A[0] * r + _A[1]) * r + _A[2]) * r + _A2[0]) * r + _A2[1]) * r + _A2[2]
    low = ((((_B[0] * r + _B[1]) * r + _B[2]) * r + _B2[0]) * r + _B2[1]) * r + 1.0
    z: Floats = top * q / low
    tail = np.abs(q) > 0.47575
    if tail.any():
        side = np.minimum(u[tail], 1.0 - u[tail])
        t = np.sqrt(-2.0 * np.log(side))
        num = ((((_C[0] * t + _C[1]) * t + _C[2]) * t + _CC[0]) * t + _CC[1]) * t + _CC[2]
        den = (((_D[0] * t + _D[1]) * t + _D[2]) * t + _D[3]) * t + 1.0
        z[tail] = np.where(q[tail] < 0, num / den, -num / den)
    return z


def normal(keys: U64, stream: int) -> Floats:
    """Draw from the standard normal distribution, one number per key."""
    return normal_quantile(uniform(keys, stream))


def poisson(mean: Floats, keys: U64, stream: int) -> Ints:
    """Draw Poisson counts; exact below a mean of 12, third-order normal above it."""
    u = uniform(keys, stream)
    counts = np.zeros(mean.shape, dtype=np.int64)
    large = mean >= 12.0
    if large.any():
        m = mean[large]
        z = normal_quantile(u[large])
        counts[large] = np.maximum(np.floor(m + z * np.sqrt(m) + (z * z - 1.0) / 6.0 + 0.5), 0)
    small = ~large & (mean > 0)
    if small.any():
        counts[small] = _small_poisson(mean[small], u[small])
    return counts


def _small_poisson(mean: Floats, u: Floats) -> Ints:
    counts = np.zeros(mean.shape, dtype=np.int64)
    term = np.exp(-mean)
    left = np.flatnonzero(u > term)
    term, total, rate, goal = term[left], term[left].copy(), mean[left], u[left]
    for k in range(1, 64):
        if left.size == 0:
            break
        counts[left] = k
        term = term * rate / k
        total = total + term
        on = goal > total
        left, term, total, rate, goal = left[on], term[on], total[on], rate[on], goal[on]
    return counts


def _small_binomial(n: Floats, p: Floats, u: Floats) -> Ints:
    counts = np.zeros(n.shape, dtype=np.int64)
    term = np.exp(n * np.log1p(-p))
    left = np.flatnonzero(u > term)
    term, total, goal, trials = term[left], term[left].copy(), u[left], n[left]
    odds = p[left] / (1.0 - p[left])
    for k in range(1, 64):
        if left.size == 0:
            break
        counts[left] = k
        term = term * np.maximum(trials - k + 1, 0.0) / k * odds
        total = total + term
        on = (goal > total) & (trials > k)
        left, term, total, goal = left[on], term[on], total[on], goal[on]
        trials, odds = trials[on], odds[on]
    return counts


def binomial(trials: Ints, share: Floats | float, keys: U64, stream: int) -> Ints:
    """Draw binomial counts; exact below a mean of 8, third-order normal above it."""
    n = trials.astype(np.float64)
    p = np.broadcast_to(np.asarray(share, dtype=np.float64), n.shape)
    flip = p > 0.5
    q = np.where(flip, 1.0 - p, p)
    mean = n * q
    u = uniform(keys, stream)
    z = normal_quantile(u)
    sd = np.sqrt(mean * (1.0 - q))
    counts = np.floor(mean + z * sd + (1.0 - 2.0 * q) * (z * z - 1.0) / 6.0 + 0.5)
    rare = (mean < 8.0) & (mean > 0)
    if rare.any():
        counts[rare] = _small_binomial(n[rare], q[rare], u[rare])
    counts = np.clip(counts, 0.0, n)
    return np.where(flip, n - counts, counts).astype(np.int64)


def split_exactly(total: Counts, shares: Floats, offset: Floats) -> list[Counts]:
    """Split integers into parts that sum to them exactly.

    Args:
        total: The integers to split, one per cell.
        shares: Shares per part, shape (parts,) or (parts, cells), summing to one over parts.
        offset: One rounding offset per cell, see `offsets`.

    Returns:
        One array per part; every part is at least zero.
    """
    edges = np.cumsum(shares, axis=0)
    parts: list[Counts] = []
    below = np.zeros_like(total)
    last = len(shares) - 1
    for index in range(len(shares)):
        upto = total if index == last else np.floor(total * edges[index] + offset).astype(np.int32)
        upto = np.minimum(upto, total)
        parts.append(upto - below)
        below = upto
    return parts
