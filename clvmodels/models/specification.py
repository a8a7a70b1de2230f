"""What a model is: a frozen value that holds its parameters and its mathematics, as functions of arrays.

Throughout, `theta` is an array of parameters whose last axis runs over them in the model's order; everything else
broadcasts against its other axes. Histories are (x, t_x, T); `t` is time from T on. A model in periods has the number
of opportunities so far, n, in place of T: times are whole numbers of periods.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from clvmodels.arguments import abridged, as_number, require_mapping
from clvmodels.errors import ModelError, ParameterError, one_of
from clvmodels.models.departures import Departures
from clvmodels.models.kernel import Array, Expansion, Kernel, Sums
from clvmodels.models.parts import LARGEST, Dimension, Events, Limit, OwnRates, Parameter, Quantity, Stages, Traits

__all__ = [
    "LARGEST",
    "Array",
    "ContractModel",
    "Events",
    "Limit",
    "Model",
    "OwnRates",
    "Parameter",
    "Quantity",
    "Reading",
    "Spells",
    "SpendModel",
    "Stages",
    "Traits",
    "TransactionModel",
]


def _no_quantities(_: Mapping[str, Any], year: float) -> dict[str, Any]:  # noqa: ARG001 - as those of other models
    return {}


@dataclass(frozen=True, eq=False, repr=False)
class Model:
    """What transaction and spend models have in common. A model equals itself only: functions are not compared.

    Attributes
    ----------
    key, name, public_name
        Such as ``"bg_nbd"``, ``"BG/NBD"``, ``"BGNBD"``.
    source
        Where the model comes from.
    parameters
        In the order of the last axis of `theta`.
    count_terms
        ``(theta, x) -> (value, gradient)``: the part of a customer's log-likelihood that depends on x alone.
    history_terms
        ``(theta, *columns) -> (value, gradient)``: the rest.
    starts
        Starting points for fitting, in units where the mean age (mean spend) is one; shape (starts, parameters).
    example
        Parameters of a published fit, for examples and tests.
    quantities
        What priors are stated in; none depends on the unit of time, rates are per year. A model without them is fitted
        by likelihood alone.
    from_quantities
        ``(quantities by name, year) -> parameters by name``, with the length of a year in the unit of time; arithmetic
        only, so that it takes numbers, arrays and symbols.
    to_quantities
        ``(parameters by name, year) -> quantities by name``: its inverse.
    in_words
        ``(parameters by name)``: sentences about the customers that only this model can say; None: there are none.
    statistics
        The columns of a history, by name, in the order in which the functions take them: those of
        `clvmodels.data.statistics`, or any column of a table. Of transactions: purchases, time of the last one, age.
    limits
        Where fits end to data without some variety, in the order in which they are looked for.
    history_sums
        ``(theta, weight, *columns) -> (value, gradient)``: weighted sums of `history_terms`, in fewer passes; None:
        the terms are summed.
    count_curvature
        ``(theta, weight, x) -> matrix``: weighted sum of the second derivatives of `count_terms`.
    history_expansion
        ``(theta, weight, *columns) -> (value, gradient, matrix)``: weighted sums of `history_terms` and of its second
        derivatives. Where one of the two is None, second derivatives are differences of the gradient.
    kernel
        Compiled sums of the terms, for samplers and for fits to many distinct histories; None: the functions above do.
    story
        What the model takes customers to do, in words: a sentence, then paragraphs. It is what ``help`` shows.
    effects
        What covariates can act on, by name, such as ``{"purchase": (("alpha", -1),)}``: the parameters that a
        coefficient multiplies by exp(sign * coefficient * covariate); a positive one means more of what the name says.
    totals
        Statistics that the log-likelihood is linear in: sums over all customers, never part of a row.
    total_factors
        ``(theta) -> (factors, gradient)``: what each of them is multiplied by, shape (totals,), and the derivatives of
        that, shape (totals, parameters).
    """

    key: str
    name: str
    public_name: str
    source: str
    parameters: tuple[Parameter, ...]
    count_terms: Callable[[Array, Array], tuple[Array, Array]]
    history_terms: Callable[..., tuple[Array, Array]]
    starts: tuple[tuple[float, ...], ...]
    example: Mapping[str, float]
    quantities: tuple[Quantity, ...] = field(default=(), kw_only=True)
    from_quantities: Callable[[Mapping[str, Any], float], dict[str, Any]] = field(default=_no_quantities, kw_only=True)
    to_quantities: Callable[[Mapping[str, Any], float], dict[str, Any]] = field(default=_no_quantities, kw_only=True)
    in_words: Callable[[Mapping[str, float]], Sequence[str]] | None = field(default=None, kw_only=True)
    statistics: tuple[str, ...] = field(default=(), kw_only=True)
    limits: tuple[Limit, ...] = field(default=(), kw_only=True)
    history_sums: Sums | None = field(default=None, kw_only=True)
    count_curvature: Callable[[Array, Array, Array], Array] | None = field(default=None, kw_only=True)
    history_expansion: Expansion | None = field(default=None, kw_only=True)
    kernel: Kernel | None = field(default=None, kw_only=True)
    story: str = field(default="", kw_only=True)
    effects: Mapping[str, Sequence[tuple[str, int]]] = field(default_factory=dict, kw_only=True)
    totals: tuple[str, ...] = field(default=(), kw_only=True)
    total_factors: Callable[[Array], tuple[Array, Array]] | None = field(default=None, kw_only=True)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}: {', '.join(self.names)}>"

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, object]) -> Self:
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the parameters, in order."""
        return tuple(parameter.name for parameter in self.parameters)

    @property
    def lower(self) -> Array:
        """Lower bounds of the parameters, in order."""
        return np.array([parameter.lower for parameter in self.parameters])

    def units(self, *, time: float = 1.0, money: float = 1.0) -> Array:
        """Return the factor of each parameter when a unit of time (money) is divided by `time` (`money`).

        Examples
        --------
        From weeks to days:

        >>> from clvmodels.models import MODELS
        >>> BG_NBD = MODELS["bg_nbd"]
        >>> BG_NBD.theta(BG_NBD.example) * BG_NBD.units(time=7.0)
        array([ 0.243, 30.898,  0.793,  2.426])
        """
        factors: dict[Dimension, float] = {"none": 1.0, "time": time, "rate": 1.0 / time, "money": money}
        return np.array([factors[parameter.dimension] for parameter in self.parameters])

    def theta(self, params: Mapping[str, Any]) -> Array:
        """Return parameters given by name as an array with a last axis in the model's order.

        Raises
        ------
        ParameterError
            If a name is unknown or missing, or a value is not a finite number above its lower bound, or so large
            or small that predictions would leave the range of doubles.

        Examples
        --------
        >>> from clvmodels.models import MODELS
        >>> MODELS["gamma_gamma"].theta({"q": 3.74, "p": [6.25, 6.5], "v": 15.44})
        array([[ 6.25,  3.74, 15.44],
               [ 6.5 ,  3.74, 15.44]])
        """
        for name in require_mapping("parameters", params, str(dict(self.example)), ParameterError):
            if name not in self.names:
                raise ParameterError(f"{self.name}: {one_of('parameter', name, self.names)}")
        missing = [name for name in self.names if name not in params]
        if missing:
            raise ParameterError(f"{self.name} needs {', '.join(self.names)}; {', '.join(missing)} missing")
        values = [self._values(parameter, params[parameter.name]) for parameter in self.parameters]
        try:
            return np.stack(np.broadcast_arrays(*values), axis=-1)
        except ValueError as error:
            shapes = ", ".join(f"{name} {array.shape}" for name, array in zip(self.names, values, strict=True))
            raise ParameterError(
                f"{self.name}: the parameters have shapes that do not go together: {shapes}"
            ) from error

    def _values(self, parameter: Parameter, given: object) -> Array:
        """Return the values of a parameter, which may be an array."""
        number = as_number(given)
        try:
            values = np.asarray(given if np.isnan(number) else number, float)
        except (TypeError, ValueError, OverflowError):
            values = np.full(1, np.nan)
        if isinstance(given, str | bool) or not np.all(np.isfinite(values) & (values > parameter.lower)):
            wanted = f"a finite number above {parameter.lower:g}"
            raise ParameterError(f"{self.name}: {parameter.name} must be {wanted}, got {abridged(given)}")
        above, largest = values - parameter.lower, LARGEST[parameter.dimension]
        if not np.all((above >= 1.0 / largest) & (above <= largest)):
            raise ParameterError(
                f"{self.name}: {parameter.name} must lie between {1.0 / largest:g} and {largest:g}, got"
                f" {abridged(given)}; count time and money in units that suit the data"
            )
        return values

    def log_likelihood(self, theta: Array, *columns: Array) -> Array:
        """Return the log-likelihood of each history, given by its columns: of transactions x, t_x, T; of spend x, mean.

        Examples
        --------
        >>> import numpy as np
        >>> from clvmodels.models import MODELS
        >>> BG_NBD = MODELS["bg_nbd"]
        >>> theta, x, t_x, T = BG_NBD.theta(BG_NBD.example), np.array([0.0, 2.0]), np.array([0.0, 30.43]), 38.86
        >>> BG_NBD.log_likelihood(theta, x, t_x, T).round(3)
        array([-0.555, -9.459])
        """
        value: Array = self.count_terms(theta, columns[0])[0] + self.history_terms(theta, *columns)[0]
        return value


