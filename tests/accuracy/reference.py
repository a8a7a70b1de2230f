"""The mathematics of the models in arbitrary precision, from the papers' formulas and not from the package's.

Every function takes floats, computes with `DIGITS` digits and returns an mpmath number. The forms are other ones than
those the package uses wherever there is a choice: series and continuations of hypergeometric functions where it
integrates, closed forms where it sums over time, sums where it calls incomplete beta functions.

BG/NBD and MBG/NBD are one with k opportunities to leave survived: k = x, and k = x + 1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from mpmath import mp, mpf

DIGITS = 50
CONCENTRATED = 1e5
"""Beyond this the series of a hypergeometric function are long."""
mp.dps = DIGITS
Number = Any
Theta = Mapping[str, float]


def powers_of_beta(n: Number, z: Number, a: Number, c: Number) -> Number:
    """2F1(n, a; c; -z) after the one of Pfaff's two transformations (DLMF 15.8.1) in which more cancels."""
    w = z / (1 + z)
    A, B, power = min((c - n, a, a), (n, c - a, n), key=lambda form: abs(form[0] * form[1]))
    by_terms = A > 0 and (w < 0.9 or (c > 100 and w < 0.998))
    value = _series(A, B, c, w) if by_terms else mp.hyp2f1(A, B, c, w)
    return value * (1 + z) ** -power


def _series(A: Number, B: Number, C: Number, w: Number) -> Number:
    """2F1(A, B; C; w) for A, C > 0, summed in integers that stand for multiples of 2**-bits.

    Where C is large this is quicker than mpmath's choice of continuation.
    """
    bits = mp.prec + 40
    unit = 1 << bits
    a, b, c, z = (int(mp.ldexp(value, bits)) for value in (A, B, C, w))
    total = term = unit
    j = 0
    while abs(term) > abs(total) >> (mp.prec + 4) or a * b * z > (c * (j + 1)) << (2 * bits):
        term = term * a // c * b // ((j + 1) << bits) * z >> bits
        total += term
        a, b, c, j = a + unit, b + unit, c + unit, j + 1
    return mp.ldexp(mpf(total), -bits)


def mean_over_beta(function: Callable[[Number], Number], a: Number, b: Number) -> Number:
    """E[function(p)] for a concentrated p ~ Beta(a, b) (a, b >= 1000), by quadrature over standardised log odds."""
    with mp.workdps(90):
        centre, sd = mp.log(a / b), mp.sqrt(1 / a + 1 / b)
        norm = _log_beta(a, b)

        def integrand(place: Number) -> Number:
            y = centre + sd * place
            return mp.exp(a * y - (a + b) * mp.log1p(mp.exp(y)) - norm) * function(1 / (1 + mp.exp(-y)))

        return sd * mp.quad(integrand, [-40, -20, -10, -5, 0, 5, 10, 20, 40], maxdegree=7)


def opportunities(model: str, x: float) -> Number:
    return mpf(x) + (1 if model == "mbg_nbd" else 0)


def mps(*values: float) -> list[Number]:
    return [mpf(value) for value in values]


def log_likelihood(model: str, theta: Theta, x: float, t_x: float, T: float) -> Number:
    """FHL 2005 (Marketing Science), equation 6; Batislam et al. 2007; FHL 2005 (JMR), appendix."""
    alive, dead, common = _alive_and_dead(model, theta, x, t_x, T)
    return common + mp.log(alive + dead)


def p_alive(model: str, theta: Theta, x: float, t_x: float, T: float) -> Number:
    alive, dead, _ = _alive_and_dead(model, theta, x, t_x, T)
    return alive / (alive + dead)


def _alive_and_dead(model: str, theta: Theta, x: float, t_x: float, T: float) -> tuple[Number, Number, Number]:
    x, t_x, T = mps(x, t_x, T)
    if model == "pareto_nbd":
        r, alpha, s, beta = mps(*(theta[name] for name in ("r", "alpha", "s", "beta")))
        common = mp.loggamma(r + x) - mp.loggamma(r) + r * mp.log(alpha) + s * mp.log(beta)
        alive = (alpha + T) ** -(r + x) * (beta + T) ** -s
        return alive, s * _power_integral(r + x, s + 1, alpha, beta, t_x, T), common
    r, alpha, a, b = mps(*(theta[name] for name in ("r", "alpha", "a", "b")))
    k = opportunities(model, x)
    common = mp.loggamma(r + x) - mp.loggamma(r) + r * mp.log(alpha) + _log_beta(a, b + k) - _log_beta(a, b)
    dead = a / (b + k - 1) * (alpha + t_x) ** -(r + x) if k > 0 else mpf(0)
    return (alpha + T) ** -(r + x), dead, common


