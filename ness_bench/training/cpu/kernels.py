"""The operations of a network, forward and backward, on flat float32 arrays.

A feature map is stored [pixels, channels, batch] from an offset on; the batch is innermost and a multiple of
`BATCH_MULTIPLE`, so every loop over it fills whole vector registers. The number of output channels of a
convolution is a multiple of `CHANNEL_MULTIPLE`.

Which source pixels a target pixel sees is data: `links[starts[window + t] : starts[window + t + 1]]` are the
(tap, source pixel) pairs of target pixel t. Convolutions and pools of any size and stride, and their
gradients, thus share the loops below.

Where a kernel takes `accumulate`, it adds to its target if true, and overwrites it otherwise.
"""

import math

import numpy as np

from ness_bench.training.cpu.lanes import (
    WIDTH,
    Array,
    Indices,
    add,
    compiled,
    fill,
    load,
    load_fill,
    multiply_add,
    store,
    total,
)

BATCH_MULTIPLE = 2 * WIDTH
CHANNEL_MULTIPLE = 4
TILE = 8 * BATCH_MULTIPLE
"""Images that a convolution takes at a time, so that what it reads again is still in the nearest cache."""

EPSILON = 1e-5
"""Added to a variance before its root."""
RUNNING = 0.1
"""Weight of the newest batch in the running statistics."""


@compiled
def convolve(
    starts: Indices,
    links: Indices,
    window: int,
    pixels: int,
    x: Array,
    x0: int,
    inputs: int,
    w: Array,
    w0: int,
    y: Array,
    y0: int,
    outputs: int,
    batch: int,
    accumulate: bool,
) -> None:
    """y[t, o] = Σ over links (tap, s) of t and inputs i of w[tap, i, o] · x[s, i]."""
    zero = fill(np.float32(0))
    for tile in range(0, batch, TILE):
        for pixel in range(pixels):
            first, last = starts[window + pixel], starts[window + pixel + 1]
            for output in range(0, outputs, CHANNEL_MULTIPLE):
                for b in range(tile, min(tile + TILE, batch), BATCH_MULTIPLE):
                    y1 = y0 + (pixel * outputs + output) * batch + b
                    y2, y3, y4 = y1 + batch, y1 + 2 * batch, y1 + 3 * batch
                    if accumulate:
                        a10, a11 = load(y, y1), load(y, y1 + WIDTH)
                        a20, a21 = load(y, y2), load(y, y2 + WIDTH)
                        a30, a31 = load(y, y3), load(y, y3 + WIDTH)
                        a40, a41 = load(y, y4), load(y, y4 + WIDTH)
                    else:
                        a10 = a11 = a20 = a21 = a30 = a31 = a40 = a41 = zero
                    for link in range(first, last):
                        xi = x0 + links[link, 1] * inputs * batch + b
                        wi = w0 + links[link, 0] * inputs * outputs + output
                        for _ in range(inputs):
                            u, v = load(x, xi), load(x, xi + WIDTH)
                            k = load_fill(w, wi)
                            a10, a11 = multiply_add(k, u, a10), multiply_add(k, v, a11)
                            k = load_fill(w, wi + 1)
                            a20, a21 = multiply_add(k, u, a20), multiply_add(k, v, a21)
                            k = load_fill(w, wi + 2)
                            a30, a31 = multiply_add(k, u, a30), multiply_add(k, v, a31)
                            k = load_fill(w, wi + 3)
                            a40, a41 = multiply_add(k, u, a40), multiply_add(k, v, a41)
                            xi += batch
                            wi += outputs
                    store(y, y1, a10)
                    store(y, y1 + WIDTH, a11)
                    store(y, y2, a20)
                    store(y, y2 + WIDTH, a21)
                    store(y, y3, a30)
                    store(y, y3 + WIDTH, a31)
                    store(y, y4, a40)
                    store(y, y4 + WIDTH, a41)