@dataclass(frozen=True, eq=False)
class Reading:
    """The future of a model on a clock as a smooth function of what the clock shows, which stands in place of T.

    Attributes
    ----------
    model
        The model whose functions take the reading for T.
    of_age
        ``(theta, T)``: the reading at age T; broadcasts.
    factor
        ``(theta, T)``: what the model's intensity is to be multiplied by; None: nothing.
    counts
        Whether the probabilities of counts are smooth in it, too.
    """

    model: TransactionModel
    of_age: Callable[[Array, Array], Array]
    factor: Callable[[Array, Array], Array] | None = None
    counts: bool = True


@dataclass(frozen=True)
class Spells:
    """The likelihood of a customer who leaves in time, from spells in which clocks run at constant speeds.

    A(t) is the clock of purchases since the first one, D(t) that of dropout.

    Attributes
    ----------
    staying
        ``(theta, x, A, D) -> (value, gradient, by_A)``: log of the part of `Model.history_terms` that is due to those
        who are still alive when the clocks show A and D.
    leaving
        ``(theta, x, A, D, speed, length) -> (value, gradient, by_A, by_speed)``: log of the part due to those who leave
        within a spell that begins when the clocks show A and D; the clock of purchases then runs at `speed`, that of
        dropout as time does, for `length`.
    compiled
        Returns the compiled function that puts them together, as `kernels.pareto_nbd_spells.history_terms` does; what
        this imports is imported when it is called. None: there is none.
    """

    staying: Callable[[Array, Array, Array, Array], tuple[Array, Array, Array]]
    leaving: Callable[[Array, Array, Array, Array, Array, Array], tuple[Array, Array, Array, Array]]
    compiled: Callable[[], Callable[..., tuple[Array, Array, Array]]] | None = None