def _log_beta(a: Number, b: Number) -> Number:
    return mp.loggamma(a) + mp.loggamma(b) - mp.loggamma(a + b)


def _power_integral(n: Number, k: Number, alpha: Number, beta: Number, start: Number, end: Number) -> Number:
    """int_start^end (alpha+t)^-n (beta+t)^-k dt by Gauss-Legendre panels that double from the integrand's own scale."""
    if end == start:
        return mpf(0)
    A, B = alpha + start, beta + start
    length, width = end - start, 1 / ((n + 1) / A + k / B) / 4
    total, left = mpf(0), mpf(0)
    while left < length:
        right = min(left + width, length)
        part = _gauss(lambda u: mp.exp(-n * mp.log1p(u / A) - k * mp.log1p(u / B)), left, right)
        total += part
        if part < total * mpf(10) ** -30 and right * (n - 1) / (A + right) > 1:
            break
        left, width = right, 2 * width
    return total * A**-n * B**-k


def power_integral_by_hypergeometric(
    n: Number, k: Number, alpha: Number, beta: Number, start: Number, end: Number
) -> Number:
    """The same as FHL print it: a difference of two Gaussian hypergeometric functions over (n + k - 1)."""
    n, k, alpha, beta, start, end = mps(n, k, alpha, beta, start, end)
    large, small, power = (alpha, beta, k) if alpha >= beta else (beta, alpha, n)
    total = n + k - 1

    def at(t: Number) -> Number:
        return mp.hyp2f1(total, power, total + 1, (large - small) / (large + t)) / (large + t) ** total

    return (at(start) - at(end)) / total


def survival(model: str, theta: Theta, x: float, T: float, t: float) -> Number:
    """P(alive at T + t | alive at T)."""
    return _future(model, theta, x, T, t, 0)


def intensity(model: str, theta: Theta, x: float, T: float, t: float) -> Number:
    """E[purchase rate at T + t | alive at T]."""
    return _future(model, theta, x, T, t, 1)


def _future(model: str, theta: Theta, x: float, T: float, t: Number, tilt: int) -> Number:
    x, T, t = mps(x, T, t)
    r, alpha = mps(theta["r"], theta["alpha"])
    rate = (r + x) / (alpha + T) if tilt else mpf(1)
    if model == "pareto_nbd":
        s, beta = mps(theta["s"], theta["beta"])
        return rate * ((beta + T) / (beta + T + t)) ** s
    a, b = mps(theta["a"], theta["b"])
    n, z, b = r + x + tilt, t / (alpha + T), b + opportunities(model, x)
    if min(a, b) > CONCENTRATED:
        return rate * mean_over_beta(lambda p: (1 + p * z) ** -n, a, b)
    return rate * powers_of_beta(n, z, a, a + b)


def expected_purchases(model: str, theta: Theta, x: float, T: float, t: float) -> Number:
    """E[purchases in (T, T + t] | alive at T], from the closed forms; at a = 1 and s = 1 by their limits."""
    x, T, t = mps(x, T, t)
    r, alpha = mps(theta["r"], theta["alpha"])
    if model == "pareto_nbd":
        return (r + x) / (alpha + T) * living_time(model, theta, x, T, t, 0.0)
    a, b = mps(theta["a"], theta["b"])
    n, z = r + x, t / (alpha + T)
    if min(a, b) > CONCENTRATED:
        return mean_over_beta(lambda p: (1 - (1 + p * z) ** -n) / p, a, b + opportunities(model, x))
    with mp.workdps(2 * DIGITS):
        if a == 1:
            a += mpf(10) ** -DIGITS
        c = a + b + opportunities(model, x) - 1
        return c / (a - 1) * (1 - powers_of_beta(n, z, a - 1, c))


def living_time(model: str, theta: Theta, x: float, T: float, horizon: Number, delta: float) -> Number:
    """L given alive at T, in the unit of T: int_0^horizon exp(-delta u) s(u) du; the horizon may be infinite."""
    if model != "pareto_nbd":
        return _discounted(lambda u: survival(model, theta, x, T, u), theta, x, T, horizon, delta)
    s, beta, delta = mps(theta["s"], theta["beta"], delta)
    B = beta + mpf(T)
    if delta == 0:
        grown = mp.log1p(mpf(horizon) / B)
        return B * (grown if s == 1 else -mp.expm1((1 - s) * grown) / (s - 1))
    # FHL 2005 (JMR), equation (2), by the exponential integral: U(1, 2 - s, w) = exp(w) E_s(w)
    w = delta * B
    tail = mpf(0)
    if horizon != mp.inf:
        end = delta * (B + mpf(horizon))
        tail = mp.exp(w) * (end / w) ** (1 - s) * mp.expint(s, end)
    return B * (mp.exp(w) * mp.expint(s, w) - tail)