@compiled
def convolve_weight_gradient(
    starts: Indices,
    links: Indices,
    window: int,
    pixels: int,
    x: Array,
    x0: int,
    inputs: int,
    dy: Array,
    dy0: int,
    outputs: int,
    dw: Array,
    w0: int,
    taps: int,
    batch: int,
) -> None:
    """dw[tap, i, o] += Σ over targets t, links (tap, s) of t and the batch of x[s, i] · dy[t, o].

    A vector of partial sums a weight is kept until the end; inputs are taken in pairs.
    """
    pairs = (inputs + 1) // 2
    block = 2 * CHANNEL_MULTIPLE * WIDTH
    blocks = pairs * (outputs // CHANNEL_MULTIPLE)
    sums = np.zeros(taps * blocks * block, np.float32)
    for pixel in range(pixels):
        for link in range(starts[window + pixel], starts[window + pixel + 1]):
            s0 = links[link, 0] * blocks * block
            source = x0 + links[link, 1] * inputs * batch
            for pair in range(pairs):
                xi = source + 2 * pair * batch
                xj = xi + batch if 2 * pair + 1 < inputs else xi  # the odd one out; its sums are not read
                d1 = dy0 + pixel * outputs * batch
                for _ in range(0, outputs, CHANNEL_MULTIPLE):
                    d2, d3, d4 = d1 + batch, d1 + 2 * batch, d1 + 3 * batch
                    a1, b1 = load(sums, s0), load(sums, s0 + 4 * WIDTH)
                    a2, b2 = load(sums, s0 + WIDTH), load(sums, s0 + 5 * WIDTH)
                    a3, b3 = load(sums, s0 + 2 * WIDTH), load(sums, s0 + 6 * WIDTH)
                    a4, b4 = load(sums, s0 + 3 * WIDTH), load(sums, s0 + 7 * WIDTH)
                    for b in range(0, batch, WIDTH):
                        u, v = load(x, xi + b), load(x, xj + b)
                        d = load(dy, d1 + b)
                        a1, b1 = multiply_add(u, d, a1), multiply_add(v, d, b1)
                        d = load(dy, d2 + b)
                        a2, b2 = multiply_add(u, d, a2), multiply_add(v, d, b2)
                        d = load(dy, d3 + b)
                        a3, b3 = multiply_add(u, d, a3), multiply_add(v, d, b3)
                        d = load(dy, d4 + b)
                        a4, b4 = multiply_add(u, d, a4), multiply_add(v, d, b4)
                    store(sums, s0, a1)
                    store(sums, s0 + WIDTH, a2)
                    store(sums, s0 + 2 * WIDTH, a3)
                    store(sums, s0 + 3 * WIDTH, a4)
                    store(sums, s0 + 4 * WIDTH, b1)
                    store(sums, s0 + 5 * WIDTH, b2)
                    store(sums, s0 + 6 * WIDTH, b3)
                    store(sums, s0 + 7 * WIDTH, b4)
                    s0 += block
                    d1 += CHANNEL_MULTIPLE * batch
    s0 = 0
    for tap in range(taps):
        for pair in range(pairs):
            for output in range(0, outputs, CHANNEL_MULTIPLE):
                for i in range(2 * pair, 2 * pair + 2):
                    w = w0 + (tap * inputs + i) * outputs + output
                    for o in range(CHANNEL_MULTIPLE):
                        if i < inputs:
                            dw[w + o] += total(load(sums, s0))
                        s0 += WIDTH


@compiled
def transpose_weights(w: Array, w0: int, taps: int, inputs: int, outputs: int) -> Array:
    """[tap, o, i] of w[tap, i, o]."""
    transposed = np.empty(taps * inputs * outputs, np.float32)
    for tap in range(taps):
        for i in range(inputs):
            for o in range(outputs):
                transposed[(tap * outputs + o) * inputs + i] = w[w0 + (tap * inputs + i) * outputs + o]
    return transposed


@compiled
def batch_statistics(
    x: Array,
    x0: int,
    pixels: int,
    channels: int,
    batch: int,
    examples: int,
    mean: Array,
    inverse: Array,
    running_mean: Array,
    running_variance: Array,
) -> None:
    """Mean and 1/√(variance + ε) of each channel, and the running statistics moved towards them.

    Only the first `examples` of the batch count.
    """
    count = pixels * examples
    full = examples // BATCH_MULTIPLE * BATCH_MULTIPLE
    for c in range(channels):
        a, b, rest = fill(np.float32(0)), fill(np.float32(0)), np.float32(0)
        for pixel in range(pixels):
            xi = x0 + (pixel * channels + c) * batch
            for i in range(xi, xi + full, 2 * WIDTH):
                a, b = add(a, load(x, i)), add(b, load(x, i + WIDTH))
            for i in range(xi + full, xi + examples):
                rest += x[i]
        m = (total(add(a, b)) + rest) / np.float32(count)
        minus, a, b, rest = fill(-m), fill(np.float32(0)), fill(np.float32(0)), np.float32(0)
        for pixel in range(pixels):
            xi = x0 + (pixel * channels + c) * batch
            for i in range(xi, xi + full, 2 * WIDTH):
                u, v = add(load(x, i), minus), add(load(x, i + WIDTH), minus)
                a, b = multiply_add(u, u, a), multiply_add(v, v, b)
            for i in range(xi + full, xi + examples):
                rest += (x[i] - m) ** 2
        variance = (total(add(a, b)) + rest) / np.float32(count)
        mean[c] = m
        inverse[c] = 1 / math.sqrt(variance + EPSILON)
        running_mean[c] += RUNNING * (m - running_mean[c])
        running_variance[c] += RUNNING * (variance * count / (count - 1) - running_variance[c])


@compiled
def affine(
    x: Array,
    x0: int,
    pixels: int,
    channels: int,
    batch: int,
    scale: Array,
    shift: Array,
    y: Array,
    y0: int,
    accumulate: bool,
) -> None:
    """y[p, c] = scale[c] · x[p, c] + shift[c]."""
    for pixel in range(pixels):
        for c in range(channels):
            k, h = fill(scale[c]), fill(shift[c])
            o = (pixel * channels + c) * batch
            for i in range(o, o + batch, WIDTH):
                z = multiply_add(k, load(x, x0 + i), h)
                store(y, y0 + i, add(z, load(y, y0 + i)) if accumulate else z)


@compiled
def normalise_gradient(
    x: Array,
    x0: int,
    pixels: int,
    channels: int,
    batch: int,
    mean: Array,
    inverse: Array,
    weight: Array,
    dy: Array,
    dy0: int,
    dx: Array,
    dx0: int,
    accumulate: bool,
    dweight: Array,
    dbias: Array,
) -> None:
    """Gradients of y = weight · (x − mean) · inverse + bias, mean and inverse being the batch's own."""
    count = np.float32(pixels * batch)
    for c in range(channels):
        g0, g1, h0, h1 = fill(np.float32(0)), fill(np.float32(0)), fill(np.float32(0)), fill(np.float32(0))
        minus = fill(-mean[c])
        for pixel in range(pixels):
            o = (pixel * channels + c) * batch
            for i in range(o, o + batch, 2 * WIDTH):
                u, v = load(dy, dy0 + i), load(dy, dy0 + i + WIDTH)
                g0, g1 = add(g0, u), add(g1, v)
                h0 = multiply_add(u, add(load(x, x0 + i), minus), h0)
                h1 = multiply_add(v, add(load(x, x0 + i + WIDTH), minus), h1)
        bias_gradient = total(add(g0, g1))
        weight_gradient = total(add(h0, h1)) * inverse[c]
        dbias[c] += bias_gradient
        dweight[c] += weight_gradient
        # dx = weight · inverse · (dy − mean(dy) − (x − mean) · inverse · mean(dy · (x − mean) · inverse))
        k0 = weight[c] * inverse[c]
        k1 = -k0 * inverse[c] * weight_gradient / count
        k2 = -k0 * bias_gradient / count - k1 * mean[c]
        by_dy, by_x, constant = fill(k0), fill(k1), fill(k2)
        for pixel in range(pixels):
            o = (pixel * channels + c) * batch
            for i in range(o, o + batch, WIDTH):
                z = multiply_add(by_dy, load(dy, dy0 + i), multiply_add(by_x, load(x, x0 + i), constant))
                store(dx, dx0 + i, add(z, load(dx, dx0 + i)) if accumulate else z)


@compiled
def average(
    starts: Indices,
    links: Indices,
    shares: Array,
    window: int,
    pixels: int,
    x: Array,
    x0: int,
    y: Array,
    y0: int,
    size: int,
    accumulate: bool,
) -> None:
    """y[t] = Σ over links of t of share · x[s]; `size` is channels × batch.

    The share of a link is 1 / (number of links of its target) in both directions, so that the links from
    targets to sources make the average and the reverse links its gradient.
    """
    zero = fill(np.float32(0))
    for pixel in range(pixels):
        first, last = starts[window + pixel], starts[window + pixel + 1]
        for i in range(0, size, 4 * WIDTH):
            yi = y0 + pixel * size + i
            a = b = c = d = zero
            if accumulate:
                a, b, c, d = load(y, yi), load(y, yi + WIDTH), load(y, yi + 2 * WIDTH), load(y, yi + 3 * WIDTH)
            for link in range(first, last):
                xi = x0 + links[link, 1] * size + i
                share = fill(shares[link])
                a = multiply_add(share, load(x, xi), a)
                b = multiply_add(share, load(x, xi + WIDTH), b)
                c = multiply_add(share, load(x, xi + 2 * WIDTH), c)
                d = multiply_add(share, load(x, xi + 3 * WIDTH), d)
            store(y, yi, a)
            store(y, yi + WIDTH, b)
            store(y, yi + 2 * WIDTH, c)
            store(y, yi + 3 * WIDTH, d)


@compiled
def relu(x: Array, y: Array) -> None:
    """y = max(x, 0); NaN stays NaN."""
    for i in range(len(x)):
        y[i] = np.float32(0) if x[i] < 0 else x[i]


@compiled
def relu_gradient(y: Array, dy: Array, dx: Array, accumulate: bool) -> None:
    """dx = dy where y > 0, else 0."""
    for i in range(len(y)):
        passed = dy[i] if y[i] > 0 else np.float32(0)
        dx[i] = dx[i] + passed if accumulate else passed


@compiled
def copy(x: Array, y: Array, accumulate: bool) -> None:
    """y = x."""
    for i in range(len(x)):
        y[i] = y[i] + x[i] if accumulate else x[i]