@dataclass(frozen=True, eq=False, repr=False)
class TransactionModel(Model):
    """A model of when customers buy and when they leave.

    Given that customers are alive at T, their future depends on (x, T) alone. All functions broadcast theta's other
    axes against the histories.

    Attributes
    ----------
    p_alive
        ``(theta, x, t_x, T)``: probability that a customer is alive at T.
    future
        ``(theta, x, T, t) -> (survival, intensity)``: given alive at T, the probability of being alive at T + t, and
        the expectation of the purchase rate at T + t, zero once they have left. In periods, the intensity is the
        probability of a purchase in the period that ends at T + t.
    expected_purchases
        ``(theta, x, T, t)``: given alive at T, the expected purchases in (T, T + t]; the integral (in periods, the sum)
        of the intensity in closed form, or by a quadrature of its own.
    pmf
        ``(theta, x, T, t, n)``: given alive at T, the probability of n purchases in (T, T + t].
    mean_purchase_rate
        ``(theta)``: mean over customers who have just been acquired, as long as they are alive.
    draw_traits
        ``(theta, x, T, generator)``: draws what customers who are alive at T are like; they buy at random at a constant
        rate of their own. None: `simulate` draws what they do.
    simulate
        ``(theta, x, T, duration, generator) -> Events``: draws what customers who are alive at T do, each for their own
        duration, all of shape (customers,), theta (customers, parameters); None: purchases at random by `draw_traits`.
    time
        ``"periods"``: there is one opportunity to buy in each unit of time; sums over periods take the place of
        integrals.
    smooth
        In periods, whether `future` takes any real time ahead, and changes smoothly between the ends of periods: sums
        over many periods are then taken from few times.
    tail
        Name of the parameter that must exceed one for undiscounted residual value to be finite, or names of those whose
        product must, such as ``"s c"``; None: it always is.
    clocks
        Which time parameter runs on which clock: ``{"purchase": "alpha"}`` if customers leave at purchases,
        ``{"purchase": "alpha", "dropout": "beta"}`` if they leave in time. Empty: the model runs on no clock.
    spells
        The likelihood of customers who leave in time, spell by spell; None if they leave at purchases.
    residuals
        ``(draws, x, T, weightings)``: the function that gives weighted integrals of the purchase intensity and of
        survival, as `derived.residuals` does; None: it integrates `future`, which is smooth.
    breaks
        ``(draws, T, end)``: ends of panels of time ahead, between which the future is nearly a polynomial; None: they
        may grow geometrically, as it falls ever more slowly.
    reading
        How the future is smooth in what a clock shows; None: it is so in age.
    ago
        ``(age)``: the model of customers who started so long ago, when they did; None: the same at all times.
    departures
        Customers known to have left, and what they are like if they return; None: the model does not say.
    silence
        ``(theta, x, t_x, T)``: the probability of no purchase in (t_x, T], given being alive at T; None: it follows
        from the other functions, as `models.silence` has it.
    stages
        Of a model whose purchases take several stages: these. Then x counts stages passed in all functions of the
        future, `draw_traits` and `simulate`, and purchases in the others. None: a purchase is one stage.
    as_new
        ``(theta, x, T)``: the parameters under which customers just acquired, who are alive, have the future of those
        who bought x times and are alive at T: levers act on these. None: no lever moves the model.
    own_rates
        How the purchase rates of customers differ who have one history; None: the model does not say.

    Examples
    --------
    A customer who bought twice more, the last time in week 30.43 of 38.86:

    >>> import numpy as np
    >>> from clvmodels.models import MODELS
    >>> BG_NBD = MODELS["bg_nbd"]
    >>> theta, x, t_x, T = BG_NBD.theta(BG_NBD.example), np.array(2.0), np.array(30.43), np.array(38.86)
    >>> alive = BG_NBD.p_alive(theta, x, t_x, T)
    >>> round(float(alive), 4), round(float(alive * BG_NBD.expected_purchases(theta, x, T, np.array(39.0))), 3)
    (0.7266, 1.226)
    """

    p_alive: Callable[[Array, Array, Array, Array], Array]
    future: Callable[[Array, Array, Array, Array], tuple[Array, Array]]
    expected_purchases: Callable[[Array, Array, Array, Array], Array]
    pmf: Callable[[Array, Array, Array, Array, Array], Array]
    mean_purchase_rate: Callable[[Array], Array]
    draw_traits: Callable[[Array, Array, Array, np.random.Generator], Traits] | None = None
    simulate: Callable[[Array, Array, Array, Array, np.random.Generator], Events] | None = None
    statistics: tuple[str, ...] = field(default=("x", "t_x", "T"), kw_only=True)
    time: Literal["continuous", "periods"] = "continuous"
    smooth: bool = field(default=False, kw_only=True)
    tail: str | None = None
    clocks: Mapping[Literal["purchase", "dropout"], str] = field(default_factory=dict, kw_only=True)
    spells: Spells | None = field(default=None, kw_only=True)
    residuals: Callable[..., Callable[[Array, Array, Array], Array]] | None = field(default=None, kw_only=True)
    breaks: Callable[[Array, Array, float], Array] | None = field(default=None, kw_only=True)
    reading: Reading | None = field(default=None, kw_only=True)
    ago: Callable[[float], TransactionModel] | None = field(default=None, kw_only=True)
    silence: Callable[[Array, Array, Array, Array], Array] | None = field(default=None, kw_only=True)
    stages: Stages | None = field(default=None, kw_only=True)
    as_new: Callable[[Array, Array, Array], Array] | None = field(default=None, kw_only=True)
    own_rates: OwnRates | None = field(default=None, kw_only=True)
    departures: Departures | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        """Require that customers can be simulated.

        Raises
        ------
        ModelError
            If there is neither `draw_traits` nor `simulate`.
        """
        if self.draw_traits is None and self.simulate is None:
            raise ModelError(
                f"{self.name} needs draw_traits (customers buy at random at a constant rate) or simulate (they do not)"
            )