def discounted_orders(model: str, theta: Theta, x: float, T: float, horizon: Number, delta: float) -> Number:
    """D given alive at T."""
    if model == "pareto_nbd":
        rate = (mpf(theta["r"]) + mpf(x)) / (mpf(theta["alpha"]) + mpf(T))
        return rate * living_time(model, theta, x, T, horizon, delta)
    return _discounted(lambda u: intensity(model, theta, x, T, u), theta, x, T, horizon, delta)


def _discounted(value: Callable[[Number], Number], theta: Theta, x: float, T: float, H: Number, delta: float) -> Number:
    """int_0^H exp(-delta u) value(u) du by Gauss-Legendre panels that grow threefold; 12 digits and more are right."""
    A, delta = mpf(theta["alpha"]) + mpf(T), mpf(delta)
    end = min(mpf(H), 40 / delta) if delta > 0 else mpf(H)
    total, left, width = mpf(0), mpf(0), A / (1 + mpf(theta["r"]) + mpf(x)) / 2
    with mp.workdps(22):
        while left < end:
            right = min(left + width, end)
            total += _gauss(lambda u: mp.exp(-delta * u) * value(u), left, right)
            left, width = right, min(3 * width, 6 / delta if delta > 0 else mp.inf)
    return total


def _gauss(function: Callable[[Number], Number], left: Number, right: Number) -> Number:
    """Gauss-Legendre of 24 points: panels no longer than the distance to the singularity give 20 digits and more."""
    half, middle = (right - left) / 2, (right + left) / 2
    return half * sum(weight * function(middle + half * node) for node, weight in _legendre())


_nodes: list[tuple[Number, Number]] = []


def _legendre(points: int = 24) -> list[tuple[Number, Number]]:
    """Roots of the Legendre polynomial by Newton's method in full precision."""
    if not _nodes:
        with mp.workdps(DIGITS + 10):
            for i in range(points):
                z = mp.cos(mp.pi * (i + mpf(3) / 4) / (points + mpf(1) / 2))
                for _ in range(9):
                    before, now = mpf(1), z
                    for j in range(2, points + 1):
                        before, now = now, ((2 * j - 1) * z * now - (j - 1) * before) / j
                    slope = points * (z * now - before) / (z * z - 1)
                    z -= now / slope
                _nodes.append((z, 2 / ((1 - z * z) * slope * slope)))
    return _nodes


def pmf(model: str, theta: Theta, x: float, T: float, t: float, n: int) -> Number:
    """P(n purchases in (T, T + t] | alive at T)."""
    r, alpha = mps(theta["r"], theta["alpha"])
    shape, rate, t = r + mpf(x), alpha + mpf(T), mpf(t)
    if model == "pareto_nbd":
        return _pareto_pmf(theta, shape, rate, mpf(T), t, n)
    a, b = mps(theta["a"], theta["b"])
    beta = b + opportunities(model, x)
    share = t / (rate + t)
    stays = mp.exp(_log_beta(a, beta + n) - _log_beta(a, beta)) * _negative_binomial(n, shape, rate, t)
    if n == 0:
        return stays
    # FHL 2005, equation (8): one minus the sum of the first n terms, or the sum of the others where that is shorter
    if n < shape * t / rate:
        with mp.workdps(3 * DIGITS):
            term, total = _negative_binomial(0, shape, rate, t), mpf(1)
            for j in range(n):
                total -= term
                term *= (shape + j) / (j + 1) * share
    else:
        term, total, j = _negative_binomial(n, shape, rate, t), mpf(0), n
        while term > total * mpf(10) ** -30:
            total += term
            term *= (shape + j) / (j + 1) * share
            j += 1
    return stays + mp.exp(_log_beta(a + 1, beta + n - 1) - _log_beta(a, beta)) * total


def _negative_binomial(n: int, shape: Number, rate: Number, t: Number) -> Number:
    log = mp.loggamma(shape + n) - mp.loggamma(shape) - mp.loggamma(mpf(n) + 1)
    return mp.exp(log + shape * mp.log(rate / (rate + t)) + n * mp.log(t / (rate + t)))