@dataclass(frozen=True, eq=False, repr=False)
class ContractModel(TransactionModel):
    """A model of customers under contract, who pay in each period until they are seen to leave.

    It is a model in periods whose purchases are renewals. A history is x renewals in a row, with t_x = x, of those that
    a customer faced: one more if they left. P(alive) is 1 if x is their number, else 0. The likelihood takes one more
    statistic, the number of renewals before a customer was observed.
    """

    statistics: tuple[str, ...] = field(default=("x", "t_x", "faced", "entered"), kw_only=True)
    time: Literal["continuous", "periods"] = "periods"
    smooth: bool = field(default=True, kw_only=True)


@dataclass(frozen=True, eq=False, repr=False)
class SpendModel(Model):
    """A model of the value of orders.

    Attributes
    ----------
    expected_spend
        ``(theta, *state)``: expected value of a future order; the population mean where x = 0.
    draw_orders
        ``(theta, *state, owner, generator)``: draws order values, `owner` the customer of each, given the
        customers' histories; theta is one point of the parameters, or one of each customer.
    state
        The two statistics that future orders depend on: a number of orders, and the level of their values, such as
        their mean, or the mean of their logs; a level that is NaN is not known.
    signed
        Whether what orders are worth may be negative, as contributions are. The statistics are then those of all orders
        of known value, and starting points are in units of the root mean square of orders.

    Examples
    --------
    Of customers with no, with two and with many orders of 22.35, the mean of all counts less and less:

    >>> import numpy as np
    >>> from clvmodels.models import MODELS
    >>> GAMMA_GAMMA = MODELS["gamma_gamma"]
    >>> theta, spend = GAMMA_GAMMA.theta(GAMMA_GAMMA.example), np.array([np.nan, 22.35, 22.35])
    >>> GAMMA_GAMMA.expected_spend(theta, np.array([0.0, 2.0, 100.0]), spend).round(2)
    array([35.22, 24.66, 22.41])
    """

    expected_spend: Callable[[Array, Array, Array], Array]
    draw_orders: Callable[[Array, Array, Array, NDArray[np.int64], np.random.Generator], Array]
    statistics: tuple[str, ...] = field(default=("x", "mean"), kw_only=True)
    state: tuple[str, str] = field(default=("x", "mean"), kw_only=True)
    signed: bool = field(default=False, kw_only=True)