def _pareto_pmf(theta: Theta, shape: Number, rate: Number, T: Number, t: Number, n: int) -> Number:
    s, left = mpf(theta["s"]), mpf(theta["beta"]) + T
    binomial = mp.loggamma(shape + n) - mp.loggamma(shape) - mp.loggamma(mpf(n) + 1)

    def log_density(y: Number) -> Number:
        tau = mp.exp(y)
        count = binomial - shape * mp.log1p(tau / rate) + n * (y - mp.log(rate + tau))
        return count + mp.log(s / left) - (s + 1) * mp.log1p(tau / left) + y

    def slope(y: Number) -> Number:
        tau = mp.exp(y)
        return n + 1 - (shape + n) * tau / (rate + tau) - (s + 1) * tau / (left + tau)

    high = mp.log(t)
    low = high - 130
    if slope(high) < 0:
        a, b = low, high
        for _ in range(60):
            middle = (a + b) / 2
            a, b = (middle, b) if slope(middle) > 0 else (a, middle)
        peak = (a + b) / 2
    else:
        peak = high
    top = log_density(peak)
    width = 1 / mp.sqrt(shape + n + 2) if peak < high else 1 / (1 + abs(slope(high)))
    total = mpf(0)
    for limit, direction in ((low, -1), (high, 1)):
        start, step = peak, width / 2
        while start != limit:
            end = max(start - step, limit) if direction < 0 else min(start + step, limit)
            part = abs(_gauss(lambda y: mp.exp(log_density(y) - top), start, end))
            total += part
            if part < total * mpf(10) ** -25:
                break
            start, step = end, step * mpf(1.3)
    stays = _negative_binomial(n, shape, rate, t) * (left / (left + t)) ** s
    return stays + mp.exp(top) * total


def spend_log_likelihood(theta: Theta, x: float, mean_spend: float) -> Number:
    """Note 025, equation (1a)."""
    p, q, v, x, m = mps(theta["p"], theta["q"], theta["v"], x, mean_spend)
    beta = mp.loggamma(p * x + q) - mp.loggamma(p * x) - mp.loggamma(q)
    return beta + q * mp.log(v) + (p * x - 1) * mp.log(m) + p * x * mp.log(x) - (p * x + q) * mp.log(v + x * m)


def expected_spend(theta: Theta, x: float, mean_spend: float) -> Number:
    """Note 025, equation (5): the weighted average of the population mean and the customer's own."""
    p, q, v, x, m = mps(theta["p"], theta["q"], theta["v"], x, mean_spend)
    weight = (q - 1) / (p * x + q - 1)
    return weight * p * v / (q - 1) + (1 - weight) * m


def log_normal_log_likelihood(theta: Theta, x: float, log_mean: float, log_ss: float) -> Number:
    """The density of x amounts whose logs are normal, with variance s^2 + t^2 each and covariance t^2.

    Their covariance matrix has the eigenvalue s^2 + x t^2 along the mean, and s^2 across it, x - 1 times.
    """
    median, s, t, x, mean, squares = mps(theta["median"], theta["s"], theta["t"], x, log_mean, log_ss)
    along, across = s**2 + x * t**2, s**2
    log_det = mp.log(along) + (x - 1) * mp.log(across)
    distance = x * (mean - mp.log(median)) ** 2 / along + squares / across
    return -(x * mp.log(2 * mp.pi) + log_det + distance) / 2 - x * mean


def log_normal_expected_spend(theta: Theta, x: float, log_mean: float) -> Number:
    """The mean of another amount: its log is normal given the x logs, as one more of the same covariance."""
    median, s, t, x, mean = mps(theta["median"], theta["s"], theta["t"], x, log_mean)
    pull = x * t**2 / (s**2 + x * t**2)
    centre = mp.log(median) + pull * (mean - mp.log(median))
    variance = s**2 + t**2 - pull * t**2
    return mp.exp(centre + variance / 2)


def gamma_gamma_of_orders(theta: Theta, x: float, mean: float, below: float) -> Number:
    """The density of x amounts: gamma given the rate nu, whose gamma distribution is integrated out.

    Their logs have a mean that lies `below` that of the log of their mean.
    """
    p, q, v, x, mean, below = mps(theta["p"], theta["q"], theta["v"], x, mean, below)
    log_product = x * (mp.log(mean) - below)
    constant = (p - 1) * log_product - x * mp.loggamma(p)
    return constant + mp.loggamma(p * x + q) - mp.loggamma(q) + q * mp.log(v) - (p * x + q) * mp.log(v + x * mean)


def contribution_log_likelihood(theta: Theta, x: float, known_mean: float, known_ss: float) -> Number:
    """The density of x normal amounts, with variance s^2 + t^2 each and covariance t^2: eigenvalues as above."""
    centre, s, t, x, mean, squares = mps(theta["mean"], theta["s"], theta["t"], x, known_mean, known_ss)
    along, across = s**2 + x * t**2, s**2
    log_det = mp.log(along) + (x - 1) * mp.log(across)
    return -(x * mp.log(2 * mp.pi) + log_det + x * (mean - centre) ** 2 / along + squares / across) / 2


def expected_contribution(theta: Theta, x: float, known_mean: float) -> Number:
    """The mean of another amount given x: its regression on their sum, whose variance is x (s^2 + x t^2)."""
    centre, s, t, x, mean = mps(theta["mean"], theta["s"], theta["t"], x, known_mean)
    return centre + x * t**2 / (s**2 + x * t**2) * (mean - centre)
